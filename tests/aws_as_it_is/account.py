"""An AWS account with a clock of its own: what it holds, how it behaves, and all calls to it."""

import json
import pickle
import string
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from botocore import xform_name
from moto.core.base_backend import BackendDict
from moto.ecr.models import ecr_backends
from moto.logs.models import LogsBackend, logs_backends

from tests.aws_as_it_is import schemas
from tests.aws_as_it_is.clock import Clock
from tests.aws_as_it_is.cloudformation import CloudFormation
from tests.aws_as_it_is.errors import AwsError
from tests.aws_as_it_is.faults import Faults
from tests.aws_as_it_is.lambda_calls import LambdaCalls
from tests.aws_as_it_is.logs import Logs
from tests.aws_as_it_is.metrics import Metrics
from tests.aws_as_it_is.objects import S3
from tests.aws_as_it_is.permissions import Permissions
from tests.aws_as_it_is.registry import Registry
from tests.aws_as_it_is.runtime import Runtime

# The property of a role without which its handler does not use an action.
NEEDED_FOR = {
    "iam:AttachRolePolicy": "ManagedPolicyArns",
    "iam:DetachRolePolicy": "ManagedPolicyArns",
    "iam:DeleteRolePermissionsBoundary": "PermissionsBoundary",
    "iam:PutRolePermissionsBoundary": "PermissionsBoundary",
    "iam:UpdateRole": "MaxSessionDuration",
    "iam:UpdateRoleDescription": "Description",
}


@dataclass
class Behaviour:
    """What AWS does and moto does not; each can be switched off.

    Attributes:
        stale_reads: How many reads after a call on a stack still give its old status.
        stale_s: Seconds after which reads give the new status.
        untagged_review: Whether a stack that was never executed has no tags.
        ascii_templates: Whether GetTemplate gives `?` for every character that is not ASCII.
        early_validation: Whether change sets are validated early, with reasons in DescribeEvents only.
        metadata_alone_is_no_change: Whether a template that differs in its metadata only is no change.
        move_s: Seconds for which an alias whose warm instances move to another version has weights.
        events_per_page: How many events a page has at most.
        change_set_s: Seconds until a change set is ready.
        step_s: Seconds that CloudFormation takes for each step.
        pending_s: Seconds until a new version is active.
        wake_s: Seconds until an inactive version is active after the first call.
        idle_s: Seconds without a call after which a version is inactive.
        warm_s: Seconds without a call after which a version has no instance any more: a cold start follows.
        start_ms: How long a cold start takes.
        versioning_s: Seconds after versioning was enabled in which new objects cannot be read yet.
        bucket_s: Seconds after a bucket was deleted in which its name cannot be used again.
    """

    stale_reads: int = 1
    stale_s: float = 5.0
    untagged_review: bool = True
    ascii_templates: bool = True
    early_validation: bool = True
    metadata_alone_is_no_change: bool = True
    move_s: float = 60.0
    events_per_page: int = 100
    change_set_s: float = 2.0
    step_s: float = 0.5
    pending_s: float = 5.0
    wake_s: float = 70.0
    idle_s: float = 14 * 24 * 3600.0
    warm_s: float = 420.0
    start_ms: float = 1500.0
    versioning_s: float = 10.0
    bucket_s: float = 30.0


@dataclass
class Limits:
    """Lambda's limits for an account; the defaults are those of a new one."""

    concurrency: int = 10
    unreserved: int = 10
    memory: int = 3008
    code_storage: int = 75 * 1024**3


@dataclass
class Traffic:
    """Requests that reach an alias of a function, so many in a minute."""

    function: str
    alias: str
    requests_per_minute: int
    answers: list[int] = field(default_factory=list)


