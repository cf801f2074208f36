import shutil

import pytest

from shutterless.errors import RunError
from shutterless.evaluation.provenance import read_provenance


def test_a_run_tells_how_it_was_made(colour_run, colour_photos):
    source = read_provenance(colour_run)
    assert source.name == "run"
    assert source.command.startswith(f"shutterless train {colour_photos} -o {colour_run} --recipe quick")
    assert "--backbone tiny --weights none --image-size 32 --seed 42 --group-by auto" in source.command
    assert len(source.photos) == 63
    assert len(source.history) == 8 and source.history[0].phase == "from_scratch"
    assert any(epoch.best for epoch in source.history)
    assert {"shutterless", "keras"} <= source.made_with.keys()
    assert source.temperature is None


def test_a_bundle_tells_what_it_was_calibrated_to(colour_bundle):
    source = read_provenance(colour_bundle)
    assert source.name == "colours"
    assert source.temperature == pytest.approx(1, rel=0.01)  # too few photos to add confidence
    assert source.target_precision == 0.95
    assert (source.command, source.history, source.photos) == ("", (), ())


def test_an_interrupted_run_is_a_source_too(colour_run, tmp_path):
    run = shutil.copytree(colour_run, tmp_path / "run")
    (run / "metrics.json").unlink()
    (run / "history.csv").unlink()
    source = read_provenance(run)
    assert (source.history, source.made_with) == ((), {})


@pytest.mark.parametrize(
    "history", ["phase\nhead\n", "phase,loss,accuracy,val_loss,val_accuracy,best\nhead,1\n"]
)
def test_a_history_that_cannot_be_read_is_refused(history, colour_run, tmp_path):
    run = shutil.copytree(colour_run, tmp_path / "run")
    (run / "history.csv").write_text(history)
    with pytest.raises(RunError) as caught:
        read_provenance(run)
    assert caught.value.code == "unreadable-run"


METRICS = '{"made_with": {}, "validation": %s}'


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("recipe.toml", "x = " + "[" * 100_000),
        ("recipe.toml", "run = 3"),
        ("metrics.json", "[" * 100_000),
        ("metrics.json", "[]"),
        ("metrics.json", "{}"),
        ("metrics.json", METRICS % "3"),
        ("metrics.json", METRICS % '{"right": NaN, "photos": 1}'),
        ("metrics.json", METRICS % '{"right": Infinity, "photos": 1}'),
        ("metrics.json", METRICS % '{"right": 0, "photos": 0}'),
        ("metrics.json", METRICS % '{"right": 2, "photos": 1}'),
        ("metrics.json", METRICS % '{"right": "x", "photos": 1}'),
    ],
)
def test_a_run_of_strangers_is_read_or_refused(colour_run, tmp_path, name, text):
    run = shutil.copytree(colour_run, tmp_path / "run")
    (run / name).write_text(text)
    with pytest.raises(RunError) as caught:
        read_provenance(run)
    assert caught.value.code == "unreadable-run"
