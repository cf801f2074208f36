"""Every fault is planted in a template that is otherwise fit to be deployed."""

import copy

import pytest

from shutterless.deploy.options import Options
from shutterless.deploy.template.checks import CHECKS, check_template, faults
from shutterless.deploy.template.template import build_template
from shutterless.errors import ShutterlessError


def build(**options):
    image = f"123456789012.dkr.ecr.eu-central-1.amazonaws.com/shutterless/clothes@sha256:{1:064x}"
    return build_template("clothes", Options(**options), image=image, model="clothes 1", source="1")


def only(template, kind):
    """Return the one resource of a type and its logical id."""
    ((key, resource),) = (
        (key, value) for key, value in template["Resources"].items() if value["Type"] == f"AWS::{kind}"
    )
    return key, resource


@pytest.mark.parametrize("auth", ["api-key", "none", "iam"])
@pytest.mark.parametrize("start", [{}, {"snapstart": True}, {"provisioned_concurrency": 1}])
def test_what_we_build_has_no_fault(auth, start):
    assert faults(build(auth=auth, **start)) == []


def plant(name):
    def register(change):
        PLANTED[name] = change
        return change

    return register


PLANTED = {}


@plant("takes its image by tag")
def _(resources):
    resources["Function"]["Properties"]["Code"]["ImageUri"] = "host/shutterless/clothes:latest"


@plant("waits no more than 29 s")
def _(resources):
    resources["Function"]["Properties"]["Timeout"] = 29


@plant("more than 512 MB of /tmp")
def _(resources):
    resources["Function"]["Properties"].update(
        SnapStart={"ApplyOn": "PublishedVersions"}, EphemeralStorage={"Size": 1024}
    )


@plant("SnapStart, and its alias provisioned concurrency")
def _(resources):
    resources["Function"]["Properties"]["SnapStart"] = {"ApplyOn": "PublishedVersions"}
    resources["LiveAlias"]["Properties"]["ProvisionedConcurrencyConfig"] = {
        "ProvisionedConcurrentExecutions": 1
    }


@plant("SnapStart, which needs a published version")
def _(resources):
    resources["Function"]["Properties"]["SnapStart"] = {"ApplyOn": "PublishedVersions"}
    version, _ = only({"Resources": resources}, "Lambda::Version")
    del resources[version]


@plant("a canary and provisioned concurrency")
def _(resources):
    resources["LiveAlias"]["Properties"].update(
        RoutingConfig={"AdditionalVersionWeights": []},
        ProvisionedConcurrencyConfig={"ProvisionedConcurrentExecutions": 1},
    )


@plant("does not call the alias live")
def _(resources):
    uri = resources["PredictPost"]["Properties"]["Integration"]["Uri"]
    uri["Fn::Sub"] = uri["Fn::Sub"].replace(":live/", "/")


@plant("is not a proxy integration")
def _(resources):
    resources["PredictPost"]["Properties"]["Integration"]["Type"] = "AWS"


@plant("nothing permits the API to call the function")
def _(resources):
    del resources["ApiMayCallFunction"]


@plant("lets others than this API call")
def _(resources):
    del resources["ApiMayCallFunction"]["Properties"]["SourceArn"]


@plant("ApiMayCallFunction lets others")
def _(resources):
    resources["ApiMayCallFunction"]["Properties"]["SourceArn"] = {
        "Fn::Sub": "arn:aws:execute-api:${AWS::Region}:${AWS::AccountId}:*/*"
    }


@plant("permits something else than the alias")
def _(resources):
    resources["ApiMayCallFunction"]["Properties"]["FunctionName"] = {"Ref": "Function"}


@plant("may be made before the alias")
def _(resources):
    del resources["ApiMayCallFunction"]["DependsOn"]


@plant("takes everything for binary")
def _(resources):
    resources["Api"]["Properties"]["BinaryMediaTypes"] = ["*/*"]


@plant("does not take multipart/form-data for binary")
def _(resources):
    resources["Api"]["Properties"]["BinaryMediaTypes"].remove("multipart/form-data")


@plant("does not depend on PredictPost")
def _(resources):
    only({"Resources": resources}, "ApiGateway::Deployment")[1]["DependsOn"].remove("PredictPost")


@plant("does not depend on AccessDeniedResponse, Default4XxResponse")
def _(resources):
    del only({"Resources": resources}, "ApiGateway::Deployment")[1]["DependsOn"]


@plant("the API is not deployed")
def _(resources):
    del resources[only({"Resources": resources}, "ApiGateway::Deployment")[0]]


@plant("is the deployment of another API")
def _(resources):
    resources["PredictPost"]["Properties"]["ApiKeyRequired"] = False


@plant("does not depend on Stage")
def _(resources):
    resources["UsagePlan"]["Properties"]["ApiStages"][0]["Stage"] = "prod"


@plant("no key belongs to a usage plan")
def _(resources):
    del resources["UsagePlanKey"]


@plant("there is no POST /predict")
def _(resources):
    del resources["PredictPost"]


@plant("there are no preflights for /predict")
def _(resources):
    del resources["PredictOther"]


@plant("preflights for /predict would be refused")
def _(resources):
    resources["PredictOther"]["Properties"]["ApiKeyRequired"] = True


@plant("own answer THROTTLED is not in our form")
def _(resources):
    del resources["ThrottledResponse"]


@plant("own answer DEFAULT_4XX has no CORS header")
def _(resources):
    del resources["Default4XxResponse"]["Properties"]["ResponseParameters"]


@plant("may do more than it needs to")
def _(resources):
    (policy,) = resources["Role"]["Properties"]["Policies"]
    policy["PolicyDocument"]["Statement"][0]["Action"] = "logs:*"


@plant("has a policy that is not its own")
def _(resources):
    resources["Role"]["Properties"]["ManagedPolicyArns"] = ["arn:aws:iam::aws:policy/AdministratorAccess"]


@plant("more than the 51200")
def _(resources):
    resources["Role"]["Properties"]["Description"] = "x" * 40_000


@pytest.mark.parametrize("fault", PLANTED)
def test_a_planted_fault_is_caught(fault):
    template = build()
    PLANTED[fault](template["Resources"])
    assert any(fault in found for found in faults(template)), faults(template)


def test_every_check_catches_something():
    silent = set(CHECKS)
    for change in PLANTED.values():
        template = copy.deepcopy(build())
        change(template["Resources"])
        silent -= {check for check in silent if any(check(template))}
    assert silent == set()


def test_a_template_with_a_fault_is_not_deployed():
    template = build()
    template["Resources"]["Function"]["Properties"]["Timeout"] = 30
    with pytest.raises(ShutterlessError, match="may take 30 s"):
        check_template(template)


def test_a_template_without_one_is_given_back():
    template = build()
    assert check_template(template) is template
