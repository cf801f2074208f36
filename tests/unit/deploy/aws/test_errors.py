"""What AWS really says, each beside the words that users get; the texts are the services' own."""

import boto3
import pytest
from botocore import exceptions
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from shutterless.deploy.aws.errors import aws_errors, explain, explain_reason, stuck
from shutterless.errors import ShutterlessError

ROLE = "arn:aws:sts::123456789012:assumed-role/dev/anna"
STACK = "arn:aws:cloudformation:us-east-1:123456789012:stack/shutterless-clothes/0a1b"

# code, what the service says, our message, a part of our hint
ANSWERS = {
    "expired token": (
        "ExpiredToken",
        "The security token included in the request is expired",
        "The AWS credentials have expired",
        "aws sso login --profile work",
    ),
    "clock": (
        "SignatureDoesNotMatch",
        "Signature expired: 20261125T001500Z is now earlier than 20261125T101500Z "
        "(20261125T103000Z - 15 min.)",
        "AWS says that this machine's clock is wrong",
        "timedatectl",
    ),
    "clock, in other words": (
        "RequestExpired",
        "Request has expired.",
        "AWS says that this machine's clock is wrong",
        "timedatectl",
    ),
    "wrong secret": (
        "SignatureDoesNotMatch",
        "The request signature we calculated does not match the signature you provided.",
        "AWS refuses the secret access key",
        "aws configure --profile work",
    ),
    "unknown key": (
        "InvalidClientTokenId",
        "The security token included in the request is invalid.",
        "AWS does not know this access key in this region",
        "aws account enable-region",
    ),
    "region not opted into": (
        "OptInRequired",
        "You are not subscribed to this service.",
        "This account has not been opened for that region or service",
        "another --region",
    ),
    "no permission": (
        "AccessDeniedException",
        f"User: {ROLE} is not authorized to perform: ecr:CreateRepository on resource: "
        "arn:aws:ecr:us-east-1:123456789012:repository/shutterless/clothes because no identity-based policy "
        "allows the ecr:CreateRepository action",
        "These AWS credentials may not do ecr:CreateRepository on "
        "arn:aws:ecr:us-east-1:123456789012:repository/shutterless/clothes",
        "administrator for ecr:CreateRepository",
    ),
    "no permission, resource not said": (
        "AccessDenied",
        f"User: {ROLE} is not authorized to perform: cloudformation:CreateChangeSet",
        "These AWS credentials may not do cloudformation:CreateChangeSet",
        "docs/aws.md",
    ),
    "no permission, action not said": (
        "AccessDeniedException",
        "Access denied by the key's policy",
        "These AWS credentials may not do GetThing",
        "administrator",
    ),
    "role not given": (
        "ForbiddenException",
        "No access",
        "These AWS credentials may not do GetThing",
        "administrator",
    ),
    "code storage": (
        "CodeStorageExceededException",
        "Code storage limit exceeded.",
        "The account's storage for Lambda code is full",
        "servicequotas",
    ),
    "concurrency in use": (
        "TooManyRequestsException",
        "Rate Exceeded: ConcurrentInvocationLimitExceeded",
        "All of the account's concurrent executions are in use",
        "servicequotas",
    ),
    "quota": (
        "LimitExceededException",
        "Limit for stack has been exceeded.",
        "A quota of this AWS account is used up",
        "servicequotas",
    ),
    "throttled": (
        "Throttling",
        "Rate exceeded",
        "AWS asks for fewer requests at a time",
        "run the same command again",
    ),
    "image is an index": (
        "InvalidParameterValueException",
        "The image manifest, config or layer media type for the source image 123.dkr.ecr.us-east-1."
        "amazonaws.com/x@sha256:12 is not supported.",
        "Lambda refuses the image: its manifest is an index or carries an attestation",
        "--provenance=false",
    ),
    "image gone": (
        "InvalidParameterValueException",
        "Source image 123.dkr.ecr.us-east-1.amazonaws.com/x@sha256:12 does not exist. Provide a valid "
        "source image.",
        "Lambda cannot find the image in the registry",
        "Deploy again",
    ),
    "image not readable": (
        "AccessDeniedException",
        "Lambda does not have permission to access the ECR image. Check the ECR permissions.",
        "Lambda may not read the image from the registry",
        "ecr:SetRepositoryPolicy",
    ),
    "function busy": (
        "ResourceConflictException",
        "The operation cannot be performed at this time. An update is in progress for resource: arn:x",
        "It is still being changed",
        "Wait a moment",
    ),
    "API busy": (
        "ConflictException",
        "Unable to complete operation due to concurrent modification. Please try again later.",
        "It is still being changed",
        "Wait a moment",
    ),
    "name taken": (
        "ResourceConflictException",
        "Function already exist: shutterless-clothes",
        "The name is taken",
        "another --name",
    ),
    "no such stack": (
        "ValidationError",
        "Stack with id shutterless-clothes does not exist",
        "There is no stack shutterless-clothes in this region",
        "--region",
    ),
    "stuck stack": (
        "ValidationError",
        f"Stack:{STACK} is in ROLLBACK_COMPLETE state and can not be updated.",
        "The stack shutterless-clothes is stuck in ROLLBACK_COMPLETE",
        "shutterless destroy clothes",
    ),
    "stack being changed": (
        "ValidationError",
        f"Stack:{STACK} is in UPDATE_IN_PROGRESS state and can not be updated.",
        "The stack shutterless-clothes is being changed (UPDATE_IN_PROGRESS)",
        "shutterless status clothes",
    ),
    "fault of theirs": (
        "ServiceUnavailable",
        "Service is unavailable",
        "AWS has a fault of its own",
        "health.aws.amazon.com",
    ),
    "unknown": (
        "StrangeException",
        "A {curly}\nreason.",
        "AWS refused GetThing",
        "request id",
    ),
}

