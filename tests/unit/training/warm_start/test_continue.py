import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from shutterless.dataset import load_dataset
from shutterless.errors import DatasetError, InputError, OutputError, RunError
from shutterless.evaluation import predict_labelled
from shutterless.evaluation.provenance import read_provenance
from shutterless.training import load_run, train
from shutterless.training.warm_start.labels import compare_labels, describe_changes, require_same_splits
from shutterless.training.warm_start.metrics import compare_with_earlier
from shutterless.training.warm_start.model import extend_model, load_earlier_run
from tests.conftest import paint

pytestmark = pytest.mark.slow

YELLOW = (220, 210, 50)


def in_train(folder, label, colour, count=12):
    rng = np.random.default_rng(5)
    for split, photos in (("train", count), ("validation", 6), ("test", 3)):
        for number in range(photos):
            paint(folder / split / label / f"{number:02}.png", colour, rng)


@pytest.fixture(scope="module")
def more_photos(colour_photos, tmp_path_factory):
    """Return the colours with yellow added, and with green under another name."""
    folder = shutil.copytree(colour_photos, tmp_path_factory.mktemp("more") / "photos")
    for split in ("train", "validation", "test"):
        (folder / split / "green").rename(folder / split / "leaf")
    in_train(folder, "yellow", YELLOW)
    return folder


@pytest.fixture(scope="module")
def continued_run(colour_run, more_photos, tmp_path_factory):
    run = tmp_path_factory.mktemp("continued") / "run"
    warnings = []
    train(more_photos, run, from_run=colour_run, epochs=6, report=False, on_warning=warnings.append)
    return run, warnings


def test_old_and_new_labels_are_measured_apart(continued_run, colour_run):
    run, warnings = continued_run
    comparison = json.loads((run / "metrics.json").read_text())["from_run"]
    assert comparison["old_labels"] == ["blue", "leaf", "red"]
    assert comparison["new_labels"] == ["yellow"]
    assert comparison["renamed_labels"] == {"green": "leaf"}
    assert comparison["removed_labels"] == []
    counts = {split: (row["photos"], row["right_before"]) for split, row in comparison["old"].items()}
    assert counts == {"validation": (18, 18), "test": (9, 9)}
    assert {split: row["photos"] for split, row in comparison["new"].items()} == {"validation": 6, "test": 3}
    assert comparison["old"]["test"]["right"] >= 8
    assert comparison["new"]["validation"]["right"] >= 5
    assert any("'green'" in warning and "'leaf'" in warning for warning in warnings)


def test_a_continued_run_tells_where_it_comes_from(continued_run, colour_run):
    run, _ = continued_run
    assert load_run(run).settings.from_run == colour_run.resolve()
    source = read_provenance(run)
    assert f"--from {colour_run.resolve()} --seed 42" in source.command
    assert "--backbone" not in source.command
    assert [(each.kind, each.split, each.photos) for each in source.by_age] == [
        ("old label", "validation", 18),
        ("old label", "test", 9),
        ("new label", "validation", 6),
        ("new label", "test", 3),
    ]


def test_a_continued_run_is_resumed_with_what_it_was_started_from(continued_run, colour_run, more_photos):
    run, _ = continued_run
    assert train(more_photos, run, resume=True).path == run
    assert train(more_photos, run, from_run=colour_run, epochs=6, resume=True).path == run
    recipe = (run / "recipe.toml").read_text("utf-8")
    (run / "recipe.toml").write_text(recipe.replace(str(colour_run.resolve()), "/gone"), "utf-8")
    assert train(more_photos, run, resume=True).settings.from_run == Path("/gone")
    (run / "recipe.toml").write_text(recipe, "utf-8")
    with pytest.raises(RunError) as caught:
        train(more_photos, run, from_run=run, resume=True)
    assert caught.value.code == "changed-settings"


def test_the_network_is_that_of_the_earlier_run(colour_run, more_photos, tmp_path):
    for options in ({"backbone": "mobilenetv2"}, {"image_size": 64}, {"cut": "x"}, {"weights": "imagenet"}):
        with pytest.raises(InputError) as caught:
            train(more_photos, tmp_path / "run", from_run=colour_run, **options)
        assert caught.value.code == "conflicting-options"
    assert not (tmp_path / "run" / "recipe.toml").exists()


@pytest.mark.parametrize(
    ("name", "code"),
    [
        (None, "not-a-run"),
        ("model.keras", "unfinished-run"),
        ("recipe.toml", "unreadable-run"),
        ("split.csv", "unreadable-split"),
    ],
)
def test_a_run_that_cannot_be_continued_is_refused(name, code, colour_run, more_photos, tmp_path):
    base = tmp_path / "base"
    if name is None:
        base.mkdir()
    else:
        shutil.copytree(colour_run, base)
        (base / name).unlink() if name == "model.keras" else (base / name).write_text("[")
    with pytest.raises(RunError) as caught:
        train(more_photos, tmp_path / "run", from_run=base)
    assert caught.value.code == code


