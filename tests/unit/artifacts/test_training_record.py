import hashlib
import json
import shutil

import pytest

from shutterless.artifacts.training_record import TrainingRecord, read_training_photos
from shutterless.dataset import Photo
from shutterless.errors import BundleError
from shutterless.runtime.model.bundle import TRAINING_PHOTOS, read_bundle, write_bundle

pytestmark = pytest.mark.slow

A, B, C = (letter * 64 for letter in "abc")
RUN = [Photo("x/1", "x", "train", "", A), Photo("x/2", "x", "test", "", B)]


def test_photos_are_recognised_by_their_content_wherever_they_are(tmp_path):
    record = TrainingRecord.of(RUN, tmp_path)
    assert record.split_of(Photo("other/9", "y", "new", "", A), tmp_path / "elsewhere") == "train"
    assert record.split_of(Photo("x/1", "x", "new", "", C), tmp_path / "elsewhere") is None


def test_a_photo_changed_in_its_place_keeps_its_split_and_is_told(tmp_path):
    record = TrainingRecord.of(RUN, tmp_path)
    changed = Photo("x/1", "x", "new", "", C)
    assert record.split_of(changed, tmp_path) == "train"
    assert record.changed([changed, RUN[1]], tmp_path) == [changed]
    assert record.changed([changed], tmp_path / "elsewhere") == []


def test_content_in_two_splits_counts_as_trained_on():
    record = TrainingRecord.of([Photo("x/2", "x", "test", "", A), *RUN])
    assert record.by_content == {A[:16]: "train", B[:16]: "test"}


def test_a_run_without_hashes_recognises_its_photos_by_their_names(tmp_path):
    record = TrainingRecord.of([Photo("x/1", "x", "train")], tmp_path)
    assert record.split_of(Photo("x/1", "x", "new", "", C), tmp_path / "elsewhere") == "train"


def test_a_bundle_records_the_photos_of_its_run(colour_run, colour_bundle):
    record = read_training_photos(read_bundle(colour_bundle))
    assert record is not None and record.source is None
    assert sorted(record.by_content.values()).count("train") == 36
    assert len(record.by_content) == 63
    text = (colour_bundle / TRAINING_PHOTOS).read_text()
    assert text.splitlines() == sorted(text.splitlines())
    assert record.to_text() == text


def test_a_bundle_records_which_photos_show_one_thing(colour_bundle, tmp_path):
    photos = [Photo("x/1", "x", "train", "x/1", A), Photo("x/2", "x", "train", "x/1", B)]
    record = TrainingRecord.of([*photos, Photo("x/3", "x", "test", "", C)])
    folder = shutil.copytree(colour_bundle, tmp_path / "bundle")
    (folder / TRAINING_PHOTOS).write_text(record.to_text())
    digest = hashlib.sha256(record.to_text().encode()).hexdigest()
    bundle = read_bundle(colour_bundle).replace(folder=str(folder), files={TRAINING_PHOTOS: digest})
    recorded = read_training_photos(bundle)
    assert recorded.by_content == record.by_content
    one, other, single = recorded.with_groups([*photos, Photo("x/3", "x", "test", "", C)])
    assert one.group == other.group != ""
    assert single.group == ""


def test_a_changed_record_is_refused_and_a_missing_one_is_none(colour_bundle, tmp_path):
    bundle = shutil.copytree(colour_bundle, tmp_path / "bundle")
    (bundle / TRAINING_PHOTOS).write_text("0" * 16 + " test\n")
    with pytest.raises(BundleError) as caught:
        read_training_photos(read_bundle(bundle))
    assert caught.value.code == "changed-training-photos"
    (bundle / TRAINING_PHOTOS).unlink()
    assert read_training_photos(read_bundle(bundle)) is None


@pytest.mark.parametrize("text", ["\n", "0123\n", "0123 train 1 2\n", "0123 nowhere\n"])
def test_a_record_of_strangers_is_refused_if_it_is_none(described, tmp_path, text):
    bundle = write_bundle(tmp_path / "bundle", b"", described, {TRAINING_PHOTOS: text.encode()})
    with pytest.raises(BundleError) as caught:
        read_training_photos(bundle)
    assert caught.value.code == "changed-training-photos"


def test_a_record_that_the_description_does_not_name_is_not_believed(colour_bundle, tmp_path):
    bundle = shutil.copytree(colour_bundle, tmp_path / "bundle")
    document = json.loads((bundle / "bundle.json").read_text())
    del document["files"]
    (bundle / "bundle.json").write_text(json.dumps(document))
    assert read_training_photos(read_bundle(bundle)) is None
