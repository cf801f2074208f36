from types import SimpleNamespace

import pytest

from shutterless.training.callbacks import time_limit
from shutterless.training.callbacks.time_limit import TimeLimit


@pytest.fixture
def epochs(monkeypatch):
    """Return what runs a callback through epochs of 10 s until it stops, and counts them."""
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(time_limit, "time", SimpleNamespace(monotonic=lambda: clock.now))

    def run(callback):
        callback.set_model(SimpleNamespace(stop_training=False))
        callback.set_params({"epochs": 5})
        for epoch in range(5):
            callback.on_epoch_begin(epoch)
            clock.now += 10
            callback.on_epoch_end(epoch)
            if callback.model.stop_training:
                return epoch + 1
        return 5

    return run


def test_a_phase_ends_when_another_epoch_would_be_late(epochs):
    stops = []
    assert epochs(TimeLimit(39, stops.append)) == 3
    assert stops == [3]


def test_a_phase_that_is_in_time_is_not_stopped(epochs):
    stops = []
    assert epochs(TimeLimit(50, stops.append)) == 5
    assert stops == []


def test_the_last_epoch_is_not_stopped_after_it_is_over(epochs):
    stops = []
    assert epochs(TimeLimit(41, stops.append)) == 4
    assert stops == [4]
