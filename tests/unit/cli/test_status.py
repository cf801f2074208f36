import json
from dataclasses import replace

import pytest

from shutterless.deploy import status
from shutterless.deploy.aws import session
from shutterless.deploy.aws.cloudwatch import Observed
from shutterless.deploy.status import Status

CLOTHES = Status(
    name="clothes",
    region="us-east-1",
    state="UPDATE_COMPLETE",
    updated="2026-11-20T08:00:00+00:00",
    url="https://abc.execute-api.us-east-1.amazonaws.com/prod",
    model="clothes 0123456789ab",
    image="r/clothes@sha256:00",
    version="7",
    canary={"8": 0.1},
    memory=1769,
    architecture="x86_64",
    alarms={"shutterless-clothes-errors": "ALARM"},
    last_hour=Observed(1200, 3, 41.0, 95.4),
    monthly_usd=3.27,
)


@pytest.fixture
def deployed(monkeypatch):
    """Let `status` find a deployment; return what it was asked for."""
    asked = []

    def read(connected, name, *, show_key):
        asked.append((connected, name, show_key))
        return CLOTHES

    monkeypatch.setattr(session, "connect", lambda profile, region: (profile, region))
    monkeypatch.setattr(status, "read_status", read)
    return asked


def test_what_is_deployed_is_shown_in_a_table(shutterless, deployed):
    done = shutterless("status", "clothes", "--region", "us-east-1", "--profile", "work")
    assert (done.exit_code, done.stderr) == (0, "")
    assert deployed == [(("work", "us-east-1"), "clothes", False)]
    for words in (
        "UPDATE_COMPLETE, changed 2026-11-20T08:00:00+00:00",
        "https://abc.execute-api.us-east-1.amazonaws.com/prod",
        "7 (10% to version 8)",
        "1,769 MB, x86_64",
        "shutterless-clothes-errors: ALARM",
        "1,200 requests, 3 errors, p95 95 ms",
        "about $3.27 a month at the last 14 days' pace",
    ):
        assert words in done.stdout
    assert "API key" not in done.stdout


def test_json_has_all_of_it(shutterless, deployed):
    done = shutterless("status", "clothes", "--show-key", "--json")
    assert json.loads(done.stdout) == CLOTHES.to_json()
    assert deployed[0][2] is True


def test_a_stack_that_is_stuck_comes_with_the_way_out(shutterless, deployed, monkeypatch):
    stuck = replace(CLOTHES, state="UPDATE_ROLLBACK_FAILED")
    monkeypatch.setattr(status, "read_status", lambda *arguments, **options: stuck)
    done = shutterless("status", "clothes")
    assert (
        "warning: The stack shutterless-clothes is stuck in UPDATE_ROLLBACK_FAILED. Run: aws" in done.stderr
    )
