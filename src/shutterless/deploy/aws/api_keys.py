"""API keys of API Gateway."""

import boto3

from shutterless.deploy.aws.errors import aws_errors


def read_api_key(session: boto3.Session, key_id: str) -> str:
    """Return the API key with this id, the secret itself."""
    with aws_errors():
        answer = session.client("apigateway").get_api_key(apiKey=key_id, includeValue=True)
    return str(answer["value"])