# what botocore raises without a service's answer, our message, a part of our hint
WITHOUT_ANSWER = {
    "no credentials": (exceptions.NoCredentialsError(), "There are no AWS credentials", "aws configure sso"),
    "half of them": (
        exceptions.PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"),
        "The AWS credentials lack AWS_SECRET_ACCESS_KEY",
        "aws configure",
    ),
    "SSO never used": (
        exceptions.SSOTokenLoadError(error_msg="Token for x does not exist"),
        "The AWS sign-in has expired",
        "aws sso login --profile work",
    ),
    "SSO expired": (
        exceptions.UnauthorizedSSOTokenError(),
        "The AWS sign-in has expired",
        "aws sso login --profile work",
    ),
    "SSO token not renewed": (
        exceptions.TokenRetrievalError(provider="sso", error_msg="Token has expired and refresh failed"),
        "The AWS sign-in has expired",
        "aws sso login --profile work",
    ),
    "login expired": (
        exceptions.LoginRefreshRequired(),
        "The AWS sign-in has expired",
        "aws login --profile work",
    ),
    "credential process": (
        exceptions.CredentialRetrievalError(provider="custom-process", error_msg="exit 1"),
        "The AWS credentials cannot be had from custom-process: exit 1",
        "aws sso login",
    ),
    "no such profile": (
        exceptions.ProfileNotFound(profile="wrok"),
        "There is no AWS profile wrok",
        "aws configure list-profiles",
    ),
    "configuration": (
        exceptions.ConfigParseError(path="/home/anna/.aws/config"),
        "The AWS configuration /home/anna/.aws/config cannot be read",
        "Mend",
    ),
    "no region": (exceptions.NoRegionError(), "No AWS region is set", "--region"),
    "malformed region": (
        exceptions.InvalidRegionError(region_name="eu central"),
        "eu central is no AWS region",
        "--region",
    ),
    "region without the service": (
        exceptions.ServiceNotInRegionError(service_name="lambda", region_name="xx-west-1"),
        "xx-west-1 does not have the service lambda",
        "another --region",
    ),
    "no network": (
        exceptions.EndpointConnectionError(endpoint_url="https://sts.eu-centrl-1.amazonaws.com/"),
        "AWS cannot be reached at https://sts.eu-centrl-1.amazonaws.com/",
        "region's spelling",
    ),
    "no answer": (
        exceptions.ConnectTimeoutError(endpoint_url="https://sts.us-east-1.amazonaws.com/"),
        "AWS does not answer at https://sts.us-east-1.amazonaws.com/",
        "network",
    ),
    "proxy": (
        exceptions.ProxyConnectionError(proxy_url="http://proxy:3128"),
        "The proxy http://proxy:3128 does not let us through",
        "HTTPS_PROXY",
    ),
    "certificate": (
        exceptions.SSLError(endpoint_url="https://sts.us-east-1.amazonaws.com/", error="self-signed"),
        "The connection to https://sts.us-east-1.amazonaws.com/ is not trusted: self-signed",
        "AWS_CA_BUNDLE",
    ),
    "unknown": (
        exceptions.ParamValidationError(report="Missing x"),
        "AWS: Parameter validation failed: Missing x",
        "",
    ),
}

