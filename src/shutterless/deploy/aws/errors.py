"""AWS's errors as `DeployError`s: a code for each common cause, and always AWS's own text."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from botocore.exceptions import BotoCoreError, ClientError, WaiterError
from botocore.parsers import ResponseParserError

from shutterless.deploy.aws.cloudformation.states import stack_problem
from shutterless.errors import DeployError


class Cause(NamedTuple):
    """A cause that users can do something about.

    Attributes:
        names: Codes of AWS's services and exceptions of botocore, separated by spaces.
        error: The error for it, to which AWS's text is added. In its hint, `{profile}` becomes
            ` --profile NAME` if a profile is in use.
        pattern: Found in AWS's text if AWS has no code of its own for it; empty for none.
    """

    names: str
    error: DeployError
    pattern: str = ""


CAUSES = (
    Cause(
        "ExpiredToken ExpiredTokenException UnauthorizedException SSOError TokenRetrievalError LoginError",
        DeployError(
            "expired-credentials",
            "The AWS credentials have expired",
            "Run: aws sso login{profile} or aws login{profile}, or get new credentials as you got these.",
        ),
    ),
    Cause(
        "NoCredentialsError NoAuthTokenError PartialCredentialsError CredentialRetrievalError",
        DeployError(
            "no-credentials",
            "There are no AWS credentials",
            "Run: aws configure sso (or aws configure), or set AWS_PROFILE to a profile that has some.",
        ),
    ),
    Cause(
        "InvalidClientTokenId UnrecognizedClientException InvalidAccessKeyId InvalidCredentials AuthFailure "
        "SignatureDoesNotMatch InvalidSignatureException IncompleteSignature RequestExpired "
        "RequestTimeTooSkewed",
        DeployError(
            "invalid-credentials",
            "AWS does not accept the credentials",
            "Check the access key (aws configure{profile}), this machine's clock, and that the account has "
            "the region enabled.",
        ),
    ),
    Cause(
        "ProfileNotFound",
        DeployError(
            "unknown-profile",
            "There is no such AWS profile",
            "List the profiles with: aws configure list-profiles; then set --profile or AWS_PROFILE.",
        ),
    ),
    Cause(
        "NoRegionError",
        DeployError(
            "no-region",
            "No AWS region is set",
            "Give --region, for example --region eu-central-1, or set AWS_REGION or AWS_DEFAULT_REGION.",
        ),
    ),
    Cause(
        "InvalidRegionError UnknownEndpointError ServiceNotInRegionError OptInRequired "
        "SubscriptionRequiredException AccountNotEnabled",
        DeployError(
            "invalid-region",
            "The AWS region cannot be used",
            "Choose another --region, or enable this one in the AWS console (Account, AWS Regions).",
        ),
    ),
    Cause(
        "HTTPClientError ConnectionError",
        DeployError(
            "aws-unreachable",
            "AWS cannot be reached",
            "Check the network, the region's spelling and, if set, AWS_ENDPOINT_URL and HTTPS_PROXY. If a "
            "proxy has its own certificate, set AWS_CA_BUNDLE to it.",
        ),
    ),
    Cause(
        "403 AccessDenied AccessDeniedException ForbiddenException UnauthorizedOperation",
        DeployError(
            "access-denied",
            "The AWS credentials lack a permission",
            "Ask the account's administrator for it; shutterless deploy --policy prints all that are needed.",
        ),
        "not authorized to perform",
    ),
    Cause(
        "",
        DeployError(
            "concurrency-moving",
            "Lambda still moves the provisioned concurrency to another version",
            "Wait some minutes, then run the same command again.",
        ),
        "Alias with weights can not be used with Provisioned Concurrency",
    ),
    Cause(
        "Throttling ThrottlingException TooManyRequestsException RequestLimitExceeded RequestThrottled "
        "RequestThrottledException SlowDown",
        DeployError(
            "throttled",
            "AWS receives too many requests",
            "Wait a minute, then run the same command again: it continues where it stopped.",
        ),
    ),
    Cause(
        "AlreadyExists AlreadyExistsException EntityAlreadyExists RepositoryAlreadyExistsException "
        "ResourceAlreadyExistsException",
        DeployError(
            "name-taken",
            "The name is taken",
            "Choose another --name, or delete the other resource if nothing uses it.",
        ),
        r"already exists?\b",
    ),
)

ASK_SUPPORT = "If the text does not help, AWS support can look up the request by its number."
IN_STATE = re.compile(r"stack/(?P<stack>[\w-]+)/\S+ is in (?P<status>[A-Z_]+) state", re.IGNORECASE)


@contextmanager
def aws_errors(profile: str | None = None) -> Iterator[None]:
    """Turn boto3's exceptions into `DeployError`s. Every call of AWS is made within this context.

    Args:
        profile: The AWS profile in use, for the hints.
    """
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise explain(error, profile) from error
    except ResponseParserError as error:
        raise DeployError(
            "not-aws",
            "The answer did not come from AWS",
            "Check AWS_ENDPOINT_URL and HTTPS_PROXY, and whether this network wants a login in the browser.",
        ) from error


def error_code(error: ClientError) -> str:
    """Return AWS's code of an error."""
    return str(error.response.get("Error", {}).get("Code", ""))


