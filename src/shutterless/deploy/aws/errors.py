"""Every AWS failure that users meet, in words: what is wrong, and what to do about it."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError, WaiterError
from botocore.parsers import ResponseParserError

from shutterless.errors import DeployError, ShutterlessError

SIGN_IN = "Run: aws sso login{profile}, or get new credentials where the old ones came from."
GET_CREDENTIALS = "Run: aws configure sso (or aws configure), or set AWS_PROFILE to a profile that has some."
CHECK_NETWORK = "Check the network, the region's spelling and, if set, AWS_ENDPOINT_URL and HTTPS_PROXY."
QUOTAS = "Ask for more at https://console.aws.amazon.com/servicequotas/home/services/lambda/quotas"
WAIT = "Wait until it has finished (shutterless status {name}), then try again."
DESTROY = "Run: shutterless destroy {name}, then deploy again."
ASK_SUPPORT = "If the reason does not help, AWS support can look it up by the request id."
UNSUPPORTED_MANIFEST = "Lambda refuses the image: its manifest is an index or carries an attestation"
BUILD_PLAIN_IMAGE = (
    "Build it with: shutterless image build, or docker build --provenance=false --platform linux/amd64"
)


class Failure(NamedTuple):
    """One failure: the service's code for it and how its text is recognised, and our words.

    codes: of the service, separated by spaces; empty for any. pattern: searched in the service's text;
    its named groups can be used in `message` and `hint`, as can `profile` and `operation`. The service's
    own code, text and request id always follow the message.
    """

    codes: str
    pattern: str
    message: str
    hint: str


# The first that fits is taken, so the particular stand before the general.
FAILURES = (
    # Who is asking
    Failure(
        "ExpiredToken ExpiredTokenException UnauthorizedException",
        "",
        "The AWS credentials have expired",
        SIGN_IN,
    ),
    Failure(
        "",
        r"(?i)signature (expired|not yet current)|request has expired|request time.*too (large|skewed)",
        "AWS says that this machine's clock is wrong",
        "Set the clock by the network's time (timedatectl set-ntp true), then try again.",
    ),
    Failure(
        "SignatureDoesNotMatch InvalidSignatureException IncompleteSignature",
        "",
        "AWS refuses the secret access key",
        "Copy the access key and its secret anew: aws configure{profile}",
    ),
    Failure(
        "InvalidClientTokenId UnrecognizedClientException AuthFailure InvalidAccessKeyId",
        "",
        "AWS does not know this access key in this region",
        "Was the key deleted? A region to opt into: aws account enable-region --region-name REGION",
    ),
    Failure(
        "OptInRequired SubscriptionRequiredException AccountNotEnabled",
        "",
        "This account has not been opened for that region or service",
        "Enable it in the AWS console (Account, AWS Regions), or choose another --region.",
    ),
    # The image
    Failure(
        "",
        r"(?i)image manifest.*media type.*not supported|not supported.*media type",
        UNSUPPORTED_MANIFEST,
        BUILD_PLAIN_IMAGE,
    ),
    Failure(
        "ImageNotFoundException",
        "",
        "The image is not in the registry",
        "Deploy again: it pushes what is missing.",
    ),
    Failure(
        "",
        r"(?i)source image .* (does not exist|is not valid)",
        "Lambda cannot find the image in the registry",
        "Deploy again: it pushes what is missing.",
    ),
    Failure(
        "",
        r"(?i)Lambda does not have permission to access the ECR image",
        "Lambda may not read the image from the registry",
        "Registry and function must be in one region and account; the deploying user needs "
        "ecr:SetRepositoryPolicy and ecr:GetRepositoryPolicy.",
    ),
    # What he may not do
    Failure(
        "",
        r"(?s)not authorized to perform: (?P<action>[\w-]+:\w+)(?: on resource: (?P<resource>\S+))?",
        "These AWS credentials may not do {action}{on}",
        "Ask the account's administrator for {action}; docs/aws.md has the whole policy.",
    ),
    Failure(
        "AccessDenied AccessDeniedException ForbiddenException UnauthorizedOperation",
        "",
        "These AWS credentials may not do {operation}",
        "Ask the account's administrator for it; docs/aws.md has the whole policy.",
    ),
    # What the account may not have
    Failure(
        "",
        r"UnreservedConcurrentExecution.* below its minimum value of \[?(?P<least>\d+)",
        "The account has too few concurrent executions to reserve so many: {least} must stay free",
        f"Deploy without reserved concurrency. {QUOTAS}",
    ),
    Failure(
        "",
        r"(?i)MemorySize.*less than or equal to (?P<most>\d+)",
        "This account's functions may have at most {most} MB of memory",
        f"Deploy with --memory {{most}} or less; new accounts are held to 3,008 MB. {QUOTAS}",
    ),
    Failure(
        "CodeStorageExceededException",
        "",
        "The account's storage for Lambda code is full",
        f"Delete functions or versions that nothing uses. {QUOTAS}",
    ),
    Failure(
        "TooManyRequestsException Throttling ThrottlingException RequestLimitExceeded SlowDown",
        r"(?i)(concurren|ReservedFunctionConcurrent|ConcurrentInvocation)",
        "All of the account's concurrent executions are in use",
        f"Try again later. {QUOTAS}",
    ),
    Failure(
        "LimitExceededException LimitExceeded ServiceQuotaExceededException TooManyStacksException",
        "",
        "A quota of this AWS account is used up",
        "Delete what nothing uses, or ask for more: https://console.aws.amazon.com/servicequotas",
    ),
    Failure(
        "Throttling ThrottlingException TooManyRequestsException RequestLimitExceeded SlowDown "
        "RequestThrottled RequestThrottledException",
        "",
        "AWS asks for fewer requests at a time",
        "Wait a minute, then run the same command again: it goes on where it stopped.",
    ),
    # Names
    Failure(
        "",
        r"Stack with id (?P<stack>\S+) does not exist",
        "There is no stack {stack} in this region",
        "Check the name and --region; aws cloudformation list-stacks shows what there is.",
    ),
    Failure(
        "ResourceConflictException ConflictException",
        r"(?i)in progress|following state: Pending|concurrent modification",
        "It is still being changed",
        "Wait a moment, then run the same command again.",
    ),
    Failure(
        "AlreadyExistsException RepositoryAlreadyExistsException ResourceConflictException "
        "EntityAlreadyExists ConflictException ResourceAlreadyExistsException",
        "",
        "The name is taken",
        "Choose another --name, or delete the other one if nothing uses it.",
    ),
    Failure(
        "",
        r"\S+ already exists",
        "The name is taken",
        "Choose another --name, or delete the other one if nothing uses it.",
    ),
    Failure(
        "InsufficientCapabilitiesException",
        "",
        "CloudFormation was not allowed to make the function's role",
        "This is a fault of shutterless: please report it.",
    ),
    # Everything that may go by itself
    Failure(
        "ServiceUnavailable ServiceUnavailableException InternalFailure InternalError "
        "ServiceException ServerException InternalServerError",
        "",
        "AWS has a fault of its own",
        "Try again in a minute; https://health.aws.amazon.com/health/status shows wider faults.",
    ),
)

# What botocore raises before or without an answer of a service; {…} are the error's own fields.
WITHOUT_ANSWER = {
    "NoCredentialsError": ("There are no AWS credentials", GET_CREDENTIALS),
    "NoAuthTokenError": ("There are no AWS credentials", GET_CREDENTIALS),
    "PartialCredentialsError": ("The AWS credentials lack {cred_var}", GET_CREDENTIALS),
    "CredentialRetrievalError": ("The AWS credentials cannot be had from {provider}: {error_msg}", SIGN_IN),
    "SSOError": ("The AWS sign-in has expired", SIGN_IN),
    "TokenRetrievalError": ("The AWS sign-in has expired", SIGN_IN),
    "LoginError": ("The AWS sign-in has expired", "Run: aws login{profile}"),
    "ProfileNotFound": (
        "There is no AWS profile {profile}",
        "List them with: aws configure list-profiles; then set --profile or AWS_PROFILE.",
    ),
    "ConfigParseError": ("The AWS configuration {path} cannot be read", "Mend that file, or move it away."),
    "NoRegionError": ("No AWS region is set", "Give --region, for example --region eu-central-1."),
    "InvalidRegionError": ("{region_name} is no AWS region", "Give one like --region eu-central-1."),
    "ServiceNotInRegionError": (
        "{region_name} does not have the service {service_name}",
        "Choose another --region.",
    ),
    "UnknownEndpointError": (
        "{region_name} does not have the service {service_name}",
        "Choose another --region.",
    ),
    "EndpointConnectionError": ("AWS cannot be reached at {endpoint_url}", CHECK_NETWORK),
    "ConnectTimeoutError": ("AWS does not answer at {endpoint_url}", CHECK_NETWORK),
    "ReadTimeoutError": ("AWS does not answer at {endpoint_url}", "Run the same command again."),
    "ConnectionClosedError": ("AWS closed the connection to {endpoint_url}", "Run the same command again."),
    "ProxyConnectionError": ("The proxy {proxy_url} does not let us through", "Check HTTPS_PROXY."),
    "SSLError": (
        "The connection to {endpoint_url} is not trusted: {error}",
        "Behind a company's proxy set AWS_CA_BUNDLE to its certificate.",
    ),
}

IN_STATE = re.compile(r"stack/(?P<stack>[\w-]+)/\S+ is in (?P<status>[A-Z_]+) state", re.IGNORECASE)
# The states in which CloudFormation takes no update, and the way out of each.
STUCK = {
    "CREATE_FAILED": DESTROY,
    "ROLLBACK_COMPLETE": DESTROY,
    "ROLLBACK_FAILED": DESTROY,
    "DELETE_FAILED": "Run: shutterless destroy {name} once more; if a resource will not go, the stack's page "
    "in the AWS console says which and why.",
    "UPDATE_ROLLBACK_FAILED": "Run: aws cloudformation continue-update-rollback --stack-name {stack}, "
    "then try again.",
}


@contextmanager
def aws_errors(profile: str | None = None) -> Iterator[None]:
    """Turn what boto3 raises into a `ShutterlessError` in words; every call of AWS stands inside one."""
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise explain(error, profile) from error
    except ResponseParserError as error:
        raise DeployError(
            "not-aws",
            "What answered in place of AWS is no answer of AWS",
            "Check AWS_ENDPOINT_URL and HTTPS_PROXY, and whether this network wants a login in the browser.",
        ) from error


def error_code(error: ClientError) -> str:
    """Return the service's code of an error, for those who handle one themselves."""
    return str(error.response.get("Error", {}).get("Code", ""))


