import socket

import pytest

from shutterless.cli.commands.serve import say_record
from shutterless.cli.console import console


def test_a_busy_port_is_refused(error_of, colour_bundle):
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        error = error_of("serve", colour_bundle, "--port", port)
    assert error.code == "cannot-listen"
    assert str(port) in error.message


def test_an_unknown_kind_of_urls_is_refused(error_of, colour_bundle):
    error = error_of("serve", colour_bundle, "--urls", "some")
    assert error.code == "invalid-setting"
    assert "--urls" in error.message and "'some'" in error.message


def test_ctrl_c_ends_it_without_an_error(shutterless, colour_bundle, monkeypatch):
    def stop(settings, host, ready, write, **options):
        ready("http://127.0.0.1:1")
        raise KeyboardInterrupt

    monkeypatch.setattr("shutterless.runtime.adapters.http_server.serve", stop)
    result = shutterless("serve", colour_bundle)
    assert (result.exit_code, result.stdout) == (130, "http://127.0.0.1:1\n")
    assert len(result.stderr.splitlines()) == 1


LINE = {"time": "2026-11-25T00:36:13.430Z", "status": 200, "route": "POST /predict", "duration_ms": 27.52}


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (
            {"label": "hat", "confidence": 0.987, "accepted": True},
            "00:36:13  200  POST /predict  28 ms  hat 0.99\n",
        ),
        (
            {"label": ["hat", "cap"], "confidence": [0.9, 0.5], "accepted": [False, True]},
            "00:36:13  200  POST /predict  28 ms  hat 0.90 (not sure), cap 0.50\n",
        ),
        ({"code": "too-large"}, "00:36:13  200  POST /predict  28 ms  too-large\n"),
        ({}, "00:36:13  200  POST /predict  28 ms\n"),
        (
            {"event": "reload", "model": "abc"},
            "00:36:13  bundle reloaded; model abc answers\n",
        ),
        (
            {"event": "reload", "model": "abc", "code": "corrupt-bundle", "detail": "it is\x1b[2J corrupt"},
            "00:36:13  bundle not reloaded: it is\ufffd[2J corrupt; model abc answers\n",
        ),
        (
            {
                "code": "internal",
                "request_id": "r-7",
                "error": {"kind": "OSError", "at": ["a.py:1 in f", "b.py:2 in g"]},
            },
            "00:36:13  200  POST /predict  28 ms  internal\nrequest r-7: OSError at b.py:2 in g\n",
        ),
    ],
)
def test_a_person_at_a_terminal_gets_each_request_in_a_few_words(entry, words, capsys, monkeypatch):
    monkeypatch.setattr(console, "width", 200)
    say_record({**LINE, **entry})
    assert capsys.readouterr().err == words
