import json
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta

import pytest

from shutterless.deploy import status
from shutterless.deploy.aws.cloudwatch import FunctionMetrics
from shutterless.deploy.canary.comparison import Comparison
from shutterless.deploy.releases import drift
from shutterless.deploy.releases.drift import Drift
from shutterless.deploy.status import Status

CLOTHES = Status(
    name="clothes",
    region="us-east-1",
    state="UPDATE_COMPLETE",
    updated="2026-11-20T08:00:00+00:00",
    url="https://abc.execute-api.us-east-1.amazonaws.com/prod",
    model="clothes 0123456789ab",
    code="r/clothes@sha256:00",
    package="image",
    version="7",
    canary={"8": 0.1},
    comparison=Comparison("too-few", 18, 2),
    memory=1769,
    architecture="x86_64",
    alarms={"shutterless-clothes-errors": "ALARM"},
    last_hour=FunctionMetrics(1200, 3, 41.0, 95.4),
    monthly_usd=3.27,
)


@pytest.fixture
def deployed(monkeypatch):
    """Let `status` find a deployment; return the arguments it was read with."""
    calls = []

    def read(name, *, profile, region, show_key):
        calls.append((name, profile, region, show_key))
        return CLOTHES

    monkeypatch.setattr(status, "read_status", read)
    return calls


def test_what_is_deployed_is_shown_in_a_table(shutterless, deployed):
    result = shutterless("status", "clothes", "--region", "us-east-1", "--profile", "work")
    assert (result.exit_code, result.stderr) == (0, "")
    assert deployed == [("clothes", "work", "us-east-1", False)]
    for words in (
        "UPDATE_COMPLETE, updated 2026-11-20T08:00:00+00:00",
        "https://abc.execute-api.us-east-1.amazonaws.com/prod",
        "7 (10% to version 8)",
        "18 live requests, 2 of the canary",
        "1,769 MB, x86_64",
        "shutterless-clothes-errors: ALARM",
        "1,200 requests, 3 errors, p95 95 ms",
        "about $3.27 a month",
    ):
        assert words in result.stdout
    assert "API key" not in result.stdout


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ({"LOW": 7, "CRITICAL": 1, "HIGH": 0}, ["1 critical, 7 low"]),
        ({}, ["no vulnerabilities"]),
        (None, ["no finished scan"]),
    ],
)
def test_the_image_s_age_and_its_vulnerabilities_are_shown(shutterless, deployed, monkeypatch, counts, words):
    pushed = datetime.now(UTC) - timedelta(days=40, hours=1)
    live = replace(CLOTHES, code_uploaded=pushed.isoformat(timespec="seconds"), vulnerabilities=counts)
    monkeypatch.setattr(status, "read_status", lambda *arguments, **options: live)
    result = shutterless("status", "clothes")
    for each in (f"{pushed:%Y-%m-%d}", "40 days ago", *words):
        assert each in result.stdout


def test_json_has_all_of_it(shutterless, deployed):
    result = shutterless("status", "clothes", "--show-key", "--json")
    assert json.loads(result.stdout) == json.loads(json.dumps(CLOTHES.to_json()))
    assert deployed[0][3] is True


def test_a_stack_that_is_stuck_comes_with_the_way_out(shutterless, deployed, monkeypatch):
    stuck = replace(CLOTHES, state="UPDATE_ROLLBACK_FAILED")
    monkeypatch.setattr(status, "read_status", lambda *arguments, **options: stuck)
    result = shutterless("status", "clothes")
    assert "warning: " in result.stderr
    assert "aws cloudformation continue-update-rollback --stack-name shutterless-clothes" in result.stderr


def test_an_alias_that_was_turned_by_hand_is_a_warning(shutterless, deployed, monkeypatch):
    turned = replace(CLOTHES, alias_change="The alias was turned by hand from version 7 to version 6")
    monkeypatch.setattr(status, "read_status", lambda *_, **__: turned)
    assert turned.alias_change in shutterless("status", "clothes").stderr


def test_drift_is_listed_on_request(shutterless, deployed, monkeypatch):
    drifts = [
        Drift("Function", "AWS::Lambda::Function", "/MemorySize", "1769", "3008"),
        Drift("ErrorsAlarm", "AWS::CloudWatch::Alarm"),
    ]
    monkeypatch.setattr(drift, "find_drift", lambda name, *, profile, region: drifts)
    rows = [line.split("\t") for line in shutterless("status", "clothes", "--drift").stdout.splitlines()]
    assert ["Function", "/MemorySize", "1769", "3008"] in rows
    assert ["ErrorsAlarm", "(deleted)", "", ""] in rows
    document = json.loads(shutterless("status", "clothes", "--drift", "--json").stdout)
    assert document["drift"] == [asdict(each) for each in drifts]
    assert "drift" not in json.loads(shutterless("status", "clothes", "--json").stdout)
