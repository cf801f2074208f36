"""What AWS would only refuse halfway through a deploy: regions, and the limits of the account."""

from dataclasses import dataclass

import boto3
from botocore.exceptions import ClientError

from shutterless.deploy.aws.errors import aws_errors, error_code
from shutterless.deploy.options import Options
from shutterless.errors import DeployError, InputError

# Lambda keeps so many concurrent calls for functions without a reservation; all, if the account has fewer.
MIN_UNRESERVED = 100
# What an account has after its first months. New ones have 10, and at most 3,008 MB of memory:
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
DEFAULT_CONCURRENCY = 1_000
NEW_ACCOUNT_MEMORY = 3_008

# Lambda cannot turn a function's zip into an image, and ECR cannot change a repository's key. Another path
# makes another role, and the published versions, which keep theirs, could not run any more.
FIXED = ("package", "image_kms_key", "role_path")
# Options whose ARN has a region, which has to be that of the deployment.
REGIONAL = ("alarm_topic", "log_kms_key", "image_kms_key", "certificate")
# Regions, and beginnings of regions, that lack something. cfn-lint knows them too, and a test compares.
SPECIAL = ("cn-", "us-gov-", "us-iso", "eu-iso", "eusc-")
WITHOUT_SNAPSTART = (*SPECIAL, "ap-east-2", "ap-southeast-6")
WITHOUT_BUDGETS = (
    *("us-gov-", "af-south-1", "ap-east-1", "ap-east-2", "ap-northeast-3", "ap-south-2", "ap-southeast-3"),
    *("ap-southeast-4", "ap-southeast-5", "ap-southeast-6", "ap-southeast-7", "ca-west-1", "eu-central-2"),
    *("eu-north-1", "eu-south-1", "eu-south-2", "il-central-1", "me-central-1", "mx-central-1"),
)
WITHOUT_URLS = (
    *("us-gov-", "cn-northwest-1", "ap-east-2", "ap-south-2", "ap-southeast-4", "ap-southeast-5"),
    *("ap-southeast-6", "ap-southeast-7", "ca-west-1", "eu-central-2", "il-central-1", "me-central-1"),
    "mx-central-1",
)
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/gpbucketnamespaces.html
WITHOUT_ACCOUNT_BUCKETS = ("me-central-1", "me-south-1")
# Bytes that a new version of a zip function may take of the account's code storage: the function's and the
# version's own copy.
MAX_NEW_CODE = 2 * 50_000_000


@dataclass(frozen=True)
class AccountLimits:
    """What an account's Lambda functions may use together in a region.

    Attributes:
        concurrency: How many calls may run at once.
        unreserved: What of that is left for functions without a reservation.
        code_bytes: The code storage, which all versions of zip functions share; None if unknown.
        free_code_bytes: What is left of it.
    """

    concurrency: int
    unreserved: int
    code_bytes: int | None = None
    free_code_bytes: int | None = None

    def describe(self, options: Options) -> list[str]:
        """Return what a deployment with these options should know of the limits, as lines of text."""
        lines = [f"All functions of the account together may run {self.concurrency:,} calls at once here."]
        if self.concurrency < DEFAULT_CONCURRENCY and options.memory > NEW_ACCOUNT_MEMORY:
            lines.append(
                f"Accounts with that few may also be limited to {NEW_ACCOUNT_MEMORY:,} MB of memory; AWS "
                f"would then refuse --memory {options.memory}. A support case raises both limits."
            )
        return lines


def check_account(session: boto3.Session, options: Options, deployed: Options | None) -> AccountLimits | None:
    """Check options against the region and the account before anything is built.

    Args:
        session: The AWS session.
        options: What is to be deployed.
        deployed: What is deployed, None if nothing is.

    Returns:
        The account's limits, None without the permission lambda:GetAccountSettings.

    Raises:
        ShutterlessError: AWS would refuse an option in this region or account.
    """
    check_region(options, session.region_name)
    for name in FIXED:
        if deployed and getattr(deployed, name) != getattr(options, name):
            raise DeployError(
                "fixed-option",
                f"--{name.replace('_', '-')} cannot be changed after the first deploy",
                f"It is {getattr(deployed, name)!r}. For another one, deploy under another --name, or "
                "destroy this deployment first.",
            )
    limits = read_limits(session)
    if limits:
        _check_concurrency(limits, options, deployed)
        _check_code_storage(limits, options)
    return limits


def check_region(options: Options, region: str) -> None:
    """Check that a region has everything that the options want.

    Raises:
        ShutterlessError: It does not, or an ARN is of another region.
    """
    for name in REGIONAL:
        arn = getattr(options, name)
        if arn and arn.split(":")[3] != region:
            raise InputError(
                "wrong-region",
                f"--{name.replace('_', '-')} is in {arn.split(':')[3]}, but the deployment is in {region}",
                f"Give the ARN of one in {region}.",
            )
    missing = (
        (options.snapstart, WITHOUT_SNAPSTART, "SnapStart", "--no-snapstart"),
        (options.budget, WITHOUT_BUDGETS, "budgets in CloudFormation", "--budget 0"),
        (options.package == "zip", WITHOUT_ACCOUNT_BUCKETS, "buckets of an account's own", "--package image"),
        (options.front == "url", WITHOUT_URLS, "function URLs in CloudFormation", "--front rest"),
    )
    for is_used, regions, feature, alternative in missing:
        if is_used and region.startswith(regions):
            raise InputError(
                "not-in-region",
                f"AWS has no {feature} in {region}",
                f"Use {alternative}, or another --region.",
            )


def read_limits(session: boto3.Session) -> AccountLimits | None:
    """Return the account's limits in the session's region, None if the credentials may not read them."""
    with aws_errors():
        try:
            settings = session.client("lambda").get_account_settings()
        except ClientError as error:
            if error_code(error) == "AccessDeniedException":
                return None
            raise
    limits, usage = settings["AccountLimit"], settings.get("AccountUsage", {})
    code_bytes = limits.get("TotalCodeSize")
    return AccountLimits(
        limits["ConcurrentExecutions"],
        limits["UnreservedConcurrentExecutions"],
        code_bytes,
        code_bytes and code_bytes - usage.get("TotalCodeSize", 0),
    )


def _check_concurrency(limits: AccountLimits, options: Options, deployed: Options | None) -> None:
    own = deployed.reserved_concurrency if deployed else 0  # already taken from what is unreserved
    available = max(0, limits.unreserved + own - min(MIN_UNRESERVED, limits.concurrency))
    name = "reserved_concurrency" if options.reserved_concurrency else "provisioned_concurrency"
    number = getattr(options, name)
    if number > available:
        raise DeployError(
            "account-limit",
            f"--{name.replace('_', '-')} {number} is more than the {available} calls at once that the "
            f"account has left of {limits.concurrency:,}",
            "Lower it, or ask AWS for more: Service Quotas, AWS Lambda, Concurrent executions.",
        )


def _check_code_storage(limits: AccountLimits, options: Options) -> None:
    if options.package != "zip" or limits.code_bytes is None or limits.free_code_bytes is None:
        return
    if limits.free_code_bytes < MAX_NEW_CODE:
        raise DeployError(
            "account-limit",
            f"The account has {max(0, limits.free_code_bytes) / 1e6:,.0f} MB left of its "
            f"{limits.code_bytes / 1024**3:,.0f} GB of code storage, and a new version may need more",
            "Delete functions or versions that are not needed (in the console: Lambda, Dashboard), or use "
            "--package image, which takes none of it.",
        )
