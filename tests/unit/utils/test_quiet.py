import logging
import os

import pytest

from shutterless.utils.quiet import LEVEL, quiet_start, without_retracing_advice


def test_what_a_library_writes_while_it_starts_is_not_shown(capfd, monkeypatch):
    monkeypatch.delenv(LEVEL, raising=False)
    with quiet_start():
        os.write(2, b"I0000 cpu_feature_guard.cc\n")
        assert os.environ[LEVEL] == "2"
    assert capfd.readouterr().err == ""
    assert LEVEL not in os.environ


def test_a_level_that_the_user_has_set_is_kept(monkeypatch):
    monkeypatch.setenv(LEVEL, "0")
    with quiet_start():
        assert os.environ[LEVEL] == "0"
    assert os.environ[LEVEL] == "0"


def test_what_led_to_an_error_is_shown(capfd):
    with pytest.raises(ImportError), quiet_start():
        os.write(2, b"no such symbol\n")
        raise ImportError
    assert capfd.readouterr().err == "no such symbol\n"


def test_who_stops_the_start_is_not_shown_its_notes(capfd):
    with pytest.raises(KeyboardInterrupt), quiet_start():
        os.write(2, b"I0000 cpu_feature_guard.cc\n")
        raise KeyboardInterrupt
    assert capfd.readouterr().err == ""


def test_a_process_without_standard_error_starts_too(monkeypatch):
    def closed(descriptor):
        raise OSError

    monkeypatch.setattr(os, "dup", closed)
    with quiet_start():
        pass


def test_only_the_advice_on_retracing_is_hidden(caplog):
    logger = logging.getLogger("tensorflow")
    with without_retracing_advice():
        logger.warning("5 out of the last 5 calls triggered tf.function retracing")
        logger.warning("another thing")
    logger.warning("6 out of the last 6 calls triggered tf.function retracing")
    assert [record.getMessage()[:5] for record in caplog.records] == ["anoth", "6 out"]