def explain(error: BotoCoreError | ClientError, profile: str | None = None) -> ShutterlessError:
    """Return the words for what botocore raised, with the service's code, text and request id."""
    profile = profile or os.environ.get("AWS_PROFILE")
    option = f" --profile {profile}" if profile else ""
    if isinstance(error, ClientError):
        return _of_service(error, option)
    if isinstance(error, WaiterError) and "Error" in error.last_response:
        return _of_service(ClientError(error.last_response, error.kwargs["name"]), option)
    for family in type(error).__mro__:
        if family.__name__ in WITHOUT_ANSWER:
            message, hint = WITHOUT_ANSWER[family.__name__]
            fields = _Fields({"profile": option, **error.kwargs})
            return DeployError("aws-unreachable", message.format_map(fields), hint.format_map(fields))
    return DeployError("aws-error", f"AWS: {_one_line(str(error))}")


def explain_reason(text: str, otherwise: ShutterlessError | None = None) -> ShutterlessError:
    """Return the words for a reason given as text, as the events of a CloudFormation stack give it.

    otherwise: the error for a reason that AWS is not known to give; by default one that quotes it.
    """
    code = re.search(r"Error Code: (\w+)|HandlerErrorCode: (\w+)", text)
    explained = _recognise(code[1] or code[2] if code else "", text, {})
    if explained is None and otherwise is not None:
        return otherwise
    return _quoting(_one_line(text), explained)


