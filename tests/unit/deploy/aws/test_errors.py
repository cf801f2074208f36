"""AWS's answers, each with our code for it; the texts are the services' own."""

import boto3
import pytest
from botocore import exceptions
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError
from botocore.stub import Stubber

from shutterless.deploy.aws.errors import CAUSES, aws_errors, explain, explain_reason
from shutterless.errors import DeployError

ROLE = "arn:aws:sts::123456789012:assumed-role/dev/anna"
STACK = "arn:aws:cloudformation:us-east-1:123456789012:stack/shutterless-clothes/0a1b"

# (AWS's code, AWS's text, our code)
ANSWERS = [
    (
        "InvalidParameterValueException",
        "Alias with weights can not be used with Provisioned Concurrency",
        "concurrency-moving",
    ),
    ("ExpiredToken", "The security token included in the request is expired", "expired-credentials"),
    (
        "SignatureDoesNotMatch",
        "Signature expired: 20261125T001500Z is now earlier than 20261125T101500Z",
        "invalid-credentials",
    ),
    ("RequestExpired", "Request has expired.", "invalid-credentials"),
    (
        "SignatureDoesNotMatch",
        "The request signature we calculated does not match the signature you provided.",
        "invalid-credentials",
    ),
    (
        "InvalidClientTokenId",
        "The security token included in the request is invalid.",
        "invalid-credentials",
    ),
    ("OptInRequired", "You are not subscribed to this service.", "invalid-region"),
    (
        "AccessDeniedException",
        f"User: {ROLE} is not authorized to perform: ecr:CreateRepository on resource: "
        "arn:aws:ecr:us-east-1:123456789012:repository/shutterless/clothes because no identity-based policy "
        "allows the ecr:CreateRepository action",
        "access-denied",
    ),
    (
        "ValidationError",
        f"User: {ROLE} is not authorized to perform: cloudformation:CreateChangeSet",
        "access-denied",
    ),
    ("AccessDenied", "Access denied by the key's policy", "access-denied"),
    ("ForbiddenException", "No access", "access-denied"),
    (
        "AccessDeniedException",
        "Lambda does not have permission to access the ECR image. Check the ECR permissions.",
        "access-denied",
    ),
    ("Throttling", "Rate exceeded", "throttled"),
    ("TooManyRequestsException", "Rate Exceeded: ConcurrentInvocationLimitExceeded", "throttled"),
    ("ResourceConflictException", "Function already exist: shutterless-clothes", "name-taken"),
    (
        "RepositoryAlreadyExistsException",
        "The repository with name 'shutterless/clothes' is already there",
        "name-taken",
    ),
    (
        "ValidationError",
        f"Stack:{STACK} is in ROLLBACK_COMPLETE state and can not be updated.",
        "stack-stuck",
    ),
    (
        "ValidationError",
        f"Stack:{STACK} is in UPDATE_IN_PROGRESS state and can not be updated.",
        "stack-busy",
    ),
    ("ValidationError", "Stack with id shutterless-clothes does not exist", "aws-error"),
    (
        "ResourceConflictException",
        "The operation cannot be performed at this time. An update is in progress for resource: arn:x",
        "aws-error",
    ),
    ("CodeStorageExceededException", "Code storage limit exceeded.", "aws-error"),
    ("LimitExceededException", "Limit for stack has been exceeded.", "aws-error"),
    ("ServiceUnavailable", "Service is unavailable", "aws-error"),
    ("StrangeException", "A {curly}\nreason.", "aws-error"),
]

# (what botocore raises without an answer of AWS, our code, a name in its text)
WITHOUT_ANSWER = [
    (exceptions.NoCredentialsError(), "no-credentials", "credentials"),
    (
        exceptions.PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"),
        "no-credentials",
        "AWS_SECRET_ACCESS_KEY",
    ),
    (
        exceptions.CredentialRetrievalError(provider="custom-process", error_msg="exit 1"),
        "no-credentials",
        "custom-process",
    ),
    (
        exceptions.SSOTokenLoadError(error_msg="Token for x does not exist"),
        "expired-credentials",
        "Token for x does not exist",
    ),
    (exceptions.UnauthorizedSSOTokenError(), "expired-credentials", "SSO"),
    (
        exceptions.TokenRetrievalError(provider="sso", error_msg="Token has expired and refresh failed"),
        "expired-credentials",
        "refresh failed",
    ),
    (exceptions.LoginRefreshRequired(), "expired-credentials", "expired"),
    (exceptions.ProfileNotFound(profile="wrok"), "unknown-profile", "wrok"),
    (exceptions.NoRegionError(), "no-region", "region"),
    (exceptions.InvalidRegionError(region_name="eu central"), "invalid-region", "eu central"),
    (
        exceptions.ServiceNotInRegionError(service_name="lambda", region_name="xx-west-1"),
        "invalid-region",
        "xx-west-1",
    ),
    (
        exceptions.EndpointConnectionError(endpoint_url="https://sts.eu-centrl-1.amazonaws.com/"),
        "aws-unreachable",
        "https://sts.eu-centrl-1.amazonaws.com/",
    ),
    (
        exceptions.ConnectTimeoutError(endpoint_url="https://sts.us-east-1.amazonaws.com/"),
        "aws-unreachable",
        "https://sts.us-east-1.amazonaws.com/",
    ),
    (
        exceptions.ReadTimeoutError(endpoint_url="https://sts.us-east-1.amazonaws.com/"),
        "aws-unreachable",
        "https://sts.us-east-1.amazonaws.com/",
    ),
    (exceptions.ProxyConnectionError(proxy_url="http://proxy:3128"), "aws-unreachable", "http://proxy:3128"),
    (
        exceptions.SSLError(endpoint_url="https://sts.us-east-1.amazonaws.com/", error="self-signed"),
        "aws-unreachable",
        "self-signed",
    ),
    (exceptions.ConfigParseError(path="/home/anna/.aws/config"), "aws-error", "/home/anna/.aws/config"),
    (exceptions.ParamValidationError(report="Missing x"), "aws-error", "Missing x"),
]

