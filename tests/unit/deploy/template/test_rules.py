"""Every template against AWS's schemas, and what those accept and a service then rejects or misunderstands.

The options have too many combinations to try all. Every three values of three options occur together in the
templates here, every two in those that cfn-lint gets. Each rule is shown to catch the mistakes it is there
for, planted in a template.
"""

import copy
import itertools
import json
import re
from functools import cache
from random import Random

import jsonschema
import pytest
from cfnlint.api import lint
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from shutterless.deploy.option_values import MAX_REST_TIMEOUT, MAX_TAGS, MAX_TAGS_BYTES, MAX_URL_HOSTS_LENGTH
from shutterless.deploy.options import MAX_NAME_LENGTH, Options
from shutterless.deploy.template.code import ImageCode, ZipCode, bucket_name, zip_key
from shutterless.deploy.template.diff import REPLACED_BY
from shutterless.deploy.template.function import ALIAS, fingerprint
from shutterless.deploy.template.releases import ALIAS_ID, MAX_RELEASES
from shutterless.deploy.template.rest_api import ROUTES
from shutterless.deploy.template.template import build_template, template_text

MAX_TEMPLATE = 51_200  # bytes that a change set takes in its request; more would need a bucket
MAX_SNAPSTART_STORAGE = 512  # MB of /tmp
MAX_ENVIRONMENT = 4_096  # bytes of a function's environment variables, as JSON
MAX_DESCRIPTION = 256  # characters of a function's and a version's description
REGION = "eu-central-1"
TOPIC = "arn:aws:sns:eu-central-1:123456789012:alarms"
ALLOW_ORIGIN = "gatewayresponse.header.Access-Control-Allow-Origin"


def code(options, name, number):
    if options.package == "zip":
        return ZipCode(bucket_name("123456789012", REGION), zip_key(name, f"{number:064x}"), f"{number:032}")
    return ImageCode(
        f"123456789012.dkr.ecr.{REGION}.amazonaws.com/shutterless/{name}", f"sha256:{number:064x}"
    )


def build(number=1, *, deployed=None, weight=0.0, name="clothes", **options):
    return build_template(
        name,
        Options(**options),
        code=code(Options(**options), name, number),
        model=f"Größe {number}",
        fingerprint=str(number),
        deployed=deployed,
        weight=weight,
    )


DOMAIN = {
    "domain": "photos.example.com",
    "certificate": "arn:aws:acm:eu-central-1:123456789012:certificate/0a1b-2c3d",
}
MAIL = {"alarm_email": "vision@example.com"}
# Each option has one of its values in a template; values that go together are one choice.
CHOICES = {
    "front": [
        *({"auth": "api-key"}, {"auth": "none", "page": "off"}, {"auth": "iam"}),
        *({"front": "url", "auth": "none"}, {"front": "url", "auth": "iam"}),
    ],
    "start": [{}, {"snapstart": True}, {"provisioned_concurrency": 2}],
    "platform": [{}, {"platform": "linux/arm64"}],
    "package": [{}, {"package": "image"}],
    "quota": [{}, {"quota": 0}],
    "topic": [{}, {"alarm_topic": TOPIC}],
    "mail": [{}, MAIL, {**MAIL, "budget": 50}],
    "reserved": [{}, {"reserved_concurrency": 5}],
    "hosts": [{}, {"url_hosts": "example.com"}],
    "tags": [{}, {"tags": {"équipe": "vision", "cost centre": "4711"}}],
    "role": [
        {},
        {"role_path": "/teams/vision/"},
        {"permissions_boundary": "arn:aws:iam::123456789012:policy/developers"},
    ],
    "log key": [{}, {"log_kms_key": "arn:aws:kms:eu-central-1:123456789012:key/0a1b-2c3d"}],
    "network": [{}, {"subnets": "subnet-0a1b2c3d,subnet-4e5f6a7b", "security_groups": "sg-0a1b2c3d"}],
    "domain": [{}, DOMAIN, {**DOMAIN, "hosted_zone": "Z0123456789ABC"}],
}


