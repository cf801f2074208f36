"""The template's REST API: its paths, API Gateway's own answers, the stage, and the API key."""

import json
from typing import NamedTuple

from shutterless.deploy.options import Options
from shutterless.deploy.template.function import ALIAS, fingerprint
from shutterless.deploy.template.types import Resource
from shutterless.runtime.http_messages import Response
from shutterless.runtime.json_types import Json, JsonObject
from shutterless.runtime.problems import KINDS
from shutterless.runtime.responses import preflight_response

# path: (its method, the prefix of its resources' ids).
ROUTES = {
    "/": ("GET", "Root"),
    "/model": ("GET", "Model"),
    "/health": ("GET", "Health"),
    "/openapi.json": ("GET", "Openapi"),
    "/predict": ("POST", "Predict"),
}
PREDICT = "/predict"
# Only with records in the log.
FEEDBACK = "/feedback"
FEEDBACK_ROUTE = ("POST", "Feedback")

# Bodies that reach the function as bytes. Not */*, with which API Gateway treats preflights as binary and
# answers 500.
BINARY_MEDIA_TYPES = (
    "application/octet-stream",
    "image/avif",
    "image/bmp",
    "image/gif",
    "image/heic",
    "image/heif",
    "image/jpeg",
    "image/jpg",
    "image/png",
    "image/tiff",
    "image/webp",
    "image/x-ms-bmp",
    "multipart/form-data",
)

CORS = {"gatewayresponse.header.Access-Control-Allow-Origin": "'*'"}
PROBLEM = {"gatewayresponse.header.Content-Type": "'application/problem+json'"}


class GatewayResponse(NamedTuple):
    """An answer of API Gateway's own.

    Attributes:
        type: API Gateway's name for it.
        status: The HTTP status; None keeps API Gateway's.
        code: The problem's code.
        title: The problem's title.
        detail: The problem's detail; empty for API Gateway's own message.
        retry_after: Seconds after which a client should try again; 0 for not saying so.
    """

    type: str
    status: int | None
    code: str
    title: str
    detail: str
    retry_after: int = 0


def _from_problem(kind: str, code: str, detail: str) -> GatewayResponse:
    return GatewayResponse(kind, KINDS[code][0], code, KINDS[code][1], detail)


def _forbidden(kind: str, detail: str) -> GatewayResponse:
    return GatewayResponse(kind, 403, "forbidden", "You may not call this API", detail)


GATEWAY_RESPONSES = (
    _from_problem(
        "REQUEST_TOO_LARGE", "too-large", "a request can have 6 MB, which is a picture of about 4.4 MB"
    ),
    _forbidden("ACCESS_DENIED", "the identity that signed the request may not call this API"),
    _forbidden("INVALID_SIGNATURE", "the AWS signature of the request is not valid"),
    _forbidden("EXPIRED_TOKEN", "the AWS token of the request has expired"),
    _forbidden("INVALID_API_KEY", "send a valid key in the header x-api-key"),
    GatewayResponse(
        "THROTTLED", 429, "throttled", "Too many requests per second", "send fewer requests per second"
    ),
    GatewayResponse(
        "QUOTA_EXCEEDED",
        429,
        "quota-exceeded",
        "The monthly quota is used up",
        "the API key has used its quota of this month",
    ),
    GatewayResponse(
        "INTEGRATION_TIMEOUT", 504, "timeout", "The request timed out", "try again, or send a smaller picture"
    ),
    # The function crashed, or Lambda could not call it: it has reached its concurrency, or is not ready yet.
    GatewayResponse(
        "INTEGRATION_FAILURE", 502, "unavailable", "The service is not available", "try again in a moment", 5
    ),
    GatewayResponse("DEFAULT_4XX", None, "invalid-request", KINDS["invalid-request"][1], ""),
    GatewayResponse("DEFAULT_5XX", None, "internal", KINDS["internal"][1], ""),
)
# API Gateway's answer on a path without a method and, with IAM, to a request that is not signed.
NOT_FOUND = _from_problem("MISSING_AUTHENTICATION_TOKEN", "not-found", "send photos to /predict, by POST")
UNSIGNED = _forbidden("MISSING_AUTHENTICATION_TOKEN", "sign the request with AWS Signature 4")


# The methods that get the whole rate. In a setting's path, ~1 stands for a slash.
LIMITED_BY_RATE = (("/~1predict", "POST"), ("/~1predict", "OPTIONS"))