# what an event of a stack gives as its reason, our message, a part of our hint
REASONS = {
    "reserved concurrency": (
        'Resource handler returned message: "Specified ReservedConcurrentExecutions for function decreases '
        "account's UnreservedConcurrentExecution below its minimum value of [10]. (Service: Lambda, Status "
        'Code: 400, Request ID: 1)" (RequestToken: 2, HandlerErrorCode: InvalidRequest)',
        "The account has too few concurrent executions to reserve so many: 10 must stay free",
        "without reserved concurrency",
    ),
    "memory": (
        "Resource handler returned message: \"'MemorySize' value failed to satisfy constraint: Member must "
        'have value less than or equal to 3008 (Service: Lambda, Status Code: 400)" (HandlerErrorCode: '
        "InvalidRequest)",
        "This account's functions may have at most 3008 MB of memory",
        "--memory 3008",
    ),
    "name taken": (
        "shutterless-clothes already exists in stack arn:aws:cloudformation:us-east-1:1:stack/other/1",
        "The name is taken",
        "another --name",
    ),
    "throttled": (
        'Resource handler returned message: "Rate exceeded" (HandlerErrorCode: Throttling)',
        "AWS asks for fewer requests at a time",
        "again",
    ),
    "unknown": ("Something  odd\nhappened.", "AWS says: Something odd happened", ""),
}


@pytest.fixture(autouse=True)
def _no_profile(monkeypatch):
    monkeypatch.delenv("AWS_PROFILE", raising=False)


@pytest.mark.parametrize("case", ANSWERS)
def test_what_a_service_answers_is_put_into_words(case):
    code, text, message, hint = ANSWERS[case]
    answer = {"Error": {"Code": code, "Message": text}, "ResponseMetadata": {"RequestId": "1234-5678"}}
    error = explain(ClientError(answer, "GetThing"), "work")
    assert error.message.startswith(message)
    assert error.message.endswith(f"{code}: {' '.join(text.split()).removesuffix('.')} (request 1234-5678)")
    assert hint in error.hint


@pytest.mark.parametrize("case", WITHOUT_ANSWER)
def test_what_fails_before_an_answer_is_put_into_words(case):
    raised, message, hint = WITHOUT_ANSWER[case]
    error = explain(raised, "work")
    assert error.message == message
    assert hint in error.hint


@pytest.mark.parametrize("case", REASONS)
def test_the_reason_that_a_stack_gives_is_put_into_words(case):
    text, message, hint = REASONS[case]
    error = explain_reason(text)
    assert error.message.startswith(message)
    assert error.message.endswith(" ".join(text.split()).removesuffix("."))
    assert hint in error.hint


def test_a_reason_that_is_not_of_aws_keeps_the_words_it_came_with():
    own = ShutterlessError("registry-unavailable", "The registry cannot be reached", "Check the network.")
    assert explain_reason("dial tcp: lookup x: no such host", otherwise=own) is own
    denied = "denied: User: anna is not authorized to perform: ecr:PutImage on resource: arn:x"
    explained = explain_reason(denied, otherwise=own).message
    assert explained.startswith("These AWS credentials may not do ecr:PutImage on arn:x. ")
    assert explained.endswith(denied)


@pytest.mark.parametrize(
    ("status", "way_out"),
    [
        ("CREATE_FAILED", "shutterless destroy clothes"),
        ("ROLLBACK_COMPLETE", "shutterless destroy clothes"),
        ("ROLLBACK_FAILED", "shutterless destroy clothes"),
        ("DELETE_FAILED", "shutterless destroy clothes once more"),
        ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback --stack-name shutterless-clothes"),
        ("UPDATE_IN_PROGRESS", "Wait until it has finished"),
    ],
)
def test_a_stack_that_takes_no_change_comes_with_the_way_out(status, way_out):
    error = stuck("shutterless-clothes", status)
    assert status in error.message
    assert way_out in error.hint


@pytest.mark.parametrize("status", ["CREATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "REVIEW_IN_PROGRESS"])
def test_a_stack_that_takes_a_change_is_not_stuck(status):
    assert stuck("shutterless-clothes", status) is None


def test_a_failed_call_of_a_client_becomes_our_error_with_its_cause():
    client = boto3.client("sts", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")
    with Stubber(client) as answers, pytest.raises(ShutterlessError, match="have expired") as raised:
        answers.add_client_error("get_caller_identity", "ExpiredToken", "The token is expired")
        with aws_errors():
            client.get_caller_identity()
    assert isinstance(raised.value.__cause__, ClientError)


def test_the_profile_of_the_environment_is_named_in_the_way_out(monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "shop")
    assert "--profile shop" in explain(exceptions.UnauthorizedSSOTokenError()).hint


def test_a_waiter_that_met_an_error_speaks_of_that_error():
    answer = {"Error": {"Code": "Throttling", "Message": "Rate exceeded"}}
    error = exceptions.WaiterError("StackExists", "Max attempts exceeded", answer)
    assert explain(error).message.startswith("AWS asks for fewer requests at a time")
    assert "Throttling: Rate exceeded" in explain(error).message


def test_what_is_no_failure_of_aws_passes_through():
    with pytest.raises(ZeroDivisionError), aws_errors():
        raise ZeroDivisionError