def is_possible(row):
    """Tell whether options go together: a function URL has no domain."""
    front = CHOICES["front"][row.get("front", 0)]
    return front.get("front") != "url" or row.get("domain", 0) == 0


def combine(strength):
    """Return sets of options in which every so many possible values of different options occur together."""
    random, rows = Random(7), []
    missing = {
        combination
        for names in itertools.combinations(CHOICES, strength)
        for combination in itertools.product(
            *([(name, index) for index in range(len(CHOICES[name]))] for name in names)
        )
        if is_possible(dict(combination))
    }
    while missing:
        required = dict(min(missing))
        candidates = (
            {name: random.randrange(len(CHOICES[name])) for name in CHOICES} | required for _ in range(50)
        )
        rows.append(
            max(
                filter(is_possible, candidates),
                key=lambda row: len(missing & set(itertools.combinations(row.items(), strength))),
            )
        )
        missing -= set(itertools.combinations(rows[-1].items(), strength))
    merged = [[CHOICES[name][index] for name, index in row.items()] for row in rows]
    return [{key: value for choice in row for key, value in choice.items()} for row in merged]


def build_all(combinations):
    """Return the templates of a first deploy, a second one, and a canary, for each set of options."""
    templates = []
    for options in combinations:
        first = build(**options)
        templates += [first, build(2, deployed=first, **options)]
        if "provisioned_concurrency" not in options:  # which `find_target` refuses together with a canary
            templates.append(build(2, deployed=first, weight=0.1, **options))
    return templates


@pytest.fixture(scope="module")
def templates():
    return build_all(combine(3))


@cache
def schema_of(kind):
    return PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGION, kind).schema


def is_call(value):
    """Tell whether a value is a call such as Ref, whose result no schema can judge."""
    return isinstance(value, dict) and any(key == "Ref" or key.startswith("Fn::") for key in value)


def schema_errors(resource):
    """Return where and why a resource does not have the form of AWS's schema of its type."""
    schema, properties = schema_of(resource["Type"]), resource["Properties"]
    own = jsonschema.Draft7Validator(schema).iter_errors(properties)
    errors = [f"{each.json_path}: {each.message}" for each in own if not is_call(each.instance)]
    read_only = {path.split("/")[2] for path in schema.get("readOnlyProperties", [])}
    return errors + [f"{name} is read-only" for name in read_only & properties.keys()]


def test_every_property_has_the_form_of_its_schema(templates):
    resources = {
        json.dumps(resource, sort_keys=True): resource
        for template in templates
        for resource in template["Resources"].values()
    }
    assert len(resources) > 100
    assert {text: errors for text, each in resources.items() if (errors := schema_errors(each))} == {}


@pytest.mark.parametrize(
    ("name", "property_name", "value"),
    [
        ("Function", "MemorySiz", 1769),
        ("Function", "MemorySize", "much"),
        ("Role", "Arn", "arn:aws:iam::123456789012:role/x"),
        ("ErrorsAlarm", "Threshold", "1"),
    ],
)
def test_a_property_of_another_form_is_noticed(name, property_name, value):
    resource = build()["Resources"][name]
    assert schema_errors(resource) == []
    assert schema_errors({**resource, "Properties": {**resource["Properties"], property_name: value}}) != []


@pytest.mark.slow
@pytest.mark.parametrize("options", combine(2), ids=lambda options: "-".join(options))
def test_cfn_lint_finds_nothing(options):
    template = build_all([options])[-1]
    assert [str(match) for match in lint(template_text(template), regions=[REGION])] == []


def replacing_properties(resource):
    """Return the values of those properties of a resource that AWS replaces it for, by name."""
    values = {}
    for path in schema_of(resource["Type"]).get("createOnlyProperties", []):
        value = resource["Properties"]
        for name in path.split("/")[2:]:
            value = value.get(name) if isinstance(value, dict) else None
        if value is not None:
            values[".".join(path.split("/")[2:])] = value
    return values


