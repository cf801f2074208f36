"""The part of the template that listens: the REST API, its routes, its own answers, stage, keys."""

import json
from typing import Any, NamedTuple

from shutterless.deploy.options import Options
from shutterless.deploy.template.function import ALIAS, Resource, fingerprint
from shutterless.runtime.problems import KINDS

# path: (its method, the name of its resources). Only /predict costs more than an answer from memory.
ROUTES = {
    "/": ("GET", "Root"),
    "/model": ("GET", "Model"),
    "/health": ("GET", "Health"),
    "/openapi.json": ("GET", "Openapi"),
    "/predict": ("POST", "Predict"),
}
PREDICT = "/predict"

# What arrives as bytes. Not */*, with which API Gateway takes preflights for binary and answers 500.
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


class Answer(NamedTuple):
    """What API Gateway answers itself: kind, status (None leaves its own), code and title, and detail."""

    kind: str
    status: int | None
    code: str
    title: str
    detail: str


def _known(kind: str, code: str, detail: str) -> Answer:
    return Answer(kind, KINDS[code][0], code, KINDS[code][1], detail)


REFUSED = "You may not call this"
ANSWERS = (
    _known("REQUEST_TOO_LARGE", "too-large", "a request may have 6 MB, about 4.4 MB of picture in base64"),
    Answer("ACCESS_DENIED", 403, "forbidden", REFUSED, "the signature's owner may not call this API"),
    Answer("INVALID_SIGNATURE", 403, "forbidden", REFUSED, "the request's AWS signature is not valid"),
    Answer("EXPIRED_TOKEN", 403, "forbidden", REFUSED, "the AWS token of the request has expired"),
    Answer("INVALID_API_KEY", 403, "forbidden", REFUSED, "send a valid key in the header x-api-key"),
    Answer("THROTTLED", 429, "throttled", "Too many requests at once", "send fewer requests per second"),
    Answer(
        "QUOTA_EXCEEDED",
        429,
        "quota-exceeded",
        "This month's requests are used up",
        "the key's quota is spent",
    ),
    Answer(
        "INTEGRATION_TIMEOUT",
        504,
        "timeout",
        "There was no answer in time",
        "try again, or send a smaller picture",
    ),
    Answer("INTEGRATION_FAILURE", 504, "timeout", "There was no answer in time", "try again"),
    Answer("DEFAULT_4XX", None, "invalid-request", KINDS["invalid-request"][1], ""),
    Answer("DEFAULT_5XX", None, "internal", KINDS["internal"][1], ""),
)
# Whatever has no method is answered by this kind, and with IAM so is whoever does not sign.
NOT_FOUND = _known("MISSING_AUTHENTICATION_TOKEN", "not-found", "see / for a page and POST /predict")
UNSIGNED = Answer(
    "MISSING_AUTHENTICATION_TOKEN", 403, "forbidden", REFUSED, "sign the request with AWS Signature 4"
)


def api_resources(name: str, options: Options) -> dict[str, Resource]:
    """Return everything of the API but its stage: it is what a deployment freezes."""
    resources: dict[str, Resource] = {"Api": _api(name)}
    for path, (method, stem) in ROUTES.items():
        if path != "/":
            resources[f"{stem}Resource"] = _resource(path)
        resources[f"{stem}{method.capitalize()}"] = _method(path, method, options.auth)
        # Preflights, HEAD, and 405 for the rest: as the function answers them everywhere else.
        resources[f"{stem}Other"] = _method(path, "ANY", "none")
    for answer in (*ANSWERS, UNSIGNED if options.auth == "iam" else NOT_FOUND):
        resources[f"{answer.kind.title().replace('_', '')}Response"] = _gateway_response(answer)
    return resources


