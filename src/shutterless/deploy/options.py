"""The options of a deployment: what each is for, and how they go together."""

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, TypedDict, TypeVar, get_type_hints

from shutterless.deploy.option_values import (
    MAX_REST_TIMEOUT,
    Auth,
    Front,
    Package,
    Page,
    Platform,
    check_value,
)
from shutterless.errors import InputError
from shutterless.runtime.json_types import JsonObject
from shutterless.runtime.settings import Records, Urls
from shutterless.utils.messages import did_you_mean

Function = TypeVar("Function", bound=Callable[..., object])

# ECR accepts neither capitals nor double hyphens, and Lambda up to 64 characters for `shutterless-NAME`.
NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
MAX_NAME_LENGTH = 40
# The options that a published version of the function freezes, or its image. A rollback brings them back;
# the others belong to the deployment.
VERSIONED = (
    *("memory", "timeout", "platform", "base_image", "urls", "url_hosts", "snapstart"),
    *("subnets", "security_groups", "records", "keep_photos"),
)


# What only an image has.
IMAGE_OPTIONS = ("base_image", "image_kms_key")


class OptionChanges(TypedDict, total=False):
    """Options to change, see `Options`. What is left out, or None, stays as it is deployed."""

    front: Front | None
    stage: str | None
    memory: int | None
    timeout: int | None
    platform: Platform | None
    package: Package | None
    base_image: str | None
    auth: Auth | None
    page: Page | None
    urls: Urls | None
    url_hosts: str | None
    records: Records | None
    keep_photos: str | None
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
    alarm_email: str | None
    budget: int | None
    tags: Mapping[str, str] | None
    permissions_boundary: str | None
    role_path: str | None
    log_kms_key: str | None
    image_kms_key: str | None
    subnets: str | None
    security_groups: str | None
    domain: str | None
    certificate: str | None
    hosted_zone: str | None


