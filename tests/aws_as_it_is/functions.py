"""AWS Lambda's functions, versions that freeze them, and aliases with weights."""

import copy
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.aws_as_it_is.code import Code, read_code
from tests.aws_as_it_is.errors import AwsError, missing

if TYPE_CHECKING:
    from tests.aws_as_it_is.account import Account

# What a published version does not freeze.
UNVERSIONED = ("ReservedConcurrentExecutions", "Tags", "FunctionName")
DEFAULTS = {"MemorySize": 128, "Timeout": 3, "Architectures": ["x86_64"], "PackageType": "Zip"}
MAX_ENVIRONMENT_BYTES = 4096
LATEST = "$LATEST"


@dataclass
class Version:
    """A version, which never changes. Times are the account's, in seconds."""

    number: str
    config: dict[str, Any]
    code: Code
    description: str
    ready_at: float
    last_call: float
    is_asleep: bool = False
    last_run: float = -math.inf


@dataclass
class Alias:
    """A name for a version, or for two with weights.

    Attributes:
        moved_from: The version whose warm instances Lambda is replacing, until `moving_until`.
    """

    name: str
    version: str
    weights: dict[str, float] = field(default_factory=dict)
    provisioned: int = 0
    moved_from: str = ""
    moving_until: float = 0


@dataclass
class Function:
    """A function."""

    name: str
    config: dict[str, Any]
    code: Code
    ready_at: float
    versions: dict[str, Version] = field(default_factory=dict)
    aliases: dict[str, Alias] = field(default_factory=dict)
    published: int = 0
    url: dict[str, Any] | None = None


