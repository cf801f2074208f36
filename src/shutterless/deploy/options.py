"""The options of a deployment: what each is for, and which values AWS accepts."""

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, TypedDict, TypeVar, get_args, get_type_hints

from shutterless.errors import InputError
from shutterless.runtime.json_types import JsonObject
from shutterless.runtime.settings import Urls, check_urls, parse_hosts
from shutterless.utils.messages import did_you_mean

Auth = Literal["api-key", "none", "iam"]
Front = Literal["rest", "url"]
Page = Literal["on", "off"]
Platform = Literal["linux/amd64", "linux/arm64"]
Function = TypeVar("Function", bound=Callable[..., object])

# Lambda's own limit, and API Gateway's: it waits 29 s for an answer, so the function must give up before.
MAX_TIMEOUT = 900
MAX_REST_TIMEOUT = 28

# ECR accepts neither capitals nor double hyphens, and Lambda up to 64 characters for `shutterless-NAME`.
NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
MAX_NAME_LENGTH = 40
STAGE = re.compile(r"[A-Za-z0-9_-]{1,128}")
TOPIC = re.compile(r"(arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]+(\.fifo)?)?")

# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
RETENTION_DAYS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731),
    *(1096, 1827, 2192, 2557, 2922, 3288, 3653),
)

# name: (minimum, maximum). Memory: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html;
# the rates are API Gateway's own quotas for an account.
RANGES = {
    "memory": (128, 10_240),
    "timeout": (1, MAX_TIMEOUT),
    "rate": (1, 10_000),
    "burst": (1, 5_000),
    "quota": (0, 1_000_000_000),
    "reserved_concurrency": (0, 10_000),
    "provisioned_concurrency": (0, 10_000),
    "alarm_errors": (1, 1_000_000),
    "alarm_p95_ms": (1, MAX_TIMEOUT * 1000),
}

# The options that a published version of the function freezes, or its image. A rollback brings them back;
# the others belong to the deployment.
VERSIONED = ("memory", "timeout", "platform", "base_image", "urls", "url_hosts", "snapstart")


class OptionChanges(TypedDict, total=False):
    """Options to change, see `Options`. What is left out, or None, stays as it is deployed."""

    front: Front | None
    stage: str | None
    memory: int | None
    timeout: int | None
    platform: Platform | None
    base_image: str | None
    auth: Auth | None
    page: Page | None
    urls: Urls | None
    url_hosts: str | None
    rate: int | None
    burst: int | None
    quota: int | None
    reserved_concurrency: int | None
    provisioned_concurrency: int | None
    snapstart: bool | None
    log_days: int | None
    alarm_errors: int | None
    alarm_p95_ms: int | None
    alarm_topic: str | None


