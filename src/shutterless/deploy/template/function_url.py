"""The template's function URL: HTTPS straight to the function, without API Gateway."""

from shutterless.deploy.options import Options
from shutterless.deploy.template.function import ALIAS
from shutterless.deploy.template.types import Resource
from shutterless.runtime.json_types import JsonObject


def url_resources(options: Options) -> dict[str, Resource]:
    """Return the URL of the alias and, unless requests must be signed, the permissions for anyone to use it.

    The URL has no CORS settings: Lambda would add its headers to those that the function sends, and browsers
    refuse a header that is there twice.

    Args:
        options: How the function is deployed.

    Returns:
        The resources by logical id.
    """
    url: Resource = {
        "Type": "AWS::Lambda::Url",
        "DependsOn": "LiveAlias",
        "Properties": {
            "TargetFunctionArn": {"Ref": "Function"},
            "Qualifier": ALIAS,
            "AuthType": "AWS_IAM" if options.auth == "iam" else "NONE",
            "InvokeMode": "BUFFERED",
        },
    }
    if options.auth == "iam":
        return {"FunctionUrl": url}
    # Both, since October 2025: https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html
    return {
        "FunctionUrl": url,
        "AnyoneMayUseUrl": _permission(Action="lambda:InvokeFunctionUrl", FunctionUrlAuthType="NONE"),
        "UrlMayCallFunction": _permission(Action="lambda:InvokeFunction", InvokedViaFunctionUrl=True),
    }


def _permission(**condition: str | bool) -> Resource:
    properties: JsonObject = {
        "FunctionName": {"Fn::Sub": f"${{Function.Arn}}:{ALIAS}"},
        "Principal": "*",
        **condition,
    }
    return {"Type": "AWS::Lambda::Permission", "DependsOn": "LiveAlias", "Properties": properties}