def test_a_damaged_model_and_one_for_other_labels_are_refused(colour_run, tmp_path):
    base = shutil.copytree(colour_run, tmp_path / "base")
    text = (base / "split.csv").read_text().replace(",green,", ",red,")
    (base / "split.csv").write_text(text)
    with pytest.raises(RunError) as caught:
        load_earlier_run(base)
    assert caught.value.code == "unreadable-model"
    (base / "model.keras").write_bytes(b"PK")
    with pytest.raises(RunError) as caught:
        load_earlier_run(base)
    assert caught.value.code == "unreadable-model"


def test_a_run_is_not_continued_in_its_own_folder(colour_run, more_photos):
    with pytest.raises(OutputError) as caught:
        train(more_photos, colour_run, from_run=colour_run)
    assert caught.value.code == "not-empty"


def test_a_photo_that_the_run_was_measured_on_must_not_be_trained_on(colour_run, more_photos, tmp_path):
    folder = shutil.copytree(more_photos, tmp_path / "photos")
    (folder / "test" / "red" / "00.png").rename(folder / "train" / "red" / "zz.png")
    with pytest.raises(DatasetError) as caught:
        train(folder, tmp_path / "run", from_run=colour_run)
    assert caught.value.code == "moved-photos"
    assert "train/red/zz.png" in caught.value.message


def test_photos_that_no_folder_splits_keep_their_splits(colour_run, colour_photos, tmp_path):
    folder = tmp_path / "photos"
    earlier = load_run(colour_run)
    for photo in earlier.photos:
        target = folder / photo.label / f"{photo.split}-{photo.path[-6:]}"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(colour_photos / photo.path, target)
    rng = np.random.default_rng(8)
    for number in range(10):
        paint(folder / "yellow" / f"{number}.png", YELLOW, rng)
    record = earlier.training_record
    dataset = load_dataset(folder, split_of=lambda photo: record.split_of(photo, folder), group_by="none")
    require_same_splits(dataset, earlier)
    old = [photo for photo in dataset.photos if photo.label != "yellow"]
    assert all(photo.path.split("/")[1].startswith(f"{photo.split}-") for photo in old)
    yellow = [photo.split for photo in dataset.photos if photo.label == "yellow"]
    assert sorted(yellow) == ["test", *["train"] * 8, "validation"]


def test_a_row_of_the_head_stays_with_its_label(colour_run):
    earlier = load_earlier_run(colour_run)
    labels = ("blue", "crimson", "leaf")
    model = extend_model(earlier, labels, {"blue": "blue", "crimson": "red"})
    pixels = np.random.default_rng(1).integers(0, 255, (4, 32, 32, 3)).astype(np.uint8)
    before, now = (np.log(each.predict(pixels, verbose=0)) for each in (earlier.model, model.full))
    blue, red = earlier.labels.index("blue"), earlier.labels.index("red")
    assert now[:, 0] - now[:, 1] == pytest.approx(before[:, blue] - before[:, red], abs=1e-4)


def test_labels_of_another_world_cannot_be_continued(colour_run, colour_photos):
    earlier = load_run(colour_run)
    dataset = load_dataset(colour_photos)
    strangers = tuple(replace(photo, label="x" + photo.label, sha256="0" * 64) for photo in dataset.photos)
    with pytest.raises(DatasetError) as caught:
        compare_labels(replace(dataset, labels=("xblue", "xgreen", "xred"), photos=strangers), earlier)
    assert caught.value.code == "no-common-label"


def test_a_removed_label_is_named(colour_run, colour_photos):
    earlier, dataset = load_run(colour_run), load_dataset(colour_photos)
    rest = tuple(photo for photo in dataset.photos if photo.label != "red")
    changed = replace(dataset, labels=("blue", "green"), photos=rest)
    assert compare_labels(changed, earlier).removed == ("red",)
    assert ["'red'" in line for line in describe_changes(changed, earlier)] == [True]
    assert describe_changes(dataset, earlier) == []


def test_a_run_without_its_metrics_is_continued_with_a_warning(colour_run, colour_photos, tmp_path):
    base = shutil.copytree(colour_run, tmp_path / "base")
    (base / "metrics.json").unlink()
    assert len(describe_changes(load_dataset(colour_photos), load_run(base))) == 1


def test_without_new_labels_only_old_ones_are_measured(colour_run, colour_photos):
    earlier, dataset = load_run(colour_run), load_dataset(colour_photos)
    predictions = predict_labelled(earlier, dataset.root, dataset.of("test"))
    comparison = compare_with_earlier(dataset, earlier, [predictions], progress=lambda *_: None)
    assert comparison["new"] == {}
    assert comparison["old"]["test"]["right"] == comparison["old"]["test"]["right_before"]


def test_csv_of_the_split_has_the_new_label(continued_run):
    run, _ = continued_run
    with (run / "split.csv").open() as stream:
        assert sum(row["label"] == "yellow" for row in csv.DictReader(stream)) == 21