# (the reason in an event of a stack, our code, AWS's code in it)
REASONS = [
    (
        'Resource handler returned message: "Specified ReservedConcurrentExecutions for function decreases '
        "account's UnreservedConcurrentExecution below its minimum value of [10]. (Service: Lambda, Status "
        'Code: 400, Request ID: 1)" (RequestToken: 2, HandlerErrorCode: InvalidRequest)',
        "aws-error",
        "InvalidRequest",
    ),
    (
        "shutterless-clothes already exists in stack arn:aws:cloudformation:us-east-1:1:stack/other/1",
        "name-taken",
        "",
    ),
    (
        'Resource handler returned message: "Rate exceeded" (HandlerErrorCode: Throttling)',
        "throttled",
        "Throttling",
    ),
    (
        'Resource handler returned message: "No" (Service: Iam; Error Code: AccessDenied; Request ID: 1)',
        "access-denied",
        "AccessDenied",
    ),
    ("Something  odd\nhappened.", "aws-error", ""),
]


@pytest.fixture(autouse=True)
def _no_profile(monkeypatch):
    monkeypatch.delenv("AWS_PROFILE", raising=False)


def answer(code, text):
    response = {"Error": {"Code": code, "Message": text}, "ResponseMetadata": {"RequestId": "1234-5678"}}
    return ClientError(response, "GetThing")


def one_line(text):
    return " ".join(text.split()).removesuffix(".")


@pytest.mark.parametrize(("aws_code", "text", "code"), ANSWERS)
def test_an_answer_of_aws_has_our_code_and_shows_its_own_code_text_and_request_id(aws_code, text, code):
    error = explain(answer(aws_code, text))
    assert (error.code, error.aws_code, error.request_id) == (code, aws_code, "1234-5678")
    assert all(part in error.message for part in (aws_code, one_line(text), "1234-5678", "GetThing"))
    assert error.hint


@pytest.mark.parametrize(("raised", "code", "name"), WITHOUT_ANSWER)
def test_what_fails_before_an_answer_has_our_code_and_shows_botocores_text(raised, code, name):
    error = explain(raised)
    assert (error.code, error.aws_code, error.request_id) == (code, "", "")
    assert name in error.message


@pytest.mark.parametrize(("text", "code", "aws_code"), REASONS)
def test_the_reason_that_a_stack_gives_is_shown_whole(text, code, aws_code):
    error = explain_reason(text)
    assert (error.code, error.aws_code) == (code, aws_code)
    assert one_line(text) in error.message


def test_every_cause_is_tested():
    codes = {code for _, _, code in ANSWERS} | {code for _, code, _ in WITHOUT_ANSWER}
    assert {cause.error.code for cause in CAUSES} <= codes


def test_a_failed_call_of_a_client_becomes_our_error_with_its_cause():
    client = boto3.client("sts", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
    with Stubber(client) as answers, pytest.raises(DeployError) as error:
        answers.add_client_error("get_caller_identity", "ExpiredToken", "The token is expired")
        with aws_errors():
            client.get_caller_identity()
    assert error.value.code == "expired-credentials"
    assert isinstance(error.value.__cause__, ClientError)


def test_an_answer_that_is_not_of_aws_is_refused():
    with pytest.raises(DeployError) as error, aws_errors():
        raise ResponseParserError("not XML")
    assert error.value.code == "not-aws"


def test_the_hint_names_the_profile_in_use(monkeypatch):
    expired = exceptions.UnauthorizedSSOTokenError()
    assert "--profile" not in explain(expired).hint
    monkeypatch.setenv("AWS_PROFILE", "shop")
    assert "--profile shop" in explain(expired).hint
    assert "--profile work" in explain(expired, "work").hint


def test_a_waiter_that_met_an_error_is_explained_by_that_error():
    response = {"Error": {"Code": "Throttling", "Message": "Rate exceeded"}}
    error = explain(exceptions.WaiterError("StackExists", "Max attempts exceeded", response))
    assert (error.code, error.aws_code) == ("throttled", "Throttling")


def test_other_exceptions_pass_through():
    with pytest.raises(ZeroDivisionError), aws_errors():
        raise ZeroDivisionError
