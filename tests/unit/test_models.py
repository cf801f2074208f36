import shutil

import numpy as np
import pytest
from PIL import Image

import shutterless
from shutterless.errors import BundleError, DatasetError
from shutterless.evaluation import predict_folder
from shutterless.models import evaluate, load_model
from shutterless.runtime.model.bundle import TRAINING_PHOTOS

pytestmark = pytest.mark.slow


def flat(colour_photos, folder, splits=("train", "validation", "test")):
    """Copy the photos under other names into one folder for each label."""
    for split in splits:
        for photo in (colour_photos / split).glob("*/*"):
            target = folder / photo.parent.name / f"copy-{split}-{photo.name}"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(photo, target)
    return folder


def add_new(folder, count=2):
    rng = np.random.default_rng(1)
    for number in range(count):
        noise = rng.integers(0, 255, (32, 32, 3)).astype("uint8")
        Image.fromarray(noise).save(folder / "red" / f"new-{number}.png")


def splits(model, photos=None, **options):
    return predict_folder(load_model(model), photos, **options).splits


@pytest.mark.parametrize("kind", [str, lambda path: path, load_model])
def test_a_run_is_measured_on_its_own_test_photos_by_path_or_loaded(kind, colour_run):
    metrics = shutterless.evaluate(kind(colour_run))
    assert (metrics.photos, metrics.right) == (9, 9)


@pytest.mark.parametrize("model", ["colour_run", "colour_bundle"])
def test_the_runs_photos_are_recognised_under_other_names(model, colour_photos, request, tmp_path):
    model, photos = request.getfixturevalue(model), flat(colour_photos, tmp_path)
    assert splits(model, photos) == {"test": 9}
    assert splits(model, photos, split="validation") == {"validation": 18}
    assert splits(model, photos, split="all") == {"train": 36, "validation": 18, "test": 9}
    assert predict_folder(load_model(model), photos).left_out == {"train": 36, "validation": 18}


@pytest.mark.parametrize("model", ["colour_run", "colour_bundle"])
def test_photos_that_the_run_did_not_have_are_measured_too(model, colour_photos, request, tmp_path):
    model, photos = request.getfixturevalue(model), flat(colour_photos, tmp_path)
    add_new(photos)
    assert splits(model, photos) == {"test": 9, "new": 2}
    assert splits(model, photos, split="new") == {"new": 2}


def test_without_test_or_new_photos_validation_is_measured(colour_run, colour_photos, tmp_path):
    photos = flat(colour_photos, tmp_path, ("train", "validation"))
    metrics = evaluate(colour_run, photos)
    assert metrics.splits == {"validation": 18}
    assert any("validation" in note for note in metrics.notes())


def test_trained_photos_alone_are_refused(colour_bundle, colour_photos, tmp_path):
    with pytest.raises(DatasetError) as caught:
        evaluate(colour_bundle, flat(colour_photos, tmp_path, ("train",)))
    assert caught.value.code == "only-training-photos"
    assert "36" in caught.value.message


def test_a_bundle_needs_a_folder_of_photos(colour_bundle):
    with pytest.raises(BundleError) as caught:
        evaluate(colour_bundle)
    assert caught.value.code == "no-photos-recorded"


def test_a_bundle_without_a_record_says_that_it_cannot_know(colour_bundle, colour_photos, tmp_path):
    bundle = shutil.copytree(colour_bundle, tmp_path / "bundle")
    (bundle / TRAINING_PHOTOS).unlink()
    warnings = []
    photos = flat(colour_photos, tmp_path / "photos")
    assert evaluate(bundle, photos, on_warning=warnings.append).photos == 63
    assert any("does not record" in warning for warning in warnings)
    warnings.clear()
    evaluate(colour_bundle, photos, on_warning=warnings.append)
    assert warnings == []


def test_photos_changed_in_their_place_keep_their_split_with_a_warning(colour_run, colour_photos, tmp_path):
    run, photos = shutil.copytree(colour_run, tmp_path / "run"), tmp_path / "photos"
    shutil.copytree(colour_photos, photos)
    recipe = (run / "recipe.toml").read_text()
    (run / "recipe.toml").write_text(recipe.replace(str(colour_photos), str(photos)))
    for split in ("train", "test"):
        Image.new("RGB", (32, 32), "red").save(photos / split / "red" / "00.png")
    warnings = []
    predictions = predict_folder(load_model(run), on_warning=warnings.append)
    assert predictions.splits == {"test": 9}
    assert ["test/red/00.png" in warning for warning in warnings] == [True]


def test_a_run_that_was_trained_on_a_table_finds_its_photos(colour_run, colour_photos, tmp_path):
    flat(colour_photos, tmp_path / "pictures")
    rows = [
        (f"pictures/{file.parent.name}/{file.name}", file.parent.name) for file in tmp_path.rglob("*.png")
    ]
    (tmp_path / "photos.csv").write_text(
        "path,label\n" + "".join(f"{path},{label}\n" for path, label in rows)
    )
    run = shutil.copytree(colour_run, tmp_path / "run")
    recipe = (run / "recipe.toml").read_text()
    (run / "recipe.toml").write_text(recipe.replace(str(colour_photos), str(tmp_path / "photos.csv")))
    assert load_model(run).settings.root == tmp_path
    assert splits(run) == {"test": 9}
    assert splits(colour_run, tmp_path / "photos.csv", split="all") == {
        "train": 36,
        "validation": 18,
        "test": 9,
    }
    assert shutterless.evaluate(run).right == 9
