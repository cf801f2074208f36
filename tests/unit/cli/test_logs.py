import json

import pytest

from shutterless.deploy.aws import logs
from shutterless.deploy.aws.logs import LogEntry

RECORD = {"request_id": "r-1", "status": 200, "duration_ms": 40.6, "route": "/predict"}
ONE = RECORD | {"label": "pants", "confidence": 0.973, "accepted": True}


@pytest.fixture
def log(monkeypatch):
    """Let `logs` find these lines."""

    def put(*texts):
        entries = [LogEntry(1_764_000_000_000 + place * 1000, text) for place, text in enumerate(texts)]
        monkeypatch.setattr(logs, "read_logs", lambda name, since, profile, region: iter(entries))
        return entries

    return put


def lines(shutterless, *arguments):
    result = shutterless("logs", "clothes", *arguments)
    assert result.exit_code == 0
    return result.stdout.splitlines()


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (ONE, "200    41 ms  pants 0.97  r-1"),
        (ONE | {"accepted": False}, "200    41 ms  pants 0.97 (not sure)  r-1"),
        (ONE | {"accepted": False, "familiar": False}, "200    41 ms  pants 0.97 (none of the labels)  r-1"),
        (ONE | {"accepted": False, "familiar": True}, "200    41 ms  pants 0.97 (not sure)  r-1"),
        (RECORD | {"status": 422, "code": "unreadable-image"}, "422    41 ms  unreadable-image  r-1"),
        (RECORD | {"route": "/health"}, "200    41 ms  /health  r-1"),
        (
            RECORD | {"label": ["hat", "shoes"], "confidence": [0.9, 0.5], "accepted": [True, False]},
            "200    41 ms  hat 0.90, shoes 0.50 (not sure)  r-1",
        ),
        (
            RECORD
            | {
                "label": ["a", "b"],
                "confidence": [1, 0.5],
                "accepted": [True, False],
                "familiar": [True, False],
            },
            "200    41 ms  a 1.00, b 0.50 (none of the labels)  r-1",
        ),
    ],
    ids=[
        "answer",
        "not sure",
        "none of the labels",
        "familiar",
        "problem",
        "no picture",
        "several",
        "several, familiar or not",
    ],
)
def test_a_request_is_one_readable_line(shutterless, log, record, words):
    log(json.dumps(record))
    assert lines(shutterless) == [f"11-24 16:00:00  {words}"]


def test_routine_lines_are_left_out_without_all(shutterless, log):
    log("START RequestId: 1", "Task timed out after 28.00 seconds")
    assert lines(shutterless) == ["11-24 16:00:01  Task timed out after 28.00 seconds"]
    assert len(lines(shutterless, "--all")) == 2


def test_an_empty_log_is_not_an_error(shutterless, log):
    log()
    result = shutterless("logs", "clothes", "--since", "2h")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "in the last 2h" in result.stderr


def test_what_a_terminal_would_take_for_a_command_is_shown_as_text(shutterless, log):
    log("\x1b]0;owned\x07 text")
    assert lines(shutterless) == ["11-24 16:00:00  �]0;owned� text"]


def test_json_is_one_document(shutterless, log):
    first, second = log(json.dumps(ONE), "text")
    document = json.loads("".join(lines(shutterless, "--json")))
    assert document == {
        "events": [
            {"timestamp": first.timestamp, **ONE},
            {"timestamp": second.timestamp, "text": "text"},
        ]
    }


def test_ctrl_c_ends_following_silently(shutterless, monkeypatch):
    def follow(name, since, profile, region):
        yield LogEntry(1_764_000_000_000, json.dumps(ONE))
        raise KeyboardInterrupt

    monkeypatch.setattr(logs, "follow_logs", follow)
    result = shutterless("logs", "clothes", "--follow", "--json")
    assert result.exit_code == 130
    assert json.loads(result.stdout)["label"] == "pants"
    assert result.stderr == ""


@pytest.mark.parametrize("option", ["--all", "--follow"])
def test_an_invalid_duration_is_refused_before_aws_is_asked(shutterless, monkeypatch, option):
    monkeypatch.setattr(logs, "connect", None)
    result = shutterless("logs", "clothes", "--since", "yesterday", option)
    assert (result.exit_code, result.stderr.splitlines()[0]) == (1, "error: 'yesterday' is not a duration")
