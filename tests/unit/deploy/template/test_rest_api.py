import json

import pytest

from shutterless.deploy.options import Options
from shutterless.deploy.template.rest_api import ROUTES, api_resources, stage_resources
from shutterless.runtime.image.opener import PLUGINS
from shutterless.runtime.problems import KINDS
from shutterless.runtime.responses import preflight_response


def build(**options):
    api = api_resources("clothes", Options(**options))
    return {**api, **stage_resources("clothes", Options(**options), api)}


def of(resources, kind):
    named = {key: value["Properties"] for key, value in resources.items()}
    return {key: named[key] for key in named if resources[key]["Type"] == f"AWS::ApiGateway::{kind}"}


def deployment(**options):
    return next(key for key in build(**options) if key.startswith("Deployment"))


def methods_with(resources, name, value):
    """Return the methods whose property `name` has this value."""
    return {key for key, method in of(resources, "Method").items() if method[name] == value}


def test_every_path_of_the_api_has_its_method_head_and_one_for_preflights():
    methods = of(build(), "Method")
    for path, (method, prefix) in ROUTES.items():
        expected = {method, "OPTIONS", *(["HEAD"] if method == "GET" else [])}
        resource = {"Fn::GetAtt": ["Api", "RootResourceId"]} if path == "/" else {"Ref": f"{prefix}Resource"}
        assert {each["HttpMethod"] for each in methods.values() if each["ResourceId"] == resource} == expected
        if path != "/":
            assert of(build(), "Resource")[f"{prefix}Resource"]["PathPart"] == path[1:]


@pytest.mark.parametrize("auth", ["api-key", "none", "iam"])
def test_answers_can_be_corrected_by_whoever_may_predict_where_there_are_records(auth):
    assert "FeedbackPost" not in build(auth=auth)
    methods = of(build(auth=auth, records="on"), "Method")
    predict, feedback = methods["PredictPost"], methods["FeedbackPost"]
    assert {**predict, "ResourceId": feedback["ResourceId"]} == feedback
    assert methods["FeedbackOptions"]["AuthorizationType"] == "NONE"


def test_every_method_but_preflights_is_a_proxy_to_the_alias():
    for name, method in of(build(), "Method").items():
        integration = method["Integration"]
        if not name.endswith("Options"):
            assert integration["Type"] == "AWS_PROXY"
            assert integration["IntegrationHttpMethod"] == "POST"
            assert integration["Uri"]["Fn::Sub"].endswith("functions/${Function.Arn}:live/invocations")


@pytest.mark.parametrize("path", ROUTES)
def test_preflights_are_answered_by_api_gateway_as_the_function_answers_them(path):
    verb, prefix = ROUTES[path]
    method = of(build(), "Method")[f"{prefix}Options"]
    (answer,) = method["Integration"]["IntegrationResponses"]
    headers = {
        name.removeprefix("method.response.header."): value
        for name, value in answer["ResponseParameters"].items()
    }
    assert method["Integration"]["Type"] == "MOCK"
    assert headers.pop("X-Request-Id") == "context.requestId"
    expected = preflight_response([verb])
    assert {name: value.strip("'") for name, value in headers.items()} == expected.headers
    assert answer["StatusCode"] == str(expected.status)
    (declared,) = method["MethodResponses"]
    assert declared["StatusCode"] == answer["StatusCode"]
    assert declared["ResponseParameters"] == dict.fromkeys(answer["ResponseParameters"], True)


def test_without_the_page_its_path_does_not_exist():
    resources = build(page="off")
    root = {"Fn::GetAtt": ["Api", "RootResourceId"]}
    assert all(method["ResourceId"] != root for method in of(resources, "Method").values())
    assert answers(page="off")["MISSING_AUTHENTICATION_TOKEN"] == ("404", "not-found")
    assert {"ModelGet", "PredictPost"} <= of(resources, "Method").keys()


def test_with_an_api_key_only_predictions_require_it():
    resources = build(auth="api-key")
    assert methods_with(resources, "ApiKeyRequired", True) == {"PredictPost"}
    assert methods_with(resources, "AuthorizationType", "AWS_IAM") == set()
    assert of(resources, "UsagePlanKey")["UsagePlanKey"]["KeyId"] == {"Ref": "ApiKey"}


def test_without_authentication_there_is_no_key_and_nothing_requires_one():
    resources = build(auth="none")
    assert (
        methods_with(resources, "ApiKeyRequired", True)
        == methods_with(resources, "AuthorizationType", "AWS_IAM")
        == set()
    )
    assert of(resources, "ApiKey") == of(resources, "UsagePlan") == of(resources, "UsagePlanKey") == {}


def test_with_iam_everything_but_preflights_is_signed():
    resources = build(auth="iam")
    preflights = {f"{prefix}Options" for _, prefix in ROUTES.values()}
    assert (
        methods_with(resources, "AuthorizationType", "AWS_IAM") == set(of(resources, "Method")) - preflights
    )
    assert methods_with(resources, "ApiKeyRequired", True) == set()


def test_pictures_of_every_format_arrive_as_bytes():
    (api,) = of(build(), "RestApi").values()
    types = api["BinaryMediaTypes"]
    assert {f"image/{name.lower()}" for name in PLUGINS} <= set(types)
    assert {"multipart/form-data", "application/octet-stream"} <= set(types)
    assert not any("*" in kind for kind in types)
    assert api["EndpointConfiguration"] == {"Types": ["REGIONAL"]}