def test_the_plan_knows_of_every_property_whether_it_replaces(templates):
    replacing = {}
    for template in templates:
        for resource in template["Resources"].values():
            replacing.setdefault(resource["Type"], set()).update(replacing_properties(resource))
    assert replacing == REPLACED_BY


def test_nothing_that_would_come_back_changed_replaces_a_resource(templates):
    """GetTemplate returns `?` for what is not ASCII, and the next deploy would replace the resource."""
    for template in templates:
        for resource in template["Resources"].values():
            assert json.dumps(replacing_properties(resource), ensure_ascii=False).isascii()


def resources_of(template, kind):
    return {key: value for key, value in template["Resources"].items() if value["Type"] == f"AWS::{kind}"}


def properties_of(template, kind):
    return {key: value["Properties"] for key, value in resources_of(template, kind).items()}


def refers_to(content, logical_id):
    """Tell whether a value refers to a resource by Ref, Fn::GetAtt or Fn::Sub."""
    if isinstance(content, dict):
        return any(refers_to(value, logical_id) for value in content.values())
    if isinstance(content, list):
        return any(refers_to(value, logical_id) for value in content)
    return content == logical_id or bool(
        isinstance(content, str) and re.search(rf"\$\{{{logical_id}[.}}]", content)
    )


def depends_on(resource):
    names = resource.get("DependsOn", [])
    return {names} if isinstance(names, str) else set(names)


def the_code_is_given_by_its_content(template):
    """What is written again under its name would not be deployed, and a rollback would not bring it back."""
    for function in properties_of(template, "Lambda::Function").values():
        code = function["Code"]
        if function["PackageType"] == "Image":
            assert re.fullmatch(r".+@sha256:[0-9a-f]{64}", code["ImageUri"])
        else:
            assert re.fullmatch(r".+/[0-9a-f]{64}\.zip", code["S3Key"])
            assert code["S3ObjectVersion"] not in ("", "null")


def the_function_gives_up_before_the_gateway(template):
    """API Gateway waits 29 s. After that the caller would pay for an answer that he does not get."""
    for function in properties_of(template, "Lambda::Function").values():
        assert function["Timeout"] <= MAX_REST_TIMEOUT < 29


def snapstart_is_possible(template):
    """SnapStart needs a published version, at most 512 MB of /tmp, and no provisioned concurrency."""
    for function in properties_of(template, "Lambda::Function").values():
        if "SnapStart" in function:
            storage = function.get("EphemeralStorage", {}).get("Size", 0)
            assert storage <= MAX_SNAPSTART_STORAGE
            assert resources_of(template, "Lambda::Version")
            for alias in properties_of(template, "Lambda::Alias").values():
                assert "ProvisionedConcurrencyConfig" not in alias


def a_canary_is_possible(template):
    """Lambda refuses an alias with both weights and provisioned concurrency."""
    for alias in properties_of(template, "Lambda::Alias").values():
        assert not alias.keys() >= {"RoutingConfig", "ProvisionedConcurrencyConfig"}


def calls_go_through_the_alias(template):
    """A call past the alias would get what was deployed last, whatever was rolled back.

    And without proxy integration errors would be mapped by their text.
    """
    methods = properties_of(template, "ApiGateway::Method")
    assert methods
    for method in methods.values():
        if method["HttpMethod"] != "OPTIONS":
            assert f":{ALIAS}/invocations" in str(method["Integration"]["Uri"])
            assert method["Integration"]["Type"] == "AWS_PROXY"


def only_this_api_may_call_only_the_alias(template):
    """Without a permission every call is a 500; without a source any API in the world may call."""
    permissions = resources_of(template, "Lambda::Permission")
    assert permissions
    for resource in permissions.values():
        permission = resource["Properties"]
        assert refers_to(permission["FunctionName"], "Function")
        assert f":{ALIAS}" in str(permission["FunctionName"])
        assert "${Api}/" in str(permission["SourceArn"])
        assert ALIAS_ID in depends_on(resource) or refers_to(permission["FunctionName"], ALIAS_ID)


