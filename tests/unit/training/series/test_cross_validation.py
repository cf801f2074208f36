import json

import pytest

from shutterless.errors import OutputError
from shutterless.evaluation.intervals import wilson_interval
from shutterless.training import cross_validate, load_run
from shutterless.training.series.cross_validation import Fold, summarize

pytestmark = pytest.mark.slow

QUICKLY = {"backbone": "tiny", "image_size": 32, "epochs": 1, "batch_size": 16, "report": False}


def decode_again(*arguments):
    raise AssertionError("these photos were decoded before the first fold")


def test_every_fold_is_measured_on_photos_that_it_was_not_trained_on(colour_photos, tmp_path, monkeypatch):
    seen = []
    output = tmp_path / "folds"
    with monkeypatch.context() as patch:
        patch.setattr("shutterless.dataset.loader.read_pixels", decode_again)
        figures = cross_validate(
            colour_photos,
            output,
            folds=3,
            on_fold=lambda number, fold: seen.append((number, fold)),
            **QUICKLY,
        )
    assert figures.photos == 63
    assert [number for number, _ in seen] == [1, 2, 3]
    assert tuple(fold for _, fold in seen) == figures.folds
    runs = [load_run(output / fold.run) for fold in figures.folds]
    assert len({photo.path for run in runs for photo in run.of("test")}) == 63
    assert json.loads((output / "folds.json").read_text())["right"] == figures.right

    changed = {run.path: (run.path / "model.keras").stat().st_mtime_ns for run in runs}
    (output / "folds.json").unlink()
    with pytest.raises(OutputError) as caught:
        cross_validate(colour_photos, output, folds=3, **QUICKLY)
    assert caught.value.code == "not-empty"
    assert cross_validate(colour_photos, output, folds=3, resume=True, **QUICKLY) == figures
    auto = QUICKLY | {"backbone": "auto", "budget": "8ms"}  # whose choice is that of the first fold
    assert cross_validate(colour_photos, output, folds=3, resume=True, **auto) == figures
    assert {path: (path / "model.keras").stat().st_mtime_ns for path in changed} == changed


def test_the_spread_is_that_of_the_folds_and_the_accuracy_that_of_all_photos():
    figures = summarize([Fold("fold-1", 10, 9, 0.9, 0.2, 10), Fold("fold-2", 30, 21, 0.7, 0.6, 30)])
    assert (figures.photos, figures.right, figures.accuracy) == (40, 30, 0.75)
    assert figures.accuracy_interval == wilson_interval(30, 40)
    assert figures.mean == pytest.approx(0.8)
    assert figures.standard_deviation == pytest.approx(0.02**0.5)
    assert figures.loss == pytest.approx(0.4)
