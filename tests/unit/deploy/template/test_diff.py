"""What a plan names for each kind of change: exactly this, and nothing else."""

import json

import pytest

from shutterless.deploy.options import Options
from shutterless.deploy.template.diff import differences
from shutterless.deploy.template.template import build_template, template_text


def build(number=1, deployed=None, **options):
    image = f"123456789012.dkr.ecr.eu-central-1.amazonaws.com/shutterless/clothes@sha256:{number:064x}"
    return build_template(
        "clothes",
        Options(**options),
        image=image,
        model=f"clothes {number}",
        source=str(number),
        deployed=deployed,
    )


# As CloudFormation gives it back.
DEPLOYED = json.loads(template_text(build()))


def ids(template, kind):
    return [key for key, value in template["Resources"].items() if value["Type"] == f"AWS::{kind}"]


def plan(after):
    """Return action, name and the changed paths of each difference."""
    found = differences(DEPLOYED, after)
    return {(one.action, one.name, *sorted(change.path for change in one.changes)) for one in found}


def test_from_nothing_everything_is_added():
    found = differences(None, DEPLOYED)
    assert {one.action for one in found} == {"added"}
    assert {one.name for one in found} == {
        *DEPLOYED["Resources"],
        *(f"Outputs.{name}" for name in DEPLOYED["Outputs"]),
    }


def test_nothing_is_nothing():
    assert differences(DEPLOYED, build(deployed=DEPLOYED)) == []


def test_memory_is_a_new_version():
    after = build(deployed=DEPLOYED, memory=3008)
    assert plan(after) == {
        ("changed", "Function", "MemorySize"),
        ("added", ids(after, "Lambda::Version")[-1]),
        ("changed", "LiveAlias", "FunctionVersion"),
    }
    (function,) = (one for one in differences(DEPLOYED, after) if one.name == "Function")
    assert (function.changes[0].before, function.changes[0].after) == (1769, 3008)


def test_a_new_image_is_a_new_version():
    after = build(2, deployed=DEPLOYED)
    assert plan(after) == {
        ("changed", "Function", "Code.ImageUri"),
        ("added", ids(after, "Lambda::Version")[-1]),
        ("changed", "LiveAlias", "FunctionVersion"),
    }


def test_without_a_key_the_api_is_deployed_anew_and_the_key_goes():
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
        ("changed", "Stage", "MethodSettings.0.ThrottlingRateLimit"),
        ("changed", "UsagePlan", "Throttle.RateLimit"),
    }


def test_an_alarm_changes_itself():
    assert plan(build(deployed=DEPLOYED, alarm_p95_ms=900)) == {
        ("changed", "SlowAlarm", "AlarmDescription", "Threshold")
    }


def test_what_is_kept_of_the_function_outside_its_versions_makes_none():
    assert plan(build(deployed=DEPLOYED, reserved_concurrency=5)) == {
        ("changed", "Function", "ReservedConcurrentExecutions")
    }


@pytest.mark.parametrize("days", [7, 90])
def test_logs_kept_longer_are_a_change_of_their_group(days):
    assert plan(build(deployed=DEPLOYED, log_days=days)) == {("changed", "LogGroup", "RetentionInDays")}


def test_the_oldest_version_goes_when_there_are_five():
    deployed = DEPLOYED
    for number in range(2, 6):
        deployed = build(number, deployed=deployed)
    after = build(6, deployed=deployed)
    removed = {one.name for one in differences(deployed, after) if one.action == "removed"}
    assert removed == set(ids(DEPLOYED, "Lambda::Version"))