def unsupported_manifest(media_type: str) -> ShutterlessError:
    """Return the error for an image whose manifest Lambda would refuse, before Lambda sees it."""
    return DeployError("unsupported-manifest", f"{UNSUPPORTED_MANIFEST} ({media_type})", BUILD_PLAIN_IMAGE)


def stuck(stack: str, status: str) -> ShutterlessError | None:
    """Return why a stack in this status takes no change and the way out, or None if it takes one."""
    name = stack.removeprefix("shutterless-")
    if status.endswith("_IN_PROGRESS") and status != "REVIEW_IN_PROGRESS":
        return DeployError(
            "stack-busy", f"The stack {stack} is being changed ({status})", WAIT.format(name=name)
        )
    if status in STUCK:
        hint = STUCK[status].format(name=name, stack=stack)
        return DeployError("stack-stuck", f"The stack {stack} is stuck in {status}", hint)
    return None


class _Fields(dict[str, Any]):
    """Fields of an error, of which botocore does not always give all."""

    def __missing__(self, name: str) -> str:
        return "(not said)"


def _of_service(error: ClientError, profile: str) -> ShutterlessError:
    answer = error.response.get("Error", {})
    code, text = error_code(error), _one_line(answer.get("Message") or "no reason given")
    request_id = error.response.get("ResponseMetadata", {}).get("RequestId", "none")
    explained = _recognise(code, text, {"profile": profile, "operation": error.operation_name})
    refused = explained or DeployError("aws-error", f"AWS refused {error.operation_name}", ASK_SUPPORT)
    return _quoting(f"{code}: {text} (request {request_id})", refused)


def _quoting(answer: str, explained: ShutterlessError | None) -> ShutterlessError:
    """Return our words followed by AWS's answer, which support and search engines ask for."""
    if explained is None:
        return DeployError("aws-error", f"AWS says: {answer}")
    return DeployError(explained.code, f"{explained.message}. AWS says: {answer}", explained.hint)


def _recognise(code: str, text: str, fields: dict[str, Any]) -> ShutterlessError | None:
    if state := IN_STATE.search(text):
        return stuck(state["stack"], state["status"])
    for failure in FAILURES:
        match = re.search(failure.pattern, text)
        if not match or (failure.codes and code not in failure.codes.split()):
            continue
        groups = {name: value or "" for name, value in match.groupdict().items()}
        on = f" on {groups['resource']}" if groups.get("resource") else ""
        values = _Fields({"profile": "", **fields, **groups, "on": on})
        return DeployError("aws-error", failure.message.format_map(values), failure.hint.format_map(values))
    return None


def _one_line(text: str) -> str:
    return " ".join(text.split()).removesuffix(".")