def explain(error: BotoCoreError | ClientError, profile: str | None = None) -> DeployError:
    """Return the `DeployError` for an exception of botocore.

    Args:
        error: What botocore raised.
        profile: The AWS profile in use, for the hints; by default that of AWS_PROFILE.
    """
    profile = profile or os.environ.get("AWS_PROFILE")
    option = f" --profile {profile}" if profile else ""
    if isinstance(error, WaiterError) and "Error" in error.last_response:
        error = ClientError(error.last_response, error.kwargs["name"])
    if not isinstance(error, ClientError):
        return _classify([family.__name__ for family in type(error).__mro__], str(error), option)
    aws_code = error_code(error)
    request_id = error.response.get("ResponseMetadata", {}).get("RequestId", "")
    return _classify([aws_code], str(error), option, aws_code, request_id)


def explain_reason(text: str) -> DeployError:
    """Return the error for a reason that AWS gives as text, as in the events of a CloudFormation stack."""
    code = re.search(r"(?:Error Code|HandlerErrorCode): (\w+)", text)
    aws_code = code[1] if code else ""
    return _classify([aws_code], text, aws_code=aws_code)


def explain_failure(resource: str, reason: str, default: DeployError) -> DeployError:
    """Return the error for a resource of a stack that failed.

    Args:
        resource: Its logical id.
        reason: AWS's reason.
        default: The error for a reason without a code of ours. AWS's reason is added to it.
    """
    error = explain_reason(reason)
    if error.code == "aws-error":
        message = f"{default.message}. {resource}: {_one_line(reason)}"
        return DeployError(default.code, message, default.hint, aws_code=error.aws_code)
    return DeployError(error.code, f"{resource}: {error.message}", error.hint, aws_code=error.aws_code)


def _classify(
    names: list[str], text: str, option: str = "", aws_code: str = "", request_id: str = ""
) -> DeployError:
    """Return the error of the first cause that matches, followed by AWS's own text."""
    words = f"{_one_line(text)} (request {request_id})" if request_id else _one_line(text)
    state = IN_STATE.search(text)
    error = stack_problem(state["stack"], state["status"]) if state else None
    for cause in CAUSES:
        is_named = not set(names).isdisjoint(cause.names.split())
        if error is None and (is_named or (cause.pattern and re.search(cause.pattern, text))):
            error = cause.error
    if error is None:
        hint = ASK_SUPPORT if request_id else ""
        return DeployError(
            "aws-error", f"AWS reports: {words}", hint, aws_code=aws_code, request_id=request_id
        )
    hint = error.hint.format(profile=option)
    return DeployError(
        error.code, f"{error.message}: {words}", hint, aws_code=aws_code, request_id=request_id
    )


def _one_line(text: str) -> str:
    return " ".join(text.split()).removesuffix(".")
