"""The resources of a stack: how each type is created, changed, deleted and read."""

import copy
import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from moto.logs.models import logs_backends

from tests.aws_as_it_is import schemas
from tests.aws_as_it_is.errors import AwsError

if TYPE_CHECKING:
    from tests.aws_as_it_is.account import Account

Properties = dict[str, Any]


@dataclass
class Resource:
    """A resource of a stack.

    Attributes:
        name: Its logical id.
        type: Its type.
        properties: Those it was made with, without functions.
        definition: The part of the template that it was made from.
        id: Its physical id.
        attributes: What `Fn::GetAtt` gives, beside the properties.
        status: Such as `CREATE_COMPLETE`.
        changed_at: When the status last changed.
    """

    name: str
    type: str
    properties: Properties
    definition: dict[str, Any]
    id: str = ""
    attributes: dict[str, str] = field(default_factory=dict)
    status: str = ""
    changed_at: Any = None


class Handler:
    """A type of which only name and attributes matter."""

    def create(self, account: "Account", resource: Resource) -> None:
        """Create it, and set its physical id and attributes."""
        kind, properties = resource.type, resource.properties
        reference = schemas.reference(kind)
        token = account.token(8)
        resource.id = str(properties.get(reference) or f"{resource.name}-{token}")
        service = kind.split("::")[1].lower()
        for path in schemas.read_schema(kind).get("readOnlyProperties", []):
            name = path.split("/")[-1]
            is_arn = name.endswith("Arn")
            resource.attributes[name] = account.arn(service, resource.id) if is_arn else f"{name}-{token}"
        resource.id = resource.attributes.get(reference, resource.id)

    def update(self, account: "Account", resource: Resource, before: Properties) -> None:
        """Change it from `before` to its properties."""

    def delete(self, account: "Account", resource: Resource) -> None:
        """Delete it; that it does not exist is no error."""

    def read(self, account: "Account", resource: Resource) -> Properties | None:
        """Return its properties as they are, None if it does not exist."""
        return resource.properties

    def exists(self, account: "Account", properties: Properties) -> str:
        """Return the identifier if the name in these properties is taken, otherwise an empty string."""
        return ""


class LogGroup(Handler):
    def create(self, account, resource):
        name = resource.properties["LogGroupName"]
        backend = logs_backends[account.id][account.region]
        if name in backend.groups:
            raise AwsError("AlreadyExists", "The specified log group already exists")
        backend.create_log_group(name, {}, RetentionInDays=resource.properties.get("RetentionInDays"))
        resource.id, resource.attributes = name, {"Arn": account.arn("logs", f"log-group:{name}:*")}

    def update(self, account, resource, before):
        group = logs_backends[account.id][account.region].groups[resource.id]
        group.retention_in_days = resource.properties.get("RetentionInDays")

    def delete(self, account, resource):
        logs_backends[account.id][account.region].groups.pop(resource.id, None)

    def read(self, account, resource):
        group = logs_backends[account.id][account.region].groups.get(resource.id)
        return group and {**resource.properties, "RetentionInDays": group.retention_in_days}

    def exists(self, account, properties):
        name = properties.get("LogGroupName", "")
        return name if name in logs_backends[account.id][account.region].groups else ""


class Role(Handler):
    def create(self, account, resource):
        path = resource.properties.get("Path", "/")
        resource.id = resource.properties.get("RoleName") or f"{account.token(8)}-{resource.name}"[:64]
        arn = f"arn:aws:iam::{account.id}:role{path}{resource.id}"
        resource.attributes = {"Arn": arn, "RoleId": f"AROA{account.token(16)}"}


class Function(Handler):
    def create(self, account, resource):
        function = account.functions.create(resource.properties)
        resource.id = function.name
        resource.attributes = {"Arn": account.arn("lambda", f"function:{function.name}")}

    def update(self, account, resource, before):
        account.functions.configure(resource.id, resource.properties)

    def delete(self, account, resource):
        account.functions.functions.pop(resource.id, None)

    def read(self, account, resource):
        function = account.functions.functions.get(resource.id)
        return function and function.config

    def exists(self, account, properties):
        name = properties.get("FunctionName", "")
        return name if name in account.functions.functions else ""


class Version(Handler):
    def create(self, account, resource):
        name = resource.properties["FunctionName"]
        published = account.functions.find(name).published
        version = account.functions.publish(name, resource.properties.get("Description", ""))
        if int(version.number) == published:
            raise AwsError(
                "AlreadyExists",
                f"A version for this Lambda function exists ( {version.number} ). Modify the function to "
                "create a new version.",
            )
        resource.id = account.arn("lambda", f"function:{name}:{version.number}")
        resource.attributes = {"Version": version.number, "FunctionArn": resource.id}

    def delete(self, account, resource):
        name, number = resource.properties["FunctionName"], resource.attributes["Version"]
        function = account.functions.functions.get(name)
        if function and number in function.versions:
            account.functions.delete_version(name, number)

    def read(self, account, resource):
        function = account.functions.functions.get(resource.properties["FunctionName"])
        is_there = function and resource.attributes["Version"] in function.versions
        return resource.properties if is_there else None


