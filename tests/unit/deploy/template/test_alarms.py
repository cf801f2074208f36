import pytest
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from shutterless.deploy.options import Options
from shutterless.deploy.template.alarms import (
    alarm_names,
    alarm_resources,
    canary_alarm_names,
    canary_alarm_resources,
)

FUNCTION = "shutterless-clothes"
TOPIC = "arn:aws:sns:eu-central-1:123456789012:alarms"
OPTIONS = Options(alarm_errors=4, alarm_p95_ms=900, alarm_topic=TOPIC)
NUMBER = {"Fn::GetAtt": ["Version5301fe229644", "Version"]}


def live():
    return alarm_resources(FUNCTION, OPTIONS)


def canary():
    return canary_alarm_resources(FUNCTION, "Version5301fe229644", OPTIONS)


def metrics(alarms):
    """Return metric, statistic, threshold and dimensions of each alarm."""
    result = {}
    for key, alarm in alarms.items():
        each = alarm["Properties"]
        dimensions = {dimension["Name"]: dimension["Value"] for dimension in each["Dimensions"]}
        metric = f"{each['Namespace']} {each['MetricName']}"
        statistic = each.get("Statistic") or each["ExtendedStatistic"]
        result[key] = (metric, statistic, each["Threshold"], dimensions)
    return result


def test_the_alarms_watch_answers_and_what_goes_through_the_alias():
    function = {"Ref": "Function"}
    alias = {"FunctionName": function, "Resource": {"Fn::Sub": "${Function}:live"}}
    assert metrics(live()) == {
        "ErrorsAlarm": ("shutterless errors", "Sum", 4, {"function": function}),
        "CrashesAlarm": ("AWS/Lambda Errors", "Sum", 4, alias),
        "ThrottlesAlarm": ("AWS/Lambda Throttles", "Sum", 1, alias),
        "SlowAlarm": ("AWS/Lambda Duration", "p95", 900, alias),
    }


def test_a_canary_s_alarms_only_watch_its_own_version():
    """The live version's errors must not turn it back."""
    function = {"Ref": "Function"}
    own = {
        "FunctionName": function,
        "Resource": {"Fn::Sub": "${Function}:live"},
        "ExecutedVersion": NUMBER,
    }
    assert metrics(canary()) == {
        "CanaryErrorsAlarm": ("shutterless errors", "Sum", 4, {"function": function, "version": NUMBER}),
        "CanaryCrashesAlarm": ("AWS/Lambda Errors", "Sum", 4, own),
        "CanarySlowAlarm": ("AWS/Lambda Duration", "p95", 900, own),
    }


def test_every_alarm_is_quiet_without_data_and_sends_to_the_topic():
    for alarm in (*live().values(), *canary().values()):
        assert alarm["Properties"]["TreatMissingData"] == "notBreaching"
        assert alarm["Properties"]["AlarmActions"] == [TOPIC]
    for alarm in alarm_resources(FUNCTION, Options()).values():
        assert "AlarmActions" not in alarm["Properties"]


def test_the_names_are_those_of_the_alarms():
    assert [each["Properties"]["AlarmName"] for each in live().values()] == list(alarm_names(FUNCTION))
    names = canary_alarm_names(FUNCTION, "Version5301fe229644")
    assert [each["Properties"]["AlarmName"] for each in canary().values()] == list(names)
    assert len(names) <= 5  # rollback triggers of a stack


def test_two_canaries_share_no_alarm():
    """An alarm that is updated keeps its state, and one in alarm would turn the second canary back."""
    names = {*canary_alarm_names(FUNCTION, "Version1"), *canary_alarm_names(FUNCTION, "Version2")}
    assert len(names) == 6
    assert names.isdisjoint(alarm_names(FUNCTION))


@pytest.mark.parametrize("alarm", [*live().values(), *canary().values()], ids=[*live(), *canary()])
def test_cloudformation_knows_every_property(alarm):
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("eu-central-1", alarm["Type"]).schema
    assert alarm["Properties"].keys() <= schema["properties"].keys()
    writable = alarm["Properties"].keys() - {
        path.split("/")[2] for path in schema.get("readOnlyProperties", [])
    }
    assert writable == alarm["Properties"].keys()
