from datetime import UTC, datetime

import pytest

from shutterless.deploy import endpoint
from shutterless.errors import DeployError

NAME = "shutterless-clothes"
URL = "https://abc.execute-api.us-east-1.amazonaws.com/prod"


@pytest.fixture
def stack(aws, monkeypatch):
    """Let AWS have a stack with these outputs."""
    monkeypatch.setattr(endpoint, "connect", lambda profile, region: aws)

    def answer(**outputs):
        stack = {
            "StackName": NAME,
            "StackId": f"arn:aws:cloudformation:us-east-1:123456789012:stack/{NAME}/1",
            "Tags": [{"Key": "shutterless", "Value": "clothes"}],
            "StackStatus": "CREATE_COMPLETE",
            "CreationTime": datetime(2026, 11, 20, tzinfo=UTC),
            "Outputs": [{"OutputKey": key, "OutputValue": value} for key, value in outputs.items()],
        }
        aws.answer("cloudformation", "describe_stacks", {"Stacks": [stack]})

    return answer


def test_an_api_with_a_key_has_an_address_and_the_key(aws, stack):
    stack(Url=URL, ApiKeyId="k1")
    aws.answer("apigateway", "get_api_key", {"value": "secret"}, apiKey="k1", includeValue=True)
    api = endpoint.read_endpoint("clothes")
    assert (api.url, api.key) == (URL, "secret")
    assert "secret" not in repr(api)


def test_an_open_api_has_no_key(stack):
    stack(Url=URL)
    assert endpoint.read_endpoint("clothes").key is None


def test_a_stack_without_an_api_is_no_deployment(stack):
    stack()
    with pytest.raises(DeployError) as caught:
        endpoint.read_endpoint("clothes")
    assert caught.value.code == "no-deployment"
