import pytest

from shutterless.dataset import load_labelled
from shutterless.dataset.selection import CHOICES
from shutterless.errors import ShutterlessError
from shutterless.runtime.image import decoder

LABELS = ("hat", "dress")


def refusal(root, labels=LABELS, **options):
    with pytest.raises(ShutterlessError) as caught:
        load_labelled(root, labels=labels, **options)
    assert caught.value.hint
    return caught.value


def size(root, **options):
    return len(load_labelled(root, labels=LABELS, **options).dataset.photos)


def test_folders_by_split_give_test_else_validation_else_what_is_asked_for(tmp_path, make_photos):
    make_photos("train/dress", 3)
    make_photos("val/dress", 2)
    assert size(tmp_path) == 2
    make_photos("test/dress", 1)
    assert size(tmp_path) == 1
    assert size(tmp_path, split="train") == 3
    assert size(tmp_path, split="val") == size(tmp_path, split="validation") == 2
    assert size(tmp_path, split="all") == 6


def test_photos_of_a_folder_of_labels_are_new(tmp_path, make_photos):
    make_photos("dress", 3)
    dataset = load_labelled(tmp_path, labels=LABELS).dataset
    assert dataset.labels == LABELS
    assert dataset.counts() == {"hat": {"new": 0}, "dress": {"new": 3}}
    assert dataset.warnings == ("no photo of 'hat' in new",)


def test_a_recorded_split_counts_more_than_the_folder(tmp_path, make_photos):
    make_photos("test/dress", 4)
    recorded = {"test/dress/000.png": "train", "test/dress/001.png": "validation"}
    selection = load_labelled(tmp_path, labels=LABELS, split_of=lambda photo: recorded.get(photo.path))
    assert [photo.path for photo in selection.dataset.photos] == ["test/dress/002.png", "test/dress/003.png"]
    assert selection.left_out == {"train": 1, "validation": 1}


def test_the_split_is_asked_for_with_the_photos_content(tmp_path, make_photos):
    make_photos("dress", 2)
    hashes = []
    load_labelled(tmp_path, labels=LABELS, split_of=lambda photo: hashes.append(photo.sha256))
    assert sorted(map(len, hashes)) == [64, 64]


def test_photos_that_were_all_trained_on_measure_nothing_unless_asked_for(tmp_path, make_photos):
    make_photos("dress", 3)
    assert refusal(tmp_path, split_of=lambda photo: "train").code == "only-training-photos"
    chosen = load_labelled(tmp_path, labels=LABELS, split="train", split_of=lambda photo: "train")
    assert len(chosen.dataset.photos) == 3


def test_a_split_that_is_not_there_is_refused_with_what_is_there(tmp_path, make_photos):
    make_photos("train/dress", 2)
    missing, misspelt = refusal(tmp_path, split="test"), refusal(tmp_path, split="holdout")
    assert (missing.code, misspelt.code) == ("empty-split", "unknown-split")
    assert "2 train" in missing.hint
    assert all(split in misspelt.hint for split in CHOICES)


def test_unknown_labels_are_counted_and_three_of_them_named(tmp_path, make_photos):
    for number in range(71):
        make_photos(f"label{number:02}", 2)
    make_photos("hat", 2)
    error = refusal(tmp_path)
    assert error.code == "unknown-labels"
    assert "71 " in error.message and "142 photos" in error.message
    assert "'label02' and 68 more" in error.message
    assert len(error.message) < 250


def test_photos_of_unknown_labels_can_be_left_out(tmp_path, make_photos):
    make_photos("hat", 2)
    make_photos("scarf", 3)
    dataset = load_labelled(tmp_path, labels=LABELS, skip_unknown_labels=True).dataset
    assert {photo.label for photo in dataset.photos} == {"hat"}
    assert any("3 photos" in warning and "'scarf'" in warning for warning in dataset.warnings)


def test_unknown_labels_alone_are_refused_even_when_they_may_be_left_out(tmp_path, make_photos):
    make_photos("scarf", 3)
    error = refusal(tmp_path, skip_unknown_labels=True)
    assert error.code == "unknown-labels"
    assert "'scarf'" in error.message


def test_renamed_labels_are_mapped(tmp_path, make_photos):
    make_photos("hats", 2)
    make_photos("dress", 1)
    photos = load_labelled(tmp_path, labels=LABELS, label_map={"hats": "hat"}).dataset.photos
    assert sorted(photo.label for photo in photos) == ["dress", "hat", "hat"]
    assert sorted({photo.path.split("/")[0] for photo in photos}) == ["dress", "hats"]


@pytest.mark.parametrize(
    ("label_map", "code", "closest"),
    [({"het": "dress"}, "unused-label-map", "hat"), ({"hat": "dres"}, "unknown-label", "dress")],
)
def test_a_label_map_with_a_misspelt_label_is_refused_with_the_closest(
    label_map, code, closest, tmp_path, make_photos
):
    make_photos("hat", 2)
    error = refusal(tmp_path, label_map=label_map)
    assert error.code == code
    assert closest in error.hint


@pytest.mark.parametrize("memory", [10**9, 0])
def test_photos_are_decoded_once_for_the_model_s_input_if_they_fit_in_memory(
    tmp_path, make_photos, monkeypatch, memory
):
    make_photos("dress", 3)
    monkeypatch.setattr("shutterless.dataset.loader.memory", lambda: memory)
    decode, specs, spec = decoder.decode, [], decoder.InputSpec(4, 5)
    monkeypatch.setattr(decoder, "decode", lambda data, spec: specs.append(spec) or decode(data, spec))
    dataset = load_labelled(tmp_path, labels=LABELS, spec=spec).dataset
    assert len(dataset.photos) == len(specs) == 3
    shapes = {path: array.shape for path, array in dataset.decoded.arrays.items()}
    assert shapes == ({photo.path: (4, 5, 3) for photo in dataset.photos} if memory else {})
