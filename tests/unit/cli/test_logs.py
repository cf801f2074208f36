import json

import pytest

from shutterless.deploy.aws import logs, session
from shutterless.deploy.aws.logs import Entry

RECORD = {"request_id": "r-1", "status": 200, "duration_ms": 40.6, "route": "/predict"}
ONE = RECORD | {"label": "pants", "confidence": 0.973, "accepted": True}


@pytest.fixture
def log(monkeypatch):
    """Let `logs` find these lines."""

    def put(*texts):
        entries = [Entry(1_764_000_000_000 + place * 1000, text) for place, text in enumerate(texts)]
        monkeypatch.setattr(session, "connect", lambda profile, region: None)
        monkeypatch.setattr(logs, "read_logs", lambda session, name, since: iter(entries))
        return entries

    return put


def said(shutterless, *arguments):
    done = shutterless("logs", "clothes", *arguments)
    assert done.exit_code == 0
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (ONE, "200    41 ms  pants 0.97  r-1"),
        (ONE | {"accepted": False}, "200    41 ms  pants 0.97 (not sure)  r-1"),
        (RECORD | {"status": 422, "code": "unreadable-image"}, "422    41 ms  unreadable-image  r-1"),
        (RECORD | {"route": "/health"}, "200    41 ms  /health  r-1"),
        (
            RECORD | {"label": ["hat", "shoes"], "confidence": [0.9, 0.5], "accepted": [True, False]},
            "200    41 ms  hat 0.90, shoes 0.50 (not sure)  r-1",
        ),
    ],
    ids=["answer", "not sure", "problem", "no picture", "several pictures"],
)
def test_a_request_is_a_line_to_read(shutterless, log, record, words):
    log(json.dumps(record))
    assert said(shutterless) == [f"11-24 16:00:00  {words}"]


def test_lambda_s_routine_is_left_out_unless_all_is_asked_for(shutterless, log):
    log("START RequestId: 1", "Task timed out after 28.00 seconds")
    assert said(shutterless) == ["11-24 16:00:01  Task timed out after 28.00 seconds"]
    assert len(said(shutterless, "--all")) == 2


def test_a_log_without_a_line_is_told_from_none(shutterless, log):
    log()
    done = shutterless("logs", "clothes", "--since", "2h")
    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr == "Nothing was written in the last 2h; --since 1d looks further back.\n"


def test_what_a_terminal_would_take_for_a_command_is_shown_as_text(shutterless, log):
    log("\x1b]0;owned\x07 text")
    assert said(shutterless) == ["11-24 16:00:00  �]0;owned� text"]


def test_json_is_one_document(shutterless, log):
    first, second = log(json.dumps(ONE), "text")
    document = json.loads("".join(said(shutterless, "--json")))
    assert document == {
        "events": [
            {"timestamp": first.timestamp, **ONE},
            {"timestamp": second.timestamp, "text": "text"},
        ]
    }


def test_ctrl_c_ends_following_without_a_word(shutterless, monkeypatch):
    def follow(session, name, since):
        yield Entry(1_764_000_000_000, json.dumps(ONE))
        raise KeyboardInterrupt

    monkeypatch.setattr(session, "connect", lambda profile, region: None)
    monkeypatch.setattr(logs, "follow_logs", follow)
    done = shutterless("logs", "clothes", "--follow", "--json")
    assert done.exit_code == 130
    assert json.loads(done.stdout)["label"] == "pants"
    assert done.stderr == ""


def test_a_time_that_is_none_is_refused_before_aws_is_asked(shutterless):
    done = shutterless("logs", "clothes", "--since", "yesterday")
    assert (done.exit_code, done.stderr.splitlines()[0]) == (1, "error: --since is 'yesterday'")