def pictures_are_binary_and_nothing_else(template):
    """With */* API Gateway treats preflights as pictures; without a type such pictures arrive corrupt."""
    apis = properties_of(template, "ApiGateway::RestApi")
    assert apis
    for api in apis.values():
        types = set(api["BinaryMediaTypes"])
        assert "*/*" not in types
        assert types >= {"image/jpeg", "image/png", "multipart/form-data", "application/octet-stream"}


def the_deployment_waits_for_what_it_freezes(template):
    """A deployment that is created before a method does not contain it."""
    frozen = {
        *resources_of(template, "ApiGateway::Method"),
        *resources_of(template, "ApiGateway::GatewayResponse"),
    }
    deployments = resources_of(template, "ApiGateway::Deployment")
    assert deployments
    for deployment in deployments.values():
        assert frozen <= depends_on(deployment)


def the_deployment_is_of_this_api(template):
    """Deployments never change: under the id of an older deployment, the older API would keep answering."""
    types = ["RestApi", "Resource", "Method", "GatewayResponse"]
    kinds = [f"AWS::ApiGateway::{kind}" for kind in types]
    api = {key: value for key, value in template["Resources"].items() if value["Type"] in kinds}
    assert set(resources_of(template, "ApiGateway::Deployment")) == {f"Deployment{fingerprint(api)}"}


def the_stage_is_there_before_its_usage_plan(template):
    """A usage plan that is created before its stage fails now and then."""
    for plan in resources_of(template, "ApiGateway::UsagePlan").values():
        for stage in resources_of(template, "ApiGateway::Stage"):
            assert stage in depends_on(plan) or refers_to(plan["Properties"]["ApiStages"], stage)


def a_required_key_belongs_to_a_usage_plan(template):
    """A method that requires a key which no plan has refuses everybody."""
    if any(method.get("ApiKeyRequired") for method in properties_of(template, "ApiGateway::Method").values()):
        assert resources_of(template, "ApiGateway::UsagePlanKey")


def every_route_has_its_method_and_open_preflights(template):
    """Browsers send preflights without key and signature; a preflight must not cost a call."""
    methods = properties_of(template, "ApiGateway::Method")
    for method, prefix in ROUTES.values():
        if prefix == "Root" and template["Metadata"]["Shutterless"]["Options"]["page"] == "off":
            assert not [name for name in methods if name.startswith(prefix)]
            continue
        assert f"{prefix}{method.capitalize()}" in methods
        preflight = methods.get(f"{prefix}Options", {})
        assert preflight.get("HttpMethod") == "OPTIONS"
        assert not preflight.get("ApiKeyRequired")
        assert preflight["AuthorizationType"] == "NONE"
        assert preflight["Integration"]["Type"] == "MOCK"


def browsers_can_read_the_gateways_own_answers(template):
    """Without CORS headers a page sees a network error where API Gateway says why it refuses."""
    responses = {
        response["ResponseType"]: response
        for response in properties_of(template, "ApiGateway::GatewayResponse").values()
    }
    needed = {"DEFAULT_4XX", "DEFAULT_5XX", "REQUEST_TOO_LARGE", "THROTTLED", "INTEGRATION_TIMEOUT"}
    assert needed <= responses.keys()
    for response in responses.values():
        assert ALLOW_ORIGIN in response.get("ResponseParameters", {})


def a_function_url_calls_the_alias(template):
    """Without a qualifier the URL would answer with what was deployed last, whatever was rolled back."""
    (url,) = properties_of(template, "Lambda::Url").values()
    assert url.get("Qualifier") == ALIAS
    assert "Cors" not in url  # Lambda would add its headers to the function's, and browsers refuse two