class Alias(Handler):
    def create(self, account, resource):
        properties = resource.properties
        function = account.functions.find(properties["FunctionName"])
        if properties["Name"] in function.aliases:
            raise AwsError("AlreadyExists", f"Alias already exists: {properties['Name']}")
        self._put(account, properties)
        resource.id = account.arn("lambda", f"function:{function.name}:{properties['Name']}")
        resource.attributes = {"AliasArn": resource.id}
        if provisioned := _provisioned(properties):
            account.functions.provision(function.name, properties["Name"], provisioned)

    def update(self, account, resource, before):
        properties = resource.properties
        name, alias = properties["FunctionName"], properties["Name"]
        old, new = _provisioned(before), _provisioned(properties)
        if old and not new:
            account.functions.provision(name, alias, 0)
        self._put(account, properties)
        if new != old and new:
            account.functions.provision(name, alias, new)

    def delete(self, account, resource):
        function = account.functions.functions.get(resource.properties["FunctionName"])
        if function:
            function.aliases.pop(resource.properties["Name"], None)

    def read(self, account, resource):
        properties = resource.properties
        function = account.functions.functions.get(properties["FunctionName"])
        alias = function and function.aliases.get(properties["Name"])
        if not alias:
            return None
        weights = [
            {"FunctionVersion": number, "FunctionWeight": weight} for number, weight in alias.weights.items()
        ]
        actual = {**properties, "FunctionVersion": alias.version}
        if "RoutingConfig" in properties:
            actual["RoutingConfig"] = {"AdditionalVersionWeights": weights}
        return actual

    def _put(self, account, properties):
        weights = None
        if "RoutingConfig" in properties:
            shares = properties["RoutingConfig"].get("AdditionalVersionWeights", [])
            weights = {each["FunctionVersion"]: each["FunctionWeight"] for each in shares}
        account.functions.put_alias(
            properties["FunctionName"], properties["Name"], properties["FunctionVersion"], weights
        )


class Url(Handler):
    def create(self, account, resource):
        function = account.functions.find(resource.properties["TargetFunctionArn"])
        host = hashlib.sha256(function.name.encode()).hexdigest()[:32]
        resource.id = account.arn("lambda", f"function:{function.name}")
        if qualifier := resource.properties.get("Qualifier"):
            account.functions.find_alias(function, qualifier)
            resource.id += f":{qualifier}"
        url = f"https://{host}.lambda-url.{account.region}.on.aws/"
        resource.attributes = {"FunctionUrl": url, "FunctionArn": resource.id}


class Permission(Handler):
    def create(self, account, resource):
        super().create(account, resource)
        name = resource.properties["FunctionName"]
        function = account.functions.find(name)
        if (qualifier := name.rpartition(":function:")[2].partition(":")[2]) and qualifier.isalpha():
            account.functions.find_alias(function, qualifier)


class ApiKey(Handler):
    def create(self, account, resource):
        resource.id = account.token(10)
        resource.attributes = {"APIKeyId": resource.id}
        value = resource.properties.get("Value") or account.token(40)
        account.api_keys[resource.id] = {**resource.properties, "Value": value}

    def delete(self, account, resource):
        account.api_keys.pop(resource.id, None)

    def read(self, account, resource):
        return resource.properties if resource.id in account.api_keys else None


class Alarm(Handler):
    def create(self, account, resource):
        name = resource.properties.get("AlarmName") or f"{resource.name}-{account.token(8)}"
        account.metrics.put_alarm(name, resource.properties)
        resource.id = name
        resource.attributes = {"Arn": account.arn("cloudwatch", f"alarm:{name}")}

    def update(self, account, resource, before):
        account.metrics.put_alarm(resource.id, resource.properties)

    def delete(self, account, resource):
        account.metrics.alarms.pop(resource.id, None)

    def read(self, account, resource):
        alarm = account.metrics.alarms.get(resource.id)
        return alarm and alarm.properties

    def exists(self, account, properties):
        name = properties.get("AlarmName", "")
        return name if name in account.metrics.alarms else ""


HANDLERS: dict[str, Handler] = {
    "AWS::Logs::LogGroup": LogGroup(),
    "AWS::IAM::Role": Role(),
    "AWS::Lambda::Function": Function(),
    "AWS::Lambda::Version": Version(),
    "AWS::Lambda::Alias": Alias(),
    "AWS::Lambda::Url": Url(),
    "AWS::Lambda::Permission": Permission(),
    "AWS::ApiGateway::ApiKey": ApiKey(),
    "AWS::CloudWatch::Alarm": Alarm(),
}
DEFAULT = Handler()


def handler(kind: str) -> Handler:
    """Return the handler of a type."""
    return HANDLERS.get(kind, DEFAULT)


def is_replaced(kind: str, before: Properties, after: Properties) -> bool:
    """Tell whether a change of properties makes CloudFormation replace a resource."""
    return any(_member(before, path) != _member(after, path) for path in schemas.create_only(kind))


def name_conflict(resource: Resource, before: Resource | None) -> str:
    """Return why a resource cannot replace the one before: the template gives both the same name."""
    name = resource.properties.get(schemas.reference(resource.type))
    if not before or before.type != resource.type or name is None:
        return ""
    if name != before.properties.get(schemas.reference(resource.type)):
        return ""
    return (
        "CloudFormation cannot update a stack when a custom-named resource requires replacing. "
        f"Rename {name} and update the stack again."
    )


def _member(value: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return copy.deepcopy(value)


def _provisioned(properties: Properties) -> int:
    return int(properties.get("ProvisionedConcurrencyConfig", {}).get("ProvisionedConcurrentExecutions", 0))