def stage_resources(name: str, options: Options, api: dict[str, Resource]) -> dict[str, Resource]:
    """Return the deployment of `api`, its stage, the permission to call the function, and the key."""
    deployment = f"Deployment{fingerprint(api)}"
    frozen = ("AWS::ApiGateway::Method", "AWS::ApiGateway::GatewayResponse")
    resources: dict[str, Resource] = {
        # A deployment never changes, so another API needs another one, by another logical id. It freezes
        # what exists when it is made, hence DependsOn.
        deployment: {
            "Type": "AWS::ApiGateway::Deployment",
            "DependsOn": sorted(key for key, value in api.items() if value["Type"] in frozen),
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
    properties = {
        "Name": name,
        "EndpointConfiguration": {"Types": ["REGIONAL"]},
        "BinaryMediaTypes": list(BINARY_MEDIA_TYPES),
    }
    return {"Type": "AWS::ApiGateway::RestApi", "Properties": properties}


def _resource(path: str) -> Resource:
    properties = {
        "RestApiId": {"Ref": "Api"},
        "ParentId": {"Fn::GetAtt": ["Api", "RootResourceId"]},
        "PathPart": path.removeprefix("/"),
    }
    return {"Type": "AWS::ApiGateway::Resource", "Properties": properties}


def _method(path: str, method: str, auth: str) -> Resource:
    stem = ROUTES[path][1]
    properties = {
        "RestApiId": {"Ref": "Api"},
        "ResourceId": {"Ref": f"{stem}Resource"}
        if path != "/"
        else {"Fn::GetAtt": ["Api", "RootResourceId"]},
        "HttpMethod": method,
        "AuthorizationType": "AWS_IAM" if auth == "iam" else "NONE",
        "ApiKeyRequired": auth == "api-key" and path == PREDICT,
        "Integration": {
            "Type": "AWS_PROXY",
            "IntegrationHttpMethod": "POST",
            "Uri": {
                "Fn::Sub": "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/"
                f"${{Function.Arn}}:{ALIAS}/invocations"
            },
        },
    }
    return {"Type": "AWS::ApiGateway::Method", "Properties": properties}


def _gateway_response(answer: Answer) -> Resource:
    problem = {"type": "about:blank", "title": answer.title, "status": answer.status, "detail": answer.detail}
    body = json.dumps({**{key: value for key, value in problem.items() if value}, "code": answer.code})
    if not answer.detail:  # of the many kinds behind a default only API Gateway knows which it is
        body = body.replace('"code"', '"detail": $context.error.messageString, "code"')
    properties: dict[str, Any] = {
        "RestApiId": {"Ref": "Api"},
        "ResponseType": answer.kind,
        "ResponseParameters": {**CORS, **PROBLEM},
        "ResponseTemplates": {"application/json": body},
    }
    if answer.status:
        properties["StatusCode"] = str(answer.status)
    return {"Type": "AWS::ApiGateway::GatewayResponse", "Properties": properties}


def _stage(options: Options, deployment: str) -> dict[str, Any]:
    everything = {
        "ResourcePath": "/*",
        "HttpMethod": "*",
        "ThrottlingRateLimit": options.rate,
        "ThrottlingBurstLimit": options.burst,
    }
    return {
        "RestApiId": {"Ref": "Api"},
        "StageName": options.stage,
        "DeploymentId": {"Ref": deployment},
        "MethodSettings": [everything],
    }


def _permission() -> dict[str, Any]:
    return {
        "FunctionName": {"Fn::Sub": f"${{Function.Arn}}:{ALIAS}"},
        "Action": "lambda:InvokeFunction",
        "Principal": "apigateway.amazonaws.com",
        "SourceArn": {
            "Fn::Sub": "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/*"
        },
    }


def _key(name: str, options: Options) -> dict[str, Resource]:
    plan: dict[str, Any] = {
        "UsagePlanName": name,
        "ApiStages": [{"ApiId": {"Ref": "Api"}, "Stage": {"Ref": "Stage"}}],
        "Throttle": {"RateLimit": options.rate, "BurstLimit": options.burst},
    }
    if options.quota:
        plan["Quota"] = {"Limit": options.quota, "Period": "MONTH"}
    belongs = {"KeyId": {"Ref": "ApiKey"}, "KeyType": "API_KEY", "UsagePlanId": {"Ref": "UsagePlan"}}
    return {
        "UsagePlan": {"Type": "AWS::ApiGateway::UsagePlan", "Properties": plan},
        "ApiKey": {"Type": "AWS::ApiGateway::ApiKey", "Properties": {"Name": name, "Enabled": True}},
        "UsagePlanKey": {"Type": "AWS::ApiGateway::UsagePlanKey", "Properties": belongs},
    }
