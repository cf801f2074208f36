"""CloudFormation by script: a client that expects exactly the calls it is told of."""

import boto3
import pytest
from botocore.stub import Stubber


@pytest.fixture
def script():
    """Give a client that expects exactly the calls it is told of, in order, and answers as told."""
    client = boto3.client(
        "cloudformation", region_name="eu-central-1", aws_access_key_id="a", aws_secret_access_key="b"
    )
    with Stubber(client) as stubber:

        def expect(*calls):
            for operation, answer in calls:
                if isinstance(answer, Exception):
                    code = getattr(answer, "code", "ValidationError")
                    stubber.add_client_error(operation, code, str(answer))
                else:
                    stubber.add_response(operation, answer)
            return client

        expect.stubber = stubber
        yield expect
        stubber.assert_no_pending_responses()