@dataclass(frozen=True)
class Options:
    """How a bundle is deployed.

    Attributes:
        front: What receives the requests: an API in API Gateway (`rest`) or the function's own URL (`url`).
        stage: The API's stage, the first part of its paths.
        memory: The function's memory in MB. Its CPU grows with it: 1,769 MB are one virtual CPU.
        timeout: Seconds until the function gives up.
        platform: The platform of the function.
        package: What the function is deployed as: a `zip`, which needs no Docker, or a container `image`. It
            can't be changed after the first deploy.
        base_image: The image to build on; empty for the default.
        auth: Who may call `/predict`: whoever has the API key, anyone (`none`), or an IAM identity (`iam`).
        page: Whether the API has its web page, which anyone can open.
        urls: Which addresses pictures may be fetched from: `public` ones, `any`, or none (`off`).
        url_hosts: The only hosts to fetch pictures from, separated by commas; empty for all.
        records: Whether the log has a record of each picture, with its scores and its embedding.
        keep_photos: Which photos are part of their records: `off`, `refused`, `sample:SHARE`, or
            `refused,sample:SHARE`.
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
        alarm_email: Address that alarms are mailed to once its owner has confirmed it; may be empty.
        budget: Monthly spending in dollars above which `alarm_email` gets a mail; 0 for no budget.
        tags: Tags of the stack, of everything in it and of the repository, beside our own.
        permissions_boundary: ARN of the policy that limits the function's role; may be empty.
        role_path: The IAM path of the function's role; empty for `/`.
        log_kms_key: ARN of the KMS key that encrypts the log; empty for AWS's own encryption.
        image_kms_key: ARN of the KMS key that encrypts the images. It can't be changed once the repository
            exists; empty for AWS's own encryption.
        subnets: The subnets of the function, separated by commas; empty for none, outside of any VPC.
        security_groups: The security groups of the function, separated by commas.
        domain: The API's own domain name; may be empty.
        certificate: ARN of the domain's certificate in AWS Certificate Manager.
        hosted_zone: Id of the domain's hosted zone in Route 53, to have a record made; may be empty.

    Raises:
        ShutterlessError: AWS would refuse a value, or a combination of values.
    """

    front: Front = "rest"
    stage: str = "prod"
    memory: int = 1769
    timeout: int = MAX_REST_TIMEOUT
    platform: Platform = "linux/amd64"
    package: Package = "zip"
    base_image: str = ""
    auth: Auth = "api-key"
    page: Page = "on"
    urls: Urls = "public"
    url_hosts: str = ""
    records: Records = "off"
    keep_photos: str = "off"
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
    alarm_email: str = ""
    budget: int = 0
    tags: Mapping[str, str] = field(default_factory=dict)
    permissions_boundary: str = ""
    role_path: str = ""
    log_kms_key: str = ""
    image_kms_key: str = ""
    subnets: str = ""
    security_groups: str = ""
    domain: str = ""
    certificate: str = ""
    hosted_zone: str = ""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            check_value(name, value)
        self._check_combinations()

    def _check_combinations(self) -> None:
        conflicts = (
            (
                self.package == "zip" and (self.base_image or self.image_kms_key),
                "A zip has neither a base image nor a key of its own to encrypt it with",
                "Use --package image, or set --base-image and --image-kms-key to ''.",
            ),
            (
                self.records == "off" and self.keep_photos not in ("", "off"),
                "Photos are kept in records only",
                "Give --records on too, or set --keep-photos off.",
            ),
            (
                self.snapstart and self.provisioned_concurrency,
                "AWS does not support SnapStart together with provisioned concurrency",
                "Use --no-snapstart or --provisioned-concurrency 0.",
            ),
            (
                0 < self.reserved_concurrency < self.provisioned_concurrency,
                f"{self.provisioned_concurrency} provisioned instances are more than the "
                f"{self.reserved_concurrency} reserved ones",
                "Raise --reserved-concurrency, or lower --provisioned-concurrency.",
            ),
            (
                bool(self.subnets) != bool(self.security_groups),
                "A function in a VPC needs both subnets and security groups",
                "Give --subnets and --security-groups, or leave the VPC by setting both to ''.",
            ),
            (
                bool(self.domain) != bool(self.certificate),
                "A domain needs a certificate, and a certificate is only for a domain",
                "Give --domain and --certificate, or set both to ''.",
            ),
            (
                self.hosted_zone and not self.domain,
                "A hosted zone is only for a domain",
                "Give --domain and --certificate too, or set --hosted-zone ''.",
            ),
            (
                self.budget and not self.alarm_email,
                "A budget needs an address to send its warnings to",
                "Give --alarm-email too, or set --budget 0.",
            ),
        )
        for applies, message, hint in conflicts:
            if applies:
                raise InputError("conflicting-options", message, hint)

    def with_changes(self, changes: OptionChanges) -> "Options":
        """Return the options with some changed; None changes nothing.

        What only an image has makes the package an image, unless a package is asked for.

        Raises:
            ShutterlessError: There is no such option, or AWS would refuse a value.
        """
        check_changes(changes)
        values: dict[str, Any] = {name: value for name, value in changes.items() if value is not None}
        if any(values.get(name) for name in IMAGE_OPTIONS):
            values.setdefault("package", "image")
        return replace(self, **values)

    def to_json(self) -> JsonObject:
        """Return the options as the template's metadata keeps them."""
        return asdict(self)

    def versioned(self) -> JsonObject:
        """Return the options that a version of the function freezes."""
        return {name: getattr(self, name) for name in VERSIONED}


def check_changes(changes: OptionChanges) -> None:
    """Check the values of some options, but not how they go together with those that stay.

    Raises:
        ShutterlessError: There is no such option, or AWS would refuse a value.
    """
    names = [each.name for each in fields(Options)]
    for name, value in changes.items():
        if name not in names:
            raise InputError(
                "unknown-option",
                f"There is no option {name!r}",
                f"{did_you_mean(name, names)}The options are: {', '.join(names)}.",
            )
        if value is not None:
            check_value(name, value)


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