@dataclass(frozen=True)
class Options:
    """How a bundle is deployed.

    Attributes:
        front: What receives the requests: an API in API Gateway (`rest`) or the function's own URL (`url`).
        stage: The API's stage, the first part of its paths.
        memory: The function's memory in MB. Its CPU grows with it: 1,769 MB are one virtual CPU.
        timeout: Seconds until the function gives up.
        platform: The platform of image and function.
        base_image: The image to build on; empty for the default.
        auth: Who may call `/predict`: whoever has the API key, anyone (`none`), or an IAM identity (`iam`).
        page: Whether the API has its web page, which anyone can open.
        urls: Which addresses pictures may be fetched from: `public` ones, `any`, or none (`off`).
        url_hosts: The only hosts to fetch pictures from, separated by commas; empty for all.
        rate: Requests per second that the API accepts.
        burst: Requests that the API accepts at once.
        quota: Requests per month and API key; 0 for unlimited.
        reserved_concurrency: How many calls may run at once, reserved for this function; 0 for no limit.
        provisioned_concurrency: The number of instances kept warm.
        snapstart: Whether the function starts from a snapshot.
        log_days: Days that logs are kept.
        alarm_errors: Failed calls within a minute that set off an alarm.
        alarm_p95_ms: The 95th percentile of the duration, in ms, above which an alarm goes off.
        alarm_topic: ARN of the SNS topic that alarms are sent to; may be empty.

    Raises:
        ShutterlessError: AWS would refuse a value, or a combination of values.
    """

    front: Front = "rest"
    stage: str = "prod"
    memory: int = 1769
    timeout: int = MAX_REST_TIMEOUT
    platform: Platform = "linux/amd64"
    base_image: str = ""
    auth: Auth = "api-key"
    page: Page = "on"
    urls: Urls = "public"
    url_hosts: str = ""
    rate: int = 10
    burst: int = 20
    quota: int = 100_000
    reserved_concurrency: int = 0
    provisioned_concurrency: int = 0
    snapstart: bool = False
    log_days: int = 30
    alarm_errors: int = 1
    alarm_p95_ms: int = 5_000
    alarm_topic: str = ""

    def __post_init__(self) -> None:
        for name, (minimum, maximum) in RANGES.items():
            self._require(
                name,
                minimum <= getattr(self, name) <= maximum,
                f"a whole number from {minimum} to {maximum}",
            )
        for name, choices in (("front", Front), ("auth", Auth), ("page", Page), ("platform", Platform)):
            values = get_args(choices)
            self._require(name, getattr(self, name) in values, f"one of: {', '.join(values)}")
        days = ", ".join(map(str, RETENTION_DAYS))
        self._require("log_days", self.log_days in RETENTION_DAYS, f"one of: {days}")
        is_stage, is_topic = STAGE.fullmatch(self.stage), TOPIC.fullmatch(self.alarm_topic)
        self._require("stage", is_stage, "up to 128 letters, digits, hyphens and underscores")
        self._require("alarm_topic", is_topic, "the ARN of an SNS topic")
        check_urls(self.urls, "--urls")
        parse_hosts(self.url_hosts, "--url-hosts")
        if self.snapstart and self.provisioned_concurrency:
            raise InputError(
                "conflicting-options",
                "AWS does not support SnapStart together with provisioned concurrency",
                "Use --no-snapstart or --provisioned-concurrency 0.",
            )

    def _require(self, name: str, is_valid: object, values: str) -> None:
        if not is_valid:
            raise InputError(
                "invalid-option",
                f"--{name.replace('_', '-')} cannot be {getattr(self, name)!r}",
                f"Set it to {values}.",
            )

    def with_changes(self, changes: OptionChanges) -> "Options":
        """Return the options with some changed; None changes nothing.

        Raises:
            ShutterlessError: There is no such option, or AWS would refuse a value.
        """
        names = [field.name for field in fields(self)]
        values: Mapping[str, Any] = changes
        if unknown := [name for name in values if name not in names]:
            suggestion = did_you_mean(unknown[0], names)
            raise InputError(
                "unknown-option",
                f"There is no option {unknown[0]!r}",
                f"{suggestion}The options are: {', '.join(names)}.",
            )
        return replace(self, **{name: value for name, value in values.items() if value is not None})

    def to_json(self) -> JsonObject:
        """Return the options as the template's metadata keeps them."""
        return asdict(self)

    def versioned(self) -> JsonObject:
        """Return the options that a version of the function freezes."""
        return {name: getattr(self, name) for name in VERSIONED}


def lists_options(function: Function) -> Function:
    """Make help() and notebooks list the options that a function takes as `**options`."""
    signature = inspect.signature(function)
    parameters = [each for each in signature.parameters.values() if each.kind is not each.VAR_KEYWORD]
    options = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=type_hint)
        for name, type_hint in get_type_hints(OptionChanges).items()
    ]
    vars(function)["__signature__"] = signature.replace(parameters=[*parameters, *options])
    return function


def check_name(name: str) -> str:
    """Return `name` if it can be the name of a deployment.

    Raises:
        ShutterlessError: It cannot.
    """
    if len(name) > MAX_NAME_LENGTH or not NAME.fullmatch(name):
        raise InputError(
            "invalid-name",
            f"{name!r} cannot be the name of a deployment",
            f"Use up to {MAX_NAME_LENGTH} lowercase letters, digits and single hyphens, "
            "starting with a letter.",
        )
    return name