def a_public_function_url_has_both_its_permissions(template):
    """Without one of them every request is a 403; with more, anyone could call the function otherwise."""
    (url,) = properties_of(template, "Lambda::Url").values()
    permissions = resources_of(template, "Lambda::Permission").values()
    conditions = {
        "lambda:InvokeFunctionUrl": "FunctionUrlAuthType",
        "lambda:InvokeFunction": "InvokedViaFunctionUrl",
    }
    actions = {each["Properties"]["Action"] for each in permissions}
    assert actions == (conditions.keys() if url["AuthType"] == "NONE" else set())
    for permission in permissions:
        assert conditions[permission["Properties"]["Action"]] in permission["Properties"]
        assert f":{ALIAS}" in str(permission["Properties"]["FunctionName"])
        assert ALIAS_ID in depends_on(permission)


def the_role_is_narrow(template):
    """The function decodes strangers' pictures: whatever it may do in the account, they may try to.

    What Lambda itself needs on every resource, the function's own code is denied.
    """
    roles = properties_of(template, "IAM::Role")
    assert roles
    for role in roles.values():
        assert "ManagedPolicyArns" not in role
        for policy in role["Policies"]:
            allowed, denied = set(), set()
            for statement in policy["PolicyDocument"]["Statement"]:
                assert "*" not in str(statement["Action"])
                if statement["Effect"] == "Deny":
                    assert statement["Resource"] == "*"
                    assert list(statement["Condition"]) == ["ArnEquals"]
                    source = statement["Condition"]["ArnEquals"]["lambda:SourceFunctionArn"]["Fn::Sub"]
                    (function,) = properties_of(template, "Lambda::Function").values()
                    assert source.endswith(f":function:{function['FunctionName']}")
                    denied.update(statement["Action"])
                elif statement["Resource"] == "*":
                    allowed.update(statement["Action"])
            assert allowed == denied


def every_alarm_reaches_everyone(template):
    """An alarm without an action, or a topic without a subscription, tells nobody."""
    alarms = properties_of(template, "CloudWatch::Alarm")
    assert alarms
    for topic in resources_of(template, "SNS::Topic"):
        assert all(refers_to(alarm.get("AlarmActions"), topic) for alarm in alarms.values())
        subscriptions = properties_of(template, "SNS::Subscription").values()
        assert any(refers_to(each["TopicArn"], topic) for each in subscriptions)


def the_domain_leads_to_the_stage(template):
    """A domain without a mapping answers 403, and a mapping made before its stage fails."""
    for domain in resources_of(template, "ApiGateway::DomainName"):
        mappings = properties_of(template, "ApiGateway::BasePathMapping").values()
        mapping = next((each for each in mappings if refers_to(each["DomainName"], domain)), None)
        assert mapping
        for kind in ("ApiGateway::RestApi", "ApiGateway::Stage"):
            (target,) = resources_of(template, kind)
            assert refers_to(mapping, target)


def descriptions_are_short_and_ascii(template):
    """CloudFormation takes longer ones, and the service then refuses them."""
    for resource in template["Resources"].values():
        assert len(resource["Properties"].get("Description", "")) <= MAX_DESCRIPTION
    texts = [template["Description"], *(output["Description"] for output in template["Outputs"].values())]
    assert all(text.isascii() for text in texts)


def the_environment_fits(template):
    for function in properties_of(template, "Lambda::Function").values():
        assert len(json.dumps(function["Environment"]["Variables"])) <= MAX_ENVIRONMENT


def the_template_fits_into_a_request(template):
    assert len(template_text(template).encode()) <= MAX_TEMPLATE


RULES = (
    a_function_url_calls_the_alias,
    a_public_function_url_has_both_its_permissions,
    the_code_is_given_by_its_content,
    the_function_gives_up_before_the_gateway,
    snapstart_is_possible,
    a_canary_is_possible,
    calls_go_through_the_alias,
    only_this_api_may_call_only_the_alias,
    pictures_are_binary_and_nothing_else,
    the_deployment_waits_for_what_it_freezes,
    the_deployment_is_of_this_api,
    the_stage_is_there_before_its_usage_plan,
    a_required_key_belongs_to_a_usage_plan,
    every_route_has_its_method_and_open_preflights,
    browsers_can_read_the_gateways_own_answers,
    the_role_is_narrow,
    every_alarm_reaches_everyone,
    the_domain_leads_to_the_stage,
    descriptions_are_short_and_ascii,
    the_environment_fits,
    the_template_fits_into_a_request,
)


