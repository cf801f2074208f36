"""The fixtures were made by label-studio-sdk 2.1: LabelInterface validated each annotation, and Converter
wrote JSON (`convert_to_json`) and JSON-MIN (`convert_to_json_min`)."""

import json
from pathlib import Path

import pytest

from shutterless.dataset.importer import import_dataset
from shutterless.dataset.sources.label_studio import DISAGREEMENT, read_label_studio
from shutterless.dataset.sources.reader import recognise_format
from shutterless.dataset.sources.records import NO_LABEL, TWO_LABELS
from shutterless.utils.progress import silent

EXPORT = Path(__file__).with_name("label_studio.json")
MINIMAL = Path(__file__).with_name("label_studio_min.json")


def labels(file, root):
    listing = read_label_studio(file, root).to_listing()
    return {photo.path: photo.label for photo in listing.photos}, listing.skipped


def test_the_ground_truth_or_the_majority_decides_and_cancelled_answers_do_not_count(tmp_path):
    answers, skipped = labels(EXPORT, tmp_path)
    assert answers == {
        "1/0a1b2c3d-0.png": "hat",
        "1/1a1b2c3d-1.png": "dress",
        "shop/2.png": "dress",
        "1/3a1b2c3d-3.png": "dress",
    }
    assert skipped == {DISAGREEMENT: ["1/4a1b2c3d-4.png"], NO_LABEL: ["1/5a1b2c3d-5.png"]}


def test_json_min_gives_the_same_as_far_as_it_says_it(tmp_path):
    answers, skipped = labels(MINIMAL, tmp_path)
    # It leaves out what is ground truth, and tasks without an answer.
    assert answers == {"1/0a1b2c3d-0.png": "hat", "1/1a1b2c3d-1.png": "dress", "shop/2.png": "dress"}
    assert skipped == {DISAGREEMENT: ["1/3a1b2c3d-3.png", "1/4a1b2c3d-4.png"]}


def test_uploads_are_found_at_any_depth_and_without_their_prefix(make_picture, tmp_path):
    for number, path in enumerate(["upload/1/0a1b2c3d-0.png", "1a1b2c3d-1.png", "shop/2.png", "3.png"]):
        make_picture(f"media/{path}", number)
    result = import_dataset(EXPORT, tmp_path / "photos", root=tmp_path / "media", progress=silent)
    assert (result.format, recognise_format(MINIMAL)) == ("label-studio", "label-studio")
    assert result.counts() == {"dress": {"new": 3}, "hat": {"new": 1}}
    assert {photo.path for photo in result.photos} >= {"hat/0a1b2c3d-0.png", "dress/3.png"}


def task(image: str, *choices: list[str], **more: object) -> dict[str, object]:
    results = [[{"type": "choices", "from_name": "kind", "value": {"choices": choice}}] for choice in choices]
    return {"data": {"photo": image}, "annotations": [{"result": result} | more for result in results]}


def test_several_choices_in_one_answer_are_two_labels(tmp_path):
    (tmp_path / "export.json").write_text(
        json.dumps([task("a.png", ["hat", "dress"]), task("b.png", ["hat"])])
    )
    assert labels(tmp_path / "export.json", tmp_path) == ({"b.png": "hat"}, {TWO_LABELS: ["a.png"]})


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ({}, "unreadable-export"),
        ([1], "unreadable-export"),
        ([{"data": {"text": "no picture"}, "annotations": []}], "unreadable-export"),
        ([{"data": {"a": "a.png", "b": "b.png"}, "annotations": []}], "unreadable-export"),
        ([{"image": "a.png", "kind": "hat", "colour": "red"}], "unreadable-export"),
        ([task("https://example.com/a.png", ["hat"])], "remote-photo"),
        ([task("s3://bucket/a.png", ["hat"])], "remote-photo"),
        ([task("/data/upload/../../../etc/a.png", ["hat"])], "path-outside-root"),
        ([task("/data/local-files/?d=../a.png", ["hat"])], "path-outside-root"),
    ],
)
def test_exports_of_other_tasks_or_of_photos_elsewhere_are_refused(tmp_path, refusal, document, code):
    (tmp_path / "export.json").write_text(json.dumps(document))
    assert refusal(lambda: read_label_studio(tmp_path / "export.json", tmp_path)) == code


def test_an_export_with_two_questions_is_refused(tmp_path, refusal):
    two = task("a.png", ["hat"])
    two["annotations"][0]["result"].append(
        {"type": "choices", "from_name": "colour", "value": {"choices": ["red"]}}
    )
    (tmp_path / "export.json").write_text(json.dumps([two]))
    assert refusal(lambda: read_label_studio(tmp_path / "export.json", tmp_path)) == "unreadable-export"
