import pytest
from cfnlint.api import lint

from shutterless.deploy.options import Options
from shutterless.deploy.template.code import parse_code
from shutterless.deploy.template.template import build_template, template_text
from tests.aws_as_it_is.schemas import violations

IMAGE = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/shutterless/clothes@sha256:" + "0" * 64


def build(**options):
    return build_template(
        "clothes", Options(front="url", **options), code=parse_code(IMAGE), model="clothes 1", fingerprint="1"
    )


def of(template, kind):
    return [each["Properties"] for each in template["Resources"].values() if each["Type"] == f"AWS::{kind}"]


@pytest.mark.parametrize(("auth", "auth_type"), [("none", "NONE"), ("iam", "AWS_IAM")])
def test_the_url_is_the_alias_s_and_leaves_cors_to_the_function(auth, auth_type):
    (url,) = of(build(auth=auth), "Lambda::Url")
    assert url == {
        "TargetFunctionArn": {"Ref": "Function"},
        "Qualifier": "live",
        "AuthType": auth_type,
        "InvokeMode": "BUFFERED",
    }


def test_anyone_may_use_a_public_url_by_both_permissions_and_call_the_function_in_no_other_way():
    alias = {"FunctionName": {"Fn::Sub": "${Function.Arn}:live"}, "Principal": "*"}
    assert of(build(auth="none"), "Lambda::Permission") == [
        {**alias, "Action": "lambda:InvokeFunctionUrl", "FunctionUrlAuthType": "NONE"},
        {**alias, "Action": "lambda:InvokeFunction", "InvokedViaFunctionUrl": True},
    ]


def test_a_signed_url_gives_no_permission_to_anyone():
    assert of(build(auth="iam"), "Lambda::Permission") == []


@pytest.mark.parametrize("auth", ["none", "iam"])
def test_nothing_of_api_gateway_is_left(auth):
    template = build(auth=auth)
    assert not [each for each in template["Resources"].values() if "ApiGateway" in each["Type"]]
    assert not {"ApiId", "StageName", "ApiKeyId"} & template["Outputs"].keys()


@pytest.mark.parametrize("auth", ["none", "iam"])
def test_every_property_is_as_aws_s_schema_has_it(auth):
    resources = build(auth=auth)["Resources"].values()
    assert [list(violations(each["Type"], each["Properties"])) for each in resources] == [[]] * len(resources)


@pytest.mark.slow
@pytest.mark.parametrize("auth", ["none", "iam"])
@pytest.mark.parametrize(
    "options",
    [
        {"snapstart": True, "timeout": 900, "reserved_concurrency": 5},
        {"provisioned_concurrency": 2, "url_hosts": "example.com"},
    ],
    ids=["snapstart", "provisioned"],
)
def test_cfn_lint_finds_nothing(auth, options):
    text = template_text(build(auth=auth, **options))
    assert [str(match) for match in lint(text, regions=["eu-central-1"])] == []


def test_the_address_has_no_slash_at_its_end():
    parts = {"Fn::Split": ["/", {"Fn::GetAtt": ["FunctionUrl", "FunctionUrl"]}]}
    assert build(auth="none")["Outputs"]["Url"]["Value"] == {
        "Fn::Sub": ["https://${Host}", {"Host": {"Fn::Select": [2, parts]}}]
    }
