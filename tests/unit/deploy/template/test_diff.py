"""Each kind of change, with exactly what a plan lists for it."""

import json

import pytest

from shutterless.deploy.options import Options
from shutterless.deploy.template.code import parse_code
from shutterless.deploy.template.diff import PropertyChange, compare_templates
from shutterless.deploy.template.template import build_template, template_text


def build(number=1, deployed=None, **options):
    image = f"123456789012.dkr.ecr.eu-central-1.amazonaws.com/shutterless/clothes@sha256:{number:064x}"
    return build_template(
        "clothes",
        Options(**options),
        code=parse_code(image),
        model=f"clothes {number}",
        fingerprint=str(number),
        deployed=deployed,
    )


# As CloudFormation gives it back.
DEPLOYED = json.loads(template_text(build()))


def ids(template, kind):
    return [key for key, value in template["Resources"].items() if value["Type"] == f"AWS::{kind}"]


def plan(after):
    """Return action, name and the changed paths of each change."""
    changes = compare_templates(DEPLOYED, after)
    return {(each.action, each.name, *sorted(one.path for one in each.properties)) for each in changes}


def test_from_nothing_everything_is_added():
    changes = compare_templates(None, DEPLOYED)
    assert {each.action for each in changes} == {"added"}
    assert {each.name for each in changes} == {
        *DEPLOYED["Resources"],
        *(f"Outputs.{name}" for name in DEPLOYED["Outputs"]),
    }


def test_the_same_template_is_no_change():
    assert compare_templates(DEPLOYED, build(deployed=DEPLOYED)) == []


def test_memory_is_a_new_version():
    after = build(deployed=DEPLOYED, memory=3008)
    assert plan(after) == {
        ("changed", "Function", "MemorySize"),
        ("added", ids(after, "Lambda::Version")[-1]),
        ("changed", "LiveAlias", "FunctionVersion"),
    }
    (function,) = (each for each in compare_templates(DEPLOYED, after) if each.name == "Function")
    assert (function.properties[0].before, function.properties[0].after) == (1769, 3008)


def test_a_new_image_is_a_new_version():
    after = build(2, deployed=DEPLOYED)
    assert plan(after) == {
        ("changed", "Function", "Code.ImageUri"),
        ("added", ids(after, "Lambda::Version")[-1]),
        ("changed", "LiveAlias", "FunctionVersion"),
    }


def test_without_a_key_the_api_is_deployed_again_and_the_key_is_removed():
    after = build(deployed=DEPLOYED, auth="none")
    assert plan(after) == {
        ("changed", "PredictPost", "ApiKeyRequired"),
        ("removed", *ids(DEPLOYED, "ApiGateway::Deployment")),
        ("added", *ids(after, "ApiGateway::Deployment")),
        ("changed", "Stage", "DeploymentId"),
        ("removed", "UsagePlan"),
        ("removed", "UsagePlanKey"),
        ("removed", "ApiKey"),
        ("removed", "Outputs.ApiKeyId"),
        ("changed", "Outputs.Auth", "Value"),
    }


def test_another_stage_replaces_it():
    assert plan(build(deployed=DEPLOYED, stage="test")) == {
        ("replaced", "Stage", "StageName"),
        ("changed", "Outputs.Url", "Value"),
        ("changed", "Outputs.StageName", "Value"),
    }


def test_a_throttle_changes_stage_and_usage_plan():
    assert plan(build(deployed=DEPLOYED, rate=50)) == {
        (
            "changed",
            "Stage",
            "MethodSettings.0.ThrottlingRateLimit",
            "MethodSettings.1.ThrottlingRateLimit",
            "MethodSettings.2.ThrottlingRateLimit",
        ),
        ("changed", "UsagePlan", "Throttle.RateLimit"),
    }


def test_an_alarm_changes_itself():
    assert plan(build(deployed=DEPLOYED, alarm_p95_ms=900)) == {
        ("changed", "SlowAlarm", "AlarmDescription", "Threshold")
    }


def test_a_setting_outside_the_versions_makes_no_new_version():
    assert plan(build(deployed=DEPLOYED, reserved_concurrency=5)) == {
        ("changed", "Function", "ReservedConcurrentExecutions")
    }


def test_tags_are_a_change_of_the_stack():
    """CloudFormation passes them on to the resources, whose properties do not have them."""
    tagged = build(deployed=DEPLOYED, tags={"team": "vision"})
    assert plan(tagged) == {("added", "Tags")}
    (change,) = compare_templates(tagged, build(deployed=DEPLOYED, tags={"team": "audio"}))
    assert (change.action, change.properties) == ("changed", (PropertyChange("team", "vision", "audio"),))


def test_a_higher_budget_changes_it_and_another_address_replaces_it():
    deployed = build(deployed=DEPLOYED, budget=50, alarm_email="a@example.com")
    (higher,) = compare_templates(deployed, build(deployed=DEPLOYED, budget=60, alarm_email="a@example.com"))
    assert (higher.action, higher.name) == ("changed", "Budget")
    other = compare_templates(deployed, build(deployed=DEPLOYED, budget=50, alarm_email="b@example.com"))
    assert {(each.action, each.name) for each in other} == {
        ("replaced", "Budget"),
        ("replaced", "AlarmEmail"),
    }


def test_another_path_replaces_the_role():
    assert plan(build(deployed=DEPLOYED, role_path="/teams/")) == {("replaced", "Role", "Path")}


@pytest.mark.parametrize("days", [7, 90])
def test_logs_kept_longer_are_a_change_of_their_group(days):
    assert plan(build(deployed=DEPLOYED, log_days=days)) == {("changed", "LogGroup", "RetentionInDays")}


def test_the_oldest_of_five_versions_is_removed():
    deployed = DEPLOYED
    for number in range(2, 6):
        deployed = build(number, deployed=deployed)
    after = build(6, deployed=deployed)
    removed = {each.name for each in compare_templates(deployed, after) if each.action == "removed"}
    assert removed == set(ids(DEPLOYED, "Lambda::Version"))