def routes(options: Options) -> dict[str, tuple[str, str]]:
    """Return the API's paths, each with its method and the prefix of its resources' ids."""
    return {**ROUTES, FEEDBACK: FEEDBACK_ROUTE} if options.records == "on" else ROUTES


def public_rate(options: Options) -> int:
    """Return the requests per second that API Gateway accepts for each method that needs no key.

    It is a tenth of the rate of predictions, because anyone can send them and AWS bills each of them.
    """
    return max(1, options.rate // 10)


def api_resources(name: str, options: Options) -> dict[str, Resource]:
    """Return the part of the API that a deployment of it freezes.

    Args:
        name: The API's name.
        options: How it is deployed.

    Returns:
        The API, its paths and methods and API Gateway's own answers, by logical id.
    """
    resources: dict[str, Resource] = {"Api": _api(name)}
    for path in routes(options):
        resources |= _path_resources(path, options)
    for response in (*GATEWAY_RESPONSES, UNSIGNED if options.auth == "iam" else NOT_FOUND):
        resources[f"{response.type.title().replace('_', '')}Response"] = _gateway_response(response)
    return resources


def stage_resources(name: str, options: Options, api: dict[str, Resource]) -> dict[str, Resource]:
    """Return the deployment of an API, its stage, its permission to call the function, and its key.

    Args:
        name: The name of the usage plan and the key.
        options: How it is deployed.
        api: What `api_resources` returns.
    """
    deployment = f"Deployment{fingerprint(api)}"
    frozen_types = ("AWS::ApiGateway::Method", "AWS::ApiGateway::GatewayResponse")
    resources: dict[str, Resource] = {
        # A deployment cannot be changed, so another API needs another one, with another logical id. It
        # freezes what exists when it is created, hence DependsOn.
        deployment: {
            "Type": "AWS::ApiGateway::Deployment",
            "DependsOn": sorted(key for key, value in api.items() if value["Type"] in frozen_types),
            "Properties": {"RestApiId": {"Ref": "Api"}},
        },
        "Stage": {"Type": "AWS::ApiGateway::Stage", "Properties": _stage(options, deployment)},
        "ApiMayCallFunction": {
            "Type": "AWS::Lambda::Permission",
            "DependsOn": "LiveAlias",
            "Properties": _permission(),
        },
    }
    return {**resources, **(_key(name, options) if options.auth == "api-key" else {})}


def _api(name: str) -> Resource:
    properties: JsonObject = {
        "Name": name,
        "EndpointConfiguration": {"Types": ["REGIONAL"]},
        "BinaryMediaTypes": list(BINARY_MEDIA_TYPES),
    }
    return {"Type": "AWS::ApiGateway::RestApi", "Properties": properties}


def _resource(path: str) -> Resource:
    properties: JsonObject = {
        "RestApiId": {"Ref": "Api"},
        "ParentId": {"Fn::GetAtt": ["Api", "RootResourceId"]},
        "PathPart": path.removeprefix("/"),
    }
    return {"Type": "AWS::ApiGateway::Resource", "Properties": properties}


def _path_resources(path: str, options: Options) -> dict[str, Resource]:
    """Return a path and its methods.

    Without a route for them, API Gateway answers all other methods with NOT_FOUND, which AWS does not bill.
    """
    verb, prefix = routes(options)[path]
    if path == "/" and options.page == "off":
        return {}
    resources = {} if path == "/" else {f"{prefix}Resource": _resource(path)}
    for method in ["GET", "HEAD"] if verb == "GET" else [verb]:
        resources[f"{prefix}{method.capitalize()}"] = _method(
            path, prefix, method, options.auth, _call_function()
        )
    # Browsers send preflights without a key or signature.
    preflight = _answer_always(preflight_response([verb]))
    return {**resources, f"{prefix}Options": _method(path, prefix, "OPTIONS", "none", preflight)}


def _method(path: str, prefix: str, method: str, auth: str, integration: JsonObject) -> Resource:
    resource: JsonObject = (
        {"Fn::GetAtt": ["Api", "RootResourceId"]} if path == "/" else {"Ref": f"{prefix}Resource"}
    )
    properties: JsonObject = {
        "RestApiId": {"Ref": "Api"},
        "ResourceId": resource,
        "HttpMethod": method,
        "AuthorizationType": "AWS_IAM" if auth == "iam" else "NONE",
        "ApiKeyRequired": auth == "api-key" and path in (PREDICT, FEEDBACK),
        **integration,
    }
    return {"Type": "AWS::ApiGateway::Method", "Properties": properties}


def _call_function() -> JsonObject:
    """Return the part of a method that passes the request to the alias, and its answer back."""
    alias = (
        "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/"
        f"${{Function.Arn}}:{ALIAS}/invocations"
    )
    integration: JsonObject = {
        "Type": "AWS_PROXY",
        "IntegrationHttpMethod": "POST",
        "Uri": {"Fn::Sub": alias},
    }
    return {"Integration": integration}


def _answer_always(response: Response) -> JsonObject:
    """Return the part of a method by which API Gateway itself gives this response, which has no body."""
    constants = {name: f"'{value}'" for name, value in response.headers.items()}
    headers: JsonObject = {
        f"method.response.header.{name}": value
        for name, value in {**constants, "X-Request-Id": "context.requestId"}.items()
    }
    status = str(response.status)
    integration: JsonObject = {
        "Type": "MOCK",
        "RequestTemplates": {"application/json": json.dumps({"statusCode": response.status})},
        "IntegrationResponses": [{"StatusCode": status, "ResponseParameters": headers}],
    }
    responses: JsonObject = {"StatusCode": status, "ResponseParameters": dict.fromkeys(headers, True)}
    return {"Integration": integration, "MethodResponses": [responses]}


def _gateway_response(response: GatewayResponse) -> Resource:
    problem: dict[str, Json] = {
        "type": "about:blank",
        "title": response.title,
        "status": response.status,
        "detail": response.detail,
        "code": response.code,
    }
    body = json.dumps({key: value for key, value in problem.items() if value})
    if not response.detail:  # only API Gateway knows which of many causes it is
        body = body.replace('"code"', '"detail": $context.error.messageString, "code"')
    headers: dict[str, Json] = {**CORS, **PROBLEM}
    if response.retry_after:
        headers["gatewayresponse.header.Retry-After"] = f"'{response.retry_after}'"
    properties: dict[str, Json] = {
        "RestApiId": {"Ref": "Api"},
        "ResponseType": response.type,
        "ResponseParameters": headers,
        "ResponseTemplates": {"application/json": body},
    }
    if response.status:
        properties["StatusCode"] = str(response.status)
    return {"Type": "AWS::ApiGateway::GatewayResponse", "Properties": properties}


def _stage(options: Options, deployment: str) -> JsonObject:
    limits = {("/*", "*"): public_rate(options), **dict.fromkeys(LIMITED_BY_RATE, options.rate)}
    return {
        "RestApiId": {"Ref": "Api"},
        "StageName": options.stage,
        "DeploymentId": {"Ref": deployment},
        "MethodSettings": [
            {
                "ResourcePath": path,
                "HttpMethod": method,
                "ThrottlingRateLimit": rate,
                "ThrottlingBurstLimit": options.burst,
            }
            for (path, method), rate in limits.items()
        ],
    }


def _permission() -> JsonObject:
    return {
        "FunctionName": {"Fn::Sub": f"${{Function.Arn}}:{ALIAS}"},
        "Action": "lambda:InvokeFunction",
        "Principal": "apigateway.amazonaws.com",
        "SourceArn": {
            "Fn::Sub": "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/*"
        },
    }


def _key(name: str, options: Options) -> dict[str, Resource]:
    plan: dict[str, Json] = {
        "UsagePlanName": name,
        "ApiStages": [{"ApiId": {"Ref": "Api"}, "Stage": {"Ref": "Stage"}}],
        "Throttle": {"RateLimit": options.rate, "BurstLimit": options.burst},
    }
    if options.quota:
        plan["Quota"] = {"Limit": options.quota, "Period": "MONTH"}
    key_in_plan: JsonObject = {
        "KeyId": {"Ref": "ApiKey"},
        "KeyType": "API_KEY",
        "UsagePlanId": {"Ref": "UsagePlan"},
    }
    return {
        "UsagePlan": {"Type": "AWS::ApiGateway::UsagePlan", "Properties": plan},
        "ApiKey": {"Type": "AWS::ApiGateway::ApiKey", "Properties": {"Name": name, "Enabled": True}},
        "UsagePlanKey": {"Type": "AWS::ApiGateway::UsagePlanKey", "Properties": key_in_plan},
    }