URL_RULES = {a_function_url_calls_the_alias, a_public_function_url_has_both_its_permissions}
REST_RULES = {
    the_function_gives_up_before_the_gateway,
    calls_go_through_the_alias,
    only_this_api_may_call_only_the_alias,
    pictures_are_binary_and_nothing_else,
    the_deployment_waits_for_what_it_freezes,
    the_deployment_is_of_this_api,
    every_route_has_its_method_and_open_preflights,
    browsers_can_read_the_gateways_own_answers,
}


def has_front(template, rule):
    """Tell whether a template has what a rule is about: a function URL, or API Gateway."""
    has_url = bool(resources_of(template, "Lambda::Url"))
    return not (rule in REST_RULES and has_url) and not (rule in URL_RULES and not has_url)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_every_template_keeps_the_rule(templates, rule):
    assert len(templates) > 100
    for template in templates:
        if has_front(template, rule):
            rule(template)


def test_the_largest_template_fits_into_a_request():
    name = "a" * MAX_NAME_LENGTH
    options = {
        **DOMAIN,
        "hosted_zone": "Z" + "A" * 31,
        "stage": "s" * 128,
        "alarm_topic": f"arn:aws:sns:ap-southeast-1:123456789012:{'a' * 256}",
        "alarm_email": f"{'a' * 64}@{'b' * 63}.example.com",
        "budget": 1_000_000,
        "reserved_concurrency": 10_000,
        "url_hosts": "a" * MAX_URL_HOSTS_LENGTH,
        "records": "on",
        "keep_photos": "refused,sample:0.000001",
        "subnets": ",".join(f"subnet-{number:017x}" for number in range(16)),
        "security_groups": ",".join(f"sg-{number:017x}" for number in range(5)),
        "tags": {f"key {number:02d}": "v" * (MAX_TAGS_BYTES // MAX_TAGS - 14) for number in range(MAX_TAGS)},
    }
    assert len(json.dumps(options["tags"])) > 0.95 * MAX_TAGS_BYTES
    template = build(name=name, **options)
    for number in range(2, MAX_RELEASES):
        template = build(number, deployed=template, name=name, **options)
    template = build(MAX_RELEASES, deployed=template, weight=0.1, name=name, **options)
    assert len(resources_of(template, "Lambda::Version")) == MAX_RELEASES
    for rule in RULES:
        if has_front(template, rule):
            rule(template)


# rule: the mistakes that it has to catch, each a change of a template's resources
MISTAKES = {}


def mistake(rule):
    def register(change):
        MISTAKES.setdefault(rule, []).append(change)
        return change

    return register


def only(resources, kind):
    """Return the logical id of the only resource of a type."""
    (key,) = resources_of({"Resources": resources}, kind)
    return key


@mistake(the_code_is_given_by_its_content)
def _(resources):
    properties = resources["Function"]["Properties"]
    properties.update(PackageType="Image", Code={"ImageUri": "host/shutterless/clothes:latest"})


@mistake(the_code_is_given_by_its_content)
def _(resources):
    resources["Function"]["Properties"]["Code"]["S3ObjectVersion"] = "null"


@mistake(the_function_gives_up_before_the_gateway)
def _(resources):
    resources["Function"]["Properties"]["Timeout"] = 29


@mistake(snapstart_is_possible)
def _(resources):
    resources["Function"]["Properties"].update(
        SnapStart={"ApplyOn": "PublishedVersions"}, EphemeralStorage={"Size": 1024}
    )


@mistake(snapstart_is_possible)
def _(resources):
    resources["Function"]["Properties"]["SnapStart"] = {"ApplyOn": "PublishedVersions"}
    resources["LiveAlias"]["Properties"]["ProvisionedConcurrencyConfig"] = {
        "ProvisionedConcurrentExecutions": 1
    }


@mistake(snapstart_is_possible)
def _(resources):
    resources["Function"]["Properties"]["SnapStart"] = {"ApplyOn": "PublishedVersions"}
    del resources[only(resources, "Lambda::Version")]


@mistake(a_canary_is_possible)
def _(resources):
    resources["LiveAlias"]["Properties"].update(
        RoutingConfig={"AdditionalVersionWeights": []},
        ProvisionedConcurrencyConfig={"ProvisionedConcurrentExecutions": 1},
    )


@mistake(calls_go_through_the_alias)
def _(resources):
    uri = resources["PredictPost"]["Properties"]["Integration"]["Uri"]
    uri["Fn::Sub"] = uri["Fn::Sub"].replace(":live/", "/")


@mistake(calls_go_through_the_alias)
def _(resources):
    resources["PredictPost"]["Properties"]["Integration"]["Type"] = "AWS"


@mistake(only_this_api_may_call_only_the_alias)
def _(resources):
    del resources["ApiMayCallFunction"]


@mistake(only_this_api_may_call_only_the_alias)
def _(resources):
    resources["ApiMayCallFunction"]["Properties"]["SourceArn"] = ""


@mistake(only_this_api_may_call_only_the_alias)
def _(resources):
    resources["ApiMayCallFunction"]["Properties"]["SourceArn"] = {
        "Fn::Sub": "arn:aws:execute-api:${AWS::Region}:${AWS::AccountId}:*/*"
    }


@mistake(only_this_api_may_call_only_the_alias)
def _(resources):
    resources["ApiMayCallFunction"]["Properties"]["FunctionName"] = {"Ref": "Function"}


@mistake(only_this_api_may_call_only_the_alias)
def _(resources):
    del resources["ApiMayCallFunction"]["DependsOn"]


@mistake(pictures_are_binary_and_nothing_else)
def _(resources):
    resources["Api"]["Properties"]["BinaryMediaTypes"].append("*/*")


@mistake(pictures_are_binary_and_nothing_else)
def _(resources):
    resources["Api"]["Properties"]["BinaryMediaTypes"].remove("multipart/form-data")


@mistake(the_deployment_waits_for_what_it_freezes)
def _(resources):
    resources[only(resources, "ApiGateway::Deployment")]["DependsOn"].remove("PredictPost")


@mistake(the_deployment_waits_for_what_it_freezes)
def _(resources):
    del resources[only(resources, "ApiGateway::Deployment")]["DependsOn"]


@mistake(the_deployment_waits_for_what_it_freezes)
def _(resources):
    del resources[only(resources, "ApiGateway::Deployment")]


@mistake(the_deployment_is_of_this_api)
def _(resources):
    resources["PredictPost"]["Properties"]["ApiKeyRequired"] = False


@mistake(the_stage_is_there_before_its_usage_plan)
def _(resources):
    resources["UsagePlan"]["Properties"]["ApiStages"][0]["Stage"] = "prod"


@mistake(a_required_key_belongs_to_a_usage_plan)
def _(resources):
    del resources["UsagePlanKey"]


@mistake(every_route_has_its_method_and_open_preflights)
def _(resources):
    del resources["PredictPost"]


@mistake(every_route_has_its_method_and_open_preflights)
def _(resources):
    del resources["PredictOptions"]


@mistake(every_route_has_its_method_and_open_preflights)
def _(resources):
    resources["PredictOptions"]["Properties"]["ApiKeyRequired"] = True


@mistake(every_route_has_its_method_and_open_preflights)
def _(resources):
    resources["PredictOptions"]["Properties"]["AuthorizationType"] = "AWS_IAM"


@mistake(every_route_has_its_method_and_open_preflights)
def _(resources):
    resources["PredictOptions"]["Properties"]["Integration"]["Type"] = "AWS_PROXY"


@mistake(browsers_can_read_the_gateways_own_answers)
def _(resources):
    del resources["ThrottledResponse"]


@mistake(browsers_can_read_the_gateways_own_answers)
def _(resources):
    del resources["Default4XxResponse"]["Properties"]["ResponseParameters"]


@mistake(a_function_url_calls_the_alias)
def _(resources):
    del resources["FunctionUrl"]["Properties"]["Qualifier"]


@mistake(a_function_url_calls_the_alias)
def _(resources):
    resources["FunctionUrl"]["Properties"]["Cors"] = {"AllowOrigins": ["*"]}


@mistake(a_public_function_url_has_both_its_permissions)
def _(resources):
    del resources["UrlMayCallFunction"]


@mistake(a_public_function_url_has_both_its_permissions)
def _(resources):
    del resources["UrlMayCallFunction"]["Properties"]["InvokedViaFunctionUrl"]


@mistake(a_public_function_url_has_both_its_permissions)
def _(resources):
    resources["FunctionUrl"]["Properties"]["AuthType"] = "AWS_IAM"


@mistake(the_role_is_narrow)
def _(resources):
    policy, _ = resources["Role"]["Properties"]["Policies"]
    policy["PolicyDocument"]["Statement"][0]["Action"] = "logs:*"


@mistake(the_role_is_narrow)
def _(resources):
    policy, _ = resources["Role"]["Properties"]["Policies"]
    policy["PolicyDocument"]["Statement"][0]["Resource"] = "*"


@mistake(the_role_is_narrow)
def _(resources):
    resources["Role"]["Properties"]["ManagedPolicyArns"] = ["arn:aws:iam::aws:policy/AdministratorAccess"]


@mistake(the_role_is_narrow)
def _(resources):
    statements = resources["Role"]["Properties"]["Policies"][1]["PolicyDocument"]["Statement"]
    statements[:] = [each for each in statements if each["Effect"] == "Allow"]


@mistake(the_role_is_narrow)
def _(resources):
    statements = resources["Role"]["Properties"]["Policies"][1]["PolicyDocument"]["Statement"]
    statements[1]["Condition"]["ArnEquals"]["lambda:SourceFunctionArn"]["Fn::Sub"] += "-2"


@mistake(every_alarm_reaches_everyone)
def _(resources):
    del resources["SlowAlarm"]["Properties"]["AlarmActions"]


@mistake(every_alarm_reaches_everyone)
def _(resources):
    del resources["AlarmEmail"]


@mistake(the_domain_leads_to_the_stage)
def _(resources):
    del resources["DomainMapping"]


@mistake(the_domain_leads_to_the_stage)
def _(resources):
    resources["DomainMapping"]["Properties"]["Stage"] = "prod"


@mistake(descriptions_are_short_and_ascii)
def _(resources):
    resources["Function"]["Properties"]["Description"] = "x" * (MAX_DESCRIPTION + 1)


@mistake(the_environment_fits)
def _(resources):
    resources["Function"]["Properties"]["Environment"]["Variables"]["X"] = "x" * MAX_ENVIRONMENT


@mistake(the_template_fits_into_a_request)
def _(resources):
    resources["Role"]["Properties"]["Description"] = "x" * MAX_TEMPLATE


def test_every_rule_has_a_mistake_to_catch():
    assert set(MISTAKES) == set(RULES)


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        pytest.param(rule, change, id=f"{rule.__name__}-{number}")
        for rule, changes in MISTAKES.items()
        for number, change in enumerate(changes, start=1)
    ],
)
def test_a_rule_catches_a_planted_mistake(rule, change):
    options = {**DOMAIN, **MAIL, "subnets": "subnet-0a1b2c3d", "security_groups": "sg-0a1b2c3d"}
    if rule in URL_RULES:
        options = {"front": "url", "auth": "none"}
    template = copy.deepcopy(build(**options))
    rule(template)
    change(template["Resources"])
    with pytest.raises(AssertionError):
        rule(template)