@pytest.mark.parametrize("auth", ["api-key", "none", "iam"])
def test_the_gateways_own_answers_are_problems_that_browsers_can_read(auth):
    for answer in of(build(auth=auth), "GatewayResponse").values():
        assert answer["ResponseParameters"].items() >= {
            ("gatewayresponse.header.Access-Control-Allow-Origin", "'*'"),
            ("gatewayresponse.header.Content-Type", "'application/problem+json'"),
        }
        assert {"type", "title", "detail", "code"} <= problem(answer).keys()
        assert str(problem(answer).get("status", "")) == answer.get("StatusCode", "")


def problem(answer):
    """Return the body of one of the gateway's own answers, with its own words filled in."""
    template = answer["ResponseTemplates"]["application/json"]
    return json.loads(template.replace("$context.error.messageString", '"Forbidden"'))


def answers(**options):
    """Return status and code of each kind of the gateway's own answers."""
    responses = of(build(**options), "GatewayResponse").values()
    return {each["ResponseType"]: (each.get("StatusCode"), problem(each)["code"]) for each in responses}


def test_each_of_the_gateways_answers_has_its_code():
    codes = answers()
    assert codes["REQUEST_TOO_LARGE"] == ("413", "too-large")
    assert codes["INVALID_API_KEY"] == ("403", "forbidden")
    assert codes["THROTTLED"] == ("429", "throttled")
    assert codes["QUOTA_EXCEEDED"] == ("429", "quota-exceeded")
    assert codes["INTEGRATION_TIMEOUT"] == ("504", "timeout")
    assert codes["INTEGRATION_FAILURE"] == ("502", "unavailable")
    assert codes["DEFAULT_5XX"] == (None, "internal")


def test_a_crash_is_worth_another_try():
    headers = {
        each["ResponseType"]: each["ResponseParameters"].get("gatewayresponse.header.Retry-After")
        for each in of(build(), "GatewayResponse").values()
    }
    assert {kind: value for kind, value in headers.items() if value} == {"INTEGRATION_FAILURE": "'5'"}


def test_an_unknown_path_is_not_found_unless_the_signature_may_be_missing():
    assert answers()["MISSING_AUTHENTICATION_TOKEN"] == ("404", "not-found")
    assert answers(auth="iam")["MISSING_AUTHENTICATION_TOKEN"] == ("403", "forbidden")


def test_codes_that_the_function_has_too_have_its_status():
    for status, code in answers().values():
        if status and code in KINDS:
            assert int(status) == KINDS[code][0]


def test_the_deployment_waits_for_all_that_it_freezes():
    resources = build()
    needed = {*of(resources, "Method"), *of(resources, "GatewayResponse")}
    assert set(resources[deployment()]["DependsOn"]) == needed


def test_a_changed_api_is_another_deployment_a_changed_stage_is_not():
    assert deployment() != deployment(auth="none")
    assert deployment() == deployment(stage="test", rate=5, quota=1, memory=3008)


def test_stage_and_usage_plan_have_the_same_rate():
    resources = build(rate=3, burst=4, quota=500)
    settings = of(resources, "Stage")["Stage"]["MethodSettings"]
    limits = {
        (each["ResourcePath"], each["HttpMethod"]): (
            each["ThrottlingRateLimit"],
            each["ThrottlingBurstLimit"],
        )
        for each in settings
    }
    assert limits[("/~1predict", "POST")] == limits[("/~1predict", "OPTIONS")] == (3, 4)
    plan = of(resources, "UsagePlan")["UsagePlan"]
    assert plan["Throttle"] == {"RateLimit": 3, "BurstLimit": 4}
    assert plan["Quota"] == {"Limit": 500, "Period": "MONTH"}
    assert plan["ApiStages"] == [{"ApiId": {"Ref": "Api"}, "Stage": {"Ref": "Stage"}}]


@pytest.mark.parametrize(("rate", "public"), [(1, 1), (10, 1), (19, 1), (200, 20)])
def test_what_needs_no_key_gets_a_tenth_of_the_rate(rate, public):
    settings = of(build(rate=rate), "Stage")["Stage"]["MethodSettings"]
    (others,) = [each for each in settings if each["ResourcePath"] == "/*"]
    assert (others["HttpMethod"], others["ThrottlingRateLimit"]) == ("*", public)


@pytest.mark.parametrize(
    ("options", "rate"),
    [({}, 22), ({"auth": "none"}, 32), ({"auth": "iam"}, 14), ({"rate": 100}, 220), ({"page": "off"}, 19)],
)
def test_strangers_can_have_so_many_requests_billed_per_second(options, rate):
    resources = build(**options)
    limits = {
        (each["ResourcePath"], each["HttpMethod"]): each["ThrottlingRateLimit"]
        for each in of(resources, "Stage")["Stage"]["MethodSettings"]
    }
    public = limits[("/*", "*")]
    assert rate == sum(
        limits.get(("/~1predict", method["HttpMethod"]), public) if name.startswith("Predict") else public
        for name, method in of(resources, "Method").items()
        if method["AuthorizationType"] == "NONE" and not method["ApiKeyRequired"]
    )


def test_a_quota_of_0_is_no_quota():
    assert "Quota" not in of(build(quota=0), "UsagePlan")["UsagePlan"]


def test_only_this_api_may_call_and_only_the_alias():
    permission = build()["ApiMayCallFunction"]
    assert permission["DependsOn"] == "LiveAlias"
    assert permission["Properties"]["FunctionName"] == {"Fn::Sub": "${Function.Arn}:live"}
    assert permission["Properties"]["SourceArn"]["Fn::Sub"].endswith(":${AWS::AccountId}:${Api}/*")
