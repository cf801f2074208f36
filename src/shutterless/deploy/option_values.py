"""Which value each option of a deployment may have: what AWS accepts."""

import json
import re
from collections.abc import Mapping
from typing import Literal, get_args

from shutterless.errors import InputError
from shutterless.runtime.settings import check_records, check_urls, parse_hosts, parse_kept_photos

Auth = Literal["api-key", "none", "iam"]
Front = Literal["rest", "url"]
Page = Literal["on", "off"]
Package = Literal["zip", "image"]
Platform = Literal["linux/amd64", "linux/arm64"]

# Lambda's own limit, and API Gateway's: it waits 29 s for an answer, so the function must give up before.
MAX_TIMEOUT = 900
MAX_REST_TIMEOUT = 28

ARN = r"arn:aws[a-z-]*:{service}:[a-z0-9-]+:\d{{12}}:{resource}"
# name: (pattern, the values that it stands for). All but the stage may also be empty.
PATTERNS = {
    "stage": (r"[A-Za-z0-9_-]{1,128}", "up to 128 letters, digits, hyphens and underscores"),
    "alarm_topic": (
        ARN.format(service="sns", resource=r"[A-Za-z0-9_-]+(\.fifo)?"),
        "the ARN of an SNS topic",
    ),
    "alarm_email": (r"[\w.%+-]{1,64}@([a-zA-Z0-9-]{1,63}\.)+[a-zA-Z]{2,63}", "an e-mail address"),
    "permissions_boundary": (
        r"arn:aws[a-z-]*:iam::(aws|\d{12}):policy/[\w+=,.@/-]+",
        "the ARN of an IAM policy",
    ),
    "role_path": (r"/([\w+=,.@-]+/)*", "a path that starts and ends with a slash, such as /teams/vision/"),
    "log_kms_key": (ARN.format(service="kms", resource="key/[A-Za-z0-9-]+"), "the ARN of a KMS key"),
    "image_kms_key": (ARN.format(service="kms", resource="key/[A-Za-z0-9-]+"), "the ARN of a KMS key"),
    "subnets": (
        r"subnet-[0-9a-f]{8,17}(,subnet-[0-9a-f]{8,17}){0,15}",
        "up to 16 ids, separated by commas: subnet-0a1b2c3d,subnet-4e5f6a7b",
    ),
    "security_groups": (
        r"sg-[0-9a-f]{8,17}(,sg-[0-9a-f]{8,17}){0,4}",
        "up to 5 ids, separated by commas: sg-0a1b2c3d,sg-4e5f6a7b",
    ),
    "domain": (
        r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}",
        "a domain name in lowercase, such as photos.example.com",
    ),
    "certificate": (
        ARN.format(service="acm", resource="certificate/[A-Za-z0-9-]+"),
        "the ARN of a certificate in AWS Certificate Manager",
    ),
    "hosted_zone": (r"Z[A-Z0-9]{1,31}", "the id of a hosted zone in Route 53, such as Z0123456789ABC"),
}
# CloudFormation takes templates of 51,200 bytes. The hosts are in them once more for each release.
MAX_URL_HOSTS_LENGTH = 700
MAX_TAGS_BYTES = 4_000  # as ASCII JSON
# The tag of everything that shutterless creates. Its value is the deployment's name.
TAG = "shutterless"
MAX_TAGS = 49  # AWS takes 50; one of them is ours
TAG_KEY = re.compile(r"(?!aws:)[\w .:/=+@-]{1,128}", re.IGNORECASE)
TAG_VALUE = re.compile(r"[\w .:/=+@-]{0,256}")

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
    "budget": (0, 1_000_000),
}
CHOICES = {
    "front": get_args(Front),
    "auth": get_args(Auth),
    "page": get_args(Page),
    "platform": get_args(Platform),
    "package": get_args(Package),
    "log_days": RETENTION_DAYS,
}


def check_value(name: str, value: object) -> None:
    """Check the value of one option.

    Raises:
        ShutterlessError: AWS would refuse it.
    """
    text = value if isinstance(value, str) else str(value)
    if name in RANGES:
        minimum, maximum = RANGES[name]
        is_valid = isinstance(value, int) and minimum <= value <= maximum
        _require(is_valid, name, value, f"a whole number from {minimum} to {maximum}")
    elif name in CHOICES:
        _require(value in CHOICES[name], name, value, f"one of: {', '.join(map(str, CHOICES[name]))}")
    elif name in PATTERNS:
        pattern, values = PATTERNS[name]
        is_empty = value == "" and name != "stage"
        _require(is_empty or re.fullmatch(pattern, text, re.ASCII), name, value, values)
    elif name == "urls":
        check_urls(text, "--urls")
    elif name == "url_hosts":
        parse_hosts(text, "--url-hosts")
        is_short = text.isascii() and len(text) <= MAX_URL_HOSTS_LENGTH
        _require(is_short, name, f"{text[:20]}...", f"at most {MAX_URL_HOSTS_LENGTH:,} ASCII characters")
    elif name == "records":
        check_records(text, "--records")
    elif name == "keep_photos":
        parse_kept_photos(text, "--keep-photos")
    elif name == "tags":
        _check_tags(value)


def _check_tags(tags: object) -> None:
    pairs = tags if isinstance(tags, Mapping) else {}
    size = len(json.dumps(dict(pairs)))
    _require(
        pairs is tags and len(pairs) <= MAX_TAGS and size <= MAX_TAGS_BYTES,
        "tag",
        f"{len(pairs)} tags of {size:,} bytes",
        f"at most {MAX_TAGS} keys with values, {MAX_TAGS_BYTES:,} bytes together",
    )
    keys = [str(key).casefold() for key in pairs]  # IAM takes no two keys that differ only in case
    for key, value in pairs.items():
        is_free = str(key).casefold() != TAG and keys.count(str(key).casefold()) == 1
        _require(
            is_free and TAG_KEY.fullmatch(str(key)) and TAG_VALUE.fullmatch(str(value)),
            "tag",
            f"{key}={value}",
            "KEY=VALUE, with a key of up to 128 and a value of up to 256 letters, digits, spaces and "
            f"_.:/=+-@, each key once, and neither {TAG} nor one that starts with aws:",
        )


def _require(is_valid: object, name: str, value: object, values: str) -> None:
    if not is_valid:
        raise InputError(
            "invalid-option", f"--{name.replace('_', '-')} cannot be {value!r}", f"Set it to {values}."
        )