class Functions:
    """The Lambda functions of an account."""

    def __init__(self, account: "Account") -> None:
        self.account = account
        self.functions: dict[str, Function] = {}

    def create(self, properties: dict[str, Any]) -> Function:
        name = properties["FunctionName"]
        if name in self.functions:
            raise AwsError("ResourceConflictException", f"Function already exist: {name}", 409)
        config = {**DEFAULTS, **copy.deepcopy(properties)}
        self._check(config)
        code = self._read_code(config)
        self.functions[name] = Function(name, config, code, self._now() + self.account.behaviour.pending_s)
        return self.functions[name]

    def configure(self, name: str, properties: dict[str, Any]) -> None:
        """Replace the configuration of the unpublished function."""
        config = {**DEFAULTS, **copy.deepcopy(properties)}
        self._check(config)
        function = self.find(name)
        if config["PackageType"] != function.config["PackageType"]:
            raise AwsError("InvalidParameterValueException", "Updating PackageType is not supported")
        if config["Code"] != function.config["Code"]:
            function.code = self._read_code(config)
        function.config = config

    def delete(self, name: str) -> None:
        self.find(name)
        del self.functions[name]

    def publish(self, name: str, description: str = "") -> Version:
        """Return a new version, or the last one if nothing has changed since."""
        function = self.find(name)
        last = function.versions.get(str(function.published))
        if last and (last.config, last.code) == (_frozen(function.config), function.code):
            return last
        self._check_storage(function.code)
        function.published += 1
        number, ready_at = str(function.published), self._now() + self.account.behaviour.pending_s
        version = Version(number, _frozen(function.config), function.code, description, ready_at, ready_at)
        function.versions[number] = version
        return version

    def delete_version(self, name: str, number: str) -> None:
        function = self.find(name)
        users = [each.name for each in function.aliases.values() if number in (each.version, *each.weights)]
        if users:
            raise AwsError("ResourceConflictException", f"Version {number} is used by alias {users[0]}", 409)
        self.find_version(function, number)
        del function.versions[number]

    def put_alias(self, name: str, alias: str, version: str, weights: dict[str, float] | None) -> Alias:
        """Create or change an alias; weights that are left out stay as they are."""
        function = self.find(name)
        for number in (version, *(weights or {})):
            self.find_version(function, number)
        result = function.aliases.setdefault(alias, Alias(alias, version))
        if weights and (version in weights or not 0 <= sum(weights.values()) <= 1):
            raise AwsError("InvalidParameterValueException", "Invalid routing config for the alias")
        if weights and result.provisioned:
            raise AwsError(
                "InvalidParameterValueException",
                "Alias with weights can not be used with Provisioned Concurrency",
            )
        if result.provisioned and version != result.version:
            result.moved_from = result.version
            result.moving_until = self._now() + self.account.behaviour.move_s
        result.version = version
        if weights is not None:
            result.weights = dict(weights)
        return result

    def provision(self, name: str, alias: str, number: int) -> None:
        """Set the instances kept warm, 0 for none."""
        function = self.find(name)
        result = self.find_alias(function, alias)
        if number and (result.weights or self._now() < result.moving_until):
            raise AwsError(
                "InvalidParameterValueException",
                "Alias with weights can not be used with Provisioned Concurrency",
            )
        reserved = function.config.get("ReservedConcurrentExecutions")
        if reserved is not None and number > reserved:
            raise AwsError(
                "InvalidParameterValueException",
                "Requested Provisioned Concurrency should not be greater than the "
                "reservedConcurrentExecution for function",
            )
        if number > self.account.limits.concurrency:
            raise AwsError(
                "InvalidParameterValueException",
                "Specified ConcurrentExecutions for function is greater than account's unreserved "
                f"concurrency [{self.account.limits.concurrency}]",
            )
        result.provisioned = number

    def _check(self, config: dict[str, Any]) -> None:
        """Refuse what Lambda refuses."""
        limits = self.account.limits
        if config["MemorySize"] > limits.memory:
            raise AwsError(
                "ValidationException",
                f"'MemorySize' value failed to satisfy constraint: Member must have value less than or equal "
                f"to {limits.memory}",
            )
        variables = config.get("Environment", {}).get("Variables", {})
        if sum(len(f"{key}{value}".encode()) for key, value in variables.items()) > MAX_ENVIRONMENT_BYTES:
            raise AwsError(
                "InvalidParameterValueException",
                "Lambda was unable to configure your environment variables because the environment "
                "variables you have provided exceeded the 4KB limit.",
            )
        reserved = config.get("ReservedConcurrentExecutions")
        if reserved is not None and reserved > limits.concurrency - limits.unreserved:
            raise AwsError(
                "InvalidParameterValueException",
                "Specified ReservedConcurrentExecutions for function decreases account's "
                f"UnreservedConcurrentExecution below its minimum value of [{limits.unreserved}].",
            )

    def _read_code(self, config: dict[str, Any]) -> Code:
        code = read_code(self.account, config)
        self._check_storage(code)
        return code

    def _check_storage(self, code: Code) -> None:
        """Refuse code that takes more than is left of the account's code storage."""
        if self.code_bytes + code.size > self.account.limits.code_storage:
            raise AwsError("CodeStorageExceededException", "Code storage limit exceeded.")

    @property
    def code_bytes(self) -> int:
        """The code storage that all functions take: every version has a copy of its own."""
        functions = self.functions.values()
        codes = [each.code for function in functions for each in (function, *function.versions.values())]
        return sum(code.size for code in codes)

    def find(self, name: str) -> Function:
        """Return the function with this name or ARN."""
        name = name.rpartition(":function:")[2].partition(":")[0]
        if name not in self.functions:
            raise missing(f"Function not found: {self.account.arn('lambda', f'function:{name}')}")
        return self.functions[name]

    def find_version(self, function: Function, number: str) -> Version:
        if number == LATEST:
            return Version(LATEST, function.config, function.code, "", function.ready_at, self._now())
        if number not in function.versions:
            arn = self.account.arn("lambda", f"function:{function.name}:{number}")
            raise missing(f"Function not found: {arn}")
        return function.versions[number]

    def find_alias(self, function: Function, alias: str) -> Alias:
        if alias not in function.aliases:
            arn = self.account.arn("lambda", f"function:{function.name}:{alias}")
            raise missing(f"Cannot find alias arn: {arn}")
        return function.aliases[alias]

    def state(self, version: Version) -> tuple[str, str]:
        """Return the state of a version and the code of its reason."""
        if version.code.image and not self.account.registry.has(version.code.image):
            return "Failed", "ImageDeleted"
        if self._now() < version.ready_at:
            return "Pending", "Creating"
        idle = self._now() - version.last_call
        if version.is_asleep or (version.number != LATEST and idle > self.account.behaviour.idle_s):
            return "Inactive", "Idle"
        return "Active", ""

    def put_to_sleep(self, name: str, number: str) -> None:
        """Make a version inactive, as Lambda does with one that nobody called for weeks."""
        self.find_version(self.find(name), number).is_asleep = True

    def _now(self) -> float:
        return self.account.clock.time_s

    def resolve(self, name: str, qualifier: str | None) -> tuple[Function, Version, str]:
        """Return function, version and what was named: the alias, the version's number or nothing."""
        function = self.find(name)
        qualifier = qualifier or (name.split(":")[7:] or [""])[0]
        if qualifier in function.aliases:
            alias = function.aliases[qualifier]
            number, share = alias.version, self.account.random.random()
            for other, weight in alias.weights.items():
                number, share = (other, 2.0) if share < weight else (number, share - weight)
            return function, self.find_version(function, number), qualifier
        if qualifier and not qualifier.lstrip("$").isalnum():
            raise AwsError("ValidationException", f"Invalid qualifier {qualifier}")
        return function, self.find_version(function, qualifier or LATEST), qualifier


def _frozen(config: dict[str, Any]) -> dict[str, Any]:
    return copy.deepcopy({key: value for key, value in config.items() if key not in UNVERSIONED})