class Account:
    """An AWS account.

    Attributes:
        clock: Its time.
        behaviour: What can be switched off.
        limits: Lambda's limits.
        faults: What goes wrong on the way, and all calls so far.
        random: The chance in routing and models.
        traffic: Who calls its functions.
        steady_traffic: Requests a minute to every alias `live`.
        permissions: What the credentials that call, and in their name CloudFormation, may do.
        outside: Turns a time of the account into one of the programs that call it.
        api_url: Where the APIs of stacks are served, empty for AWS's own address.
    """

    def __init__(self, region: str = "eu-central-1", seed: int = 42) -> None:
        self.region, self.id = region, "123456789012"
        self.clock, self.behaviour, self.limits, self.faults = Clock(), Behaviour(), Limits(), Faults()
        self.random = Random(seed)
        self._token_random = Random(seed)
        self.traffic: list[Traffic] = []
        self.steady_traffic = 0
        self.permissions = Permissions(self)
        self.outside: Callable[[float], float] = lambda seconds: seconds
        self.api_url = ""
        self.api_keys: dict[str, dict[str, Any]] = {}
        self.registry = Registry(self)
        self.s3 = S3(self)
        self.functions = LambdaCalls(self)
        self.metrics = Metrics(self)
        self.runtime = Runtime(self)
        self.cloudformation = CloudFormation(self)
        self.services: dict[str, Any] = {
            "cloudformation": self.cloudformation,
            "lambda": self.functions,
            "cloudwatch": self.metrics,
            "logs": Logs(self),
            "s3": self.s3,
            "apigateway": _ApiGateway(self),
            "sts": _Sts(self),
        }
        self.clock.minute_listeners.append(self._pass_minute)
        BackendDict.reset()

    def arn(self, service: str, resource: str) -> str:
        """Return the ARN of a resource of this account."""
        return f"arn:aws:{service}:{self.region}:{self.id}:{resource}"

    def token(self, length: int) -> str:
        """Return a random name."""
        return "".join(self._token_random.choices(string.ascii_lowercase + string.digits, k=length))

    def offers(self, service: str, operation: str) -> bool:
        """Tell whether this account answers an operation itself; moto answers the others."""
        return hasattr(self.services.get(service), xform_name(operation))

    def call(self, service: str, operation: str, params: dict[str, Any]) -> dict[str, Any]:
        """Answer a call.

        Raises:
            AwsError: The answer is an error.
        """
        answer: dict[str, Any] = getattr(self.services[service], xform_name(operation))(**params)
        return answer

    def _pass_minute(self) -> None:
        """Let the requests of a minute arrive, and evaluate the alarms."""
        self.registry.expire()
        self.s3.expire()
        steady = [Traffic(name, "live", self.steady_traffic) for name in self.functions.functions]
        for traffic in [*self.traffic, *steady]:
            for _ in range(traffic.requests_per_minute):
                traffic.answers.append(self.request(traffic))
        self.metrics.evaluate()

    def request(self, traffic: Traffic) -> int:
        """Send one request as API Gateway does and return its status."""
        event = {
            "httpMethod": "POST",
            "path": "/predict",
            "headers": {},
            "body": "",
            "isBase64Encoded": False,
        }
        try:
            answer = self.functions.invoke(traffic.function, traffic.alias, json.dumps(event).encode())
        except AwsError:
            return 502
        if "FunctionError" in answer:
            return 502
        document = json.load(answer["Payload"])
        return int(document["statusCode"])

    def send(self, function: str, alias: str, requests_per_minute: int) -> Traffic:
        """Let requests arrive from now on."""
        traffic = Traffic(function, alias, requests_per_minute)
        self.traffic.append(traffic)
        return traffic

    @property
    def log_backend(self) -> LogsBackend:
        """moto's simulation of CloudWatch Logs."""
        return logs_backends[self.id][self.region]

    def missing_permission(self, kind: str, verb: str, properties: dict[str, Any]) -> str:
        """Return the first IAM action that CloudFormation's handler of a role needs and may not use.

        The schemas of other types list too many actions that only some of their properties need.
        """
        if kind != "AWS::IAM::Role":
            return ""
        for action in schemas.read_schema(kind)["handlers"][verb]["permissions"]:
            is_needed = NEEDED_FOR.get(action, "AssumeRolePolicyDocument") in properties
            if is_needed and not self.permissions.allows(action):
                return str(action)
        return ""

    def snapshot(self) -> bytes:
        """Return all that the account holds; nothing may be in progress."""
        assert self.clock.is_idle
        ecr, logs = ecr_backends[self.id][self.region], logs_backends[self.id][self.region]
        return pickle.dumps(
            {
                "time_s": self.clock.time_s,
                "api_keys": self.api_keys,
                "functions": self.functions.functions,
                "metrics": (dict(self.metrics.values), self.metrics.alarms),
                "cloudformation": (self.cloudformation.stacks, self.cloudformation.change_sets),
                "s3": (self.s3.buckets, self.s3.deleted_at),
                "ecr": (ecr.repositories, ecr.tagger),
                "logs": (logs.groups, logs.tagger),
            }
        )

    def restore(self, snapshot: bytes) -> None:
        """Return to a snapshot."""
        state = pickle.loads(snapshot)
        self.clock = Clock()
        self.clock.time_s = state["time_s"]
        self.clock.minute_listeners.append(self._pass_minute)
        self.api_keys, self.functions.functions = state["api_keys"], state["functions"]
        self.metrics.values.clear()
        self.metrics.values.update(state["metrics"][0])
        self.metrics.alarms = state["metrics"][1]
        self.cloudformation.stacks, self.cloudformation.change_sets = state["cloudformation"]
        ecr, logs = ecr_backends[self.id][self.region], logs_backends[self.id][self.region]
        ecr.repositories, ecr.tagger = state["ecr"]
        self.s3.buckets, self.s3.deleted_at = state["s3"]
        logs.groups, logs.tagger = state["logs"]


class _ApiGateway:
    """The calls of API Gateway that need what a stack has made."""

    def __init__(self, account: Account) -> None:
        self.account = account

    def get_api_key(self, apiKey: str, includeValue: bool = False) -> dict[str, Any]:
        if apiKey not in self.account.api_keys:
            raise AwsError("NotFoundException", "Invalid API Key identifier specified", 404)
        properties = self.account.api_keys[apiKey]
        answer = {
            "id": apiKey,
            "name": properties.get("Name", ""),
            "enabled": properties.get("Enabled", False),
        }
        return {**answer, "value": properties["Value"]} if includeValue else answer


class _Sts:
    """The identity that calls."""

    def __init__(self, account: Account) -> None:
        self.account = account

    def get_caller_identity(self) -> dict[str, Any]:
        arn = f"arn:aws:iam::{self.account.id}:user/developer"
        return {"UserId": "AIDAEXAMPLE", "Account": self.account.id, "Arn": arn}
