import shutil

import pytest

from shutterless.errors import InputError
from shutterless.evaluation.runs import group_runs, list_runs
from shutterless.training import train_series

TINY = {"backbone": "tiny", "image_size": 32, "epochs": 1, "report": False, "group_by": "none"}


@pytest.mark.slow
def test_an_interrupted_series_continues_and_keeps_what_is_finished(colour_photos, tmp_path):
    photos, output = tmp_path / "photos", tmp_path / "runs"
    shutil.copytree(colour_photos / "train", photos)  # without splits of its own
    epochs = []

    def interrupt(epoch):
        epochs.append(epoch)
        if len(epochs) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_series(photos, output, seeds=[3, 1], on_epoch=interrupt, **TINY)
    assert [(run.path, run.state) for run in list_runs(output)] == [
        (str(output / "quick-3"), "finished"),
        (str(output / "quick-1"), "unfinished"),
    ]
    trained = []
    runs = train_series(photos, output, seeds=[3, 1], resume=True, on_epoch=trained.append, **TINY)
    assert [run.path.name for run in runs] == ["quick-3", "quick-1"]
    assert [run.settings.seed for run in runs] == [3, 1]
    assert trained == []  # the interruption came when the only epoch was over
    (group,) = group_runs(list_runs(output))  # so both have the same split
    assert group.runs == 2
    assert (output / "curves.svg").is_file()


def test_two_recipes_of_one_name_are_refused(colour_photos, tmp_path):
    for name in ("one", "two"):
        text = "name = 'mine'\ndescription = ''\n[head_training]\nepochs = 1\nlearning_rate = 0.1\n"
        (tmp_path / f"{name}.toml").write_text(text, "utf-8")
    with pytest.raises(InputError) as caught:
        train_series(colour_photos, tmp_path / "runs", recipes=[*tmp_path.glob("*.toml")], backbone="tiny")
    assert caught.value.code == "equal-recipe-names"
    assert not (tmp_path / "runs").exists()
