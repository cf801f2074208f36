"""What a deployment can be told, what is permitted, and what each choice costs."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, get_args

from shutterless.errors import InputError, ShutterlessError
from shutterless.runtime.settings import Urls, check_urls, parse_hosts

Auth = Literal["api-key", "none", "iam"]
Platform = Literal["linux/amd64", "linux/arm64"]

# API Gateway waits 29 s for an answer; the function must have given up by then.
GATEWAY_PATIENCE = 29
MAX_TIMEOUT = GATEWAY_PATIENCE - 1

# The longest of the names made from it, `shutterless-NAME` for the function, may have 64 characters. ECR
# takes no double hyphen and no capital.
NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
MAX_NAME = 40
STAGE = re.compile(r"[A-Za-z0-9_-]{1,128}")
TOPIC = re.compile(r"(arn:aws[a-z-]*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]+(\.fifo)?)?")

# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
RETENTION_DAYS = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731),
    *(1096, 1827, 2192, 2557, 2922, 3288, 3653),
)

# name: (least, most). Memory: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html;
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


@dataclass(frozen=True)
class Options:
    """How a bundle is deployed.

    stage: the API's stage, the first part of its paths. memory: MB; 1,769 is one virtual CPU. timeout:
    seconds. platform: of image and function. base_image: what the image is built on; the
    packaging's own if empty. auth: who may call `/predict`. urls, url_hosts: as the
    runtime's settings. rate, burst: requests per second, steady and at once. quota: requests per month
    with the key; 0 is no quota. reserved_concurrency: the most, and the certain, calls at once; 0 reserves
    none. provisioned_concurrency: kept warm; 0 is none. snapstart: start from a snapshot. log_days: how
    long logs are kept. alarm_errors: failed calls in a minute, alarm_p95_ms: milliseconds that 5 % of the
    calls exceed, at which an alarm goes off. alarm_topic: ARN of the SNS topic told of it; may be empty.
    """

    stage: str = "prod"
    memory: int = 1769
    timeout: int = MAX_TIMEOUT
    platform: Platform = "linux/amd64"
    base_image: str = ""
    auth: Auth = "api-key"
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
        for name, (least, most) in RANGES.items():
            if not least <= getattr(self, name) <= most:
                raise _refused(name, getattr(self, name), f"a whole number from {least} to {most}")
        for name, permitted in (("auth", get_args(Auth)), ("platform", get_args(Platform))):
            if getattr(self, name) not in permitted:
                raise _refused(name, getattr(self, name), f"one of: {', '.join(permitted)}")
        if self.log_days not in RETENTION_DAYS:
            raise _refused("log_days", self.log_days, f"one of: {', '.join(map(str, RETENTION_DAYS))}")
        if not STAGE.fullmatch(self.stage):
            raise _refused("stage", self.stage, "up to 128 letters, digits, hyphens and underscores")
        if not TOPIC.fullmatch(self.alarm_topic):
            raise _refused("alarm_topic", self.alarm_topic, "the ARN of an SNS topic")
        check_urls(self.urls, "--urls")
        parse_hosts(self.url_hosts, "--url-hosts")
        if self.snapstart and self.provisioned_concurrency:
            raise InputError(
                "conflicting-options",
                "SnapStart and provisioned concurrency exclude each other at AWS",
                "Give --no-snapstart, or --provisioned-concurrency 0.",
            )

    def changed(self, given: Mapping[str, Any]) -> "Options":
        """Return these options with those of `given` that are not None.

        Raises `ShutterlessError` for a name or a value that is not permitted.
        """
        known = {field.name for field in fields(self)}
        if unknown := sorted(given.keys() - known):
            raise InputError(
                "unknown-option",
                f"There is no option {unknown[0]}",
                f"Known are: {', '.join(sorted(known))}.",
            )
        return replace(self, **{name: value for name, value in given.items() if value is not None})

    def to_json(self) -> dict[str, Any]:
        """Return the options as the template's metadata keeps them."""
        return asdict(self)


def check_name(name: str) -> str:
    """Return `name` if a deployment can be called so; raises `ShutterlessError` if not."""
    if len(name) > MAX_NAME or not NAME.fullmatch(name):
        raise InputError(
            "invalid-name",
            f"{name!r} cannot be a deployment's name",
            f"Use up to {MAX_NAME} small letters, digits and single hyphens, a letter first.",
        )
    return name


def _refused(name: str, value: Any, permitted: str) -> ShutterlessError:
    return InputError("invalid-option", f"--{name.replace('_', '-')} is {value!r}", f"Set it to {permitted}.")
