"""One trial, in this process: its trainings, its reports, and how it continues."""

import pytest

from shutterless.dataset import load_dataset
from shutterless.dataset.folds import split_into_folds
from shutterless.tuning import trial as trial_module
from shutterless.tuning.pixels import decode_for_all
from shutterless.tuning.search import Search, make_trials
from shutterless.tuning.study import Repeat, Study
from shutterless.utils.progress import silent

FIXED = {"backbone.name": "tiny", "image.size": 32, "from_scratch.epochs": 1}


@pytest.fixture(scope="module")
def study(colour_photos, tmp_path_factory):
    runs = tmp_path_factory.mktemp("search")
    dataset = load_dataset(colour_photos, progress=silent)
    folds = split_into_folds(dataset, 2, seed=1)
    (trial,) = make_trials(Search.model_validate({"trials": 1, "search": FIXED}))
    pixels = decode_for_all(dataset, [trial.input], runs / "pixels", silent)
    repeats = tuple(Repeat(f"fold-{number}", 1, part) for number, part in enumerate(folds))
    return trial, Study(runs, repeats, pixels)


def test_a_trial_continues_where_it_was_interrupted_and_reports_how_far_it_is(study, monkeypatch):
    trial, shared = study
    reports = []

    def interrupt(progress, loss):
        reports.append((progress, loss))
        if progress == 50:
            raise KeyboardInterrupt

    def read_no_photo(*arguments, **options):
        raise AssertionError("the photos are decoded already")

    monkeypatch.setattr("shutterless.dataset.loader.read_pixels", read_no_photo)
    with pytest.raises(KeyboardInterrupt):
        trial_module.run_trial(shared, trial, interrupt)
    measurements = trial_module.run_trial(shared, trial, lambda *report: reports.append(report))
    assert [progress for progress, _ in reports] == [50, 99]
    assert [measurement.run for measurement in measurements] == ["fold-0", "fold-1"]
    assert trial_module.run_trial(shared, trial, interrupt) == measurements
    assert len(reports) == 2


def test_pixels_are_shared_by_a_file_and_none_is_written_without_room(study, tmp_path, monkeypatch):
    trial, shared = study
    decoded = shared.dataset_of(shared.repeats[0], trial.input).decoded
    assert {*decoded.arrays} == {photo.path for photo in shared.repeats[0].dataset.photos}
    assert {pixels.shape for pixels in decoded.arrays.values()} == {(32, 32, 3)}
    monkeypatch.setattr("shutterless.tuning.pixels.DISK_SHARE", 0)
    assert decode_for_all(shared.repeats[0].dataset, [trial.input], tmp_path, silent) == ()
