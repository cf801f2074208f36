import json

import pytest
from pycocotools.coco import COCO

from shutterless.dataset.importer import import_dataset
from shutterless.dataset.sources.coco import read_coco
from shutterless.dataset.sources.records import NO_LABEL, TWO_LABELS
from shutterless.utils.progress import silent

DOCUMENT = {
    "info": {"year": 2026},
    "images": [
        {"id": 7, "file_name": "a.png", "width": 6, "height": 6},
        {"id": 8, "file_name": "deep/b.png", "width": 6, "height": 6},
        {"id": 9, "file_name": "two.png", "width": 6, "height": 6},
        {"id": 10**30, "file_name": "none.png", "width": 6, "height": 6},
    ],
    "annotations": [
        {"id": 1, "image_id": 7, "category_id": 1, "bbox": [0, 0, 2, 2], "area": 4, "iscrowd": 0},
        {"id": 2, "image_id": 7, "category_id": 1, "bbox": [2, 2, 2, 2], "area": 4, "iscrowd": 0},
        {"id": 3, "image_id": 8, "category_id": 5},
        {"id": 4, "image_id": 9, "category_id": 1},
        {"id": 5, "image_id": 9, "category_id": 5},
    ],
    "categories": [{"id": 1, "name": "hat", "supercategory": "clothes"}, {"id": 5, "name": "dress"}],
}


@pytest.fixture
def annotations(tmp_path):
    def write(**changes):
        file = tmp_path / "annotations.json"
        file.write_text(json.dumps(DOCUMENT | changes))
        return file

    return write


def test_a_photo_whose_annotations_have_one_category_has_this_label(annotations, tmp_path):
    listing = read_coco(annotations(), tmp_path / "images").to_listing()
    assert {photo.path: photo.label for photo in listing.photos} == {"a.png": "hat", "deep/b.png": "dress"}
    assert listing.skipped == {TWO_LABELS: ["two.png"], NO_LABEL: ["none.png"]}


def test_pycocotools_reads_the_same_labels(annotations, tmp_path, capsys):
    coco = COCO(annotations())
    names = {category["id"]: category["name"] for category in coco.loadCats(coco.getCatIds())}
    labels = {
        image["file_name"]: {
            names[each["category_id"]] for each in coco.loadAnns(coco.getAnnIds(image["id"]))
        }
        for image in coco.loadImgs(coco.getImgIds())
    }
    listing = read_coco(annotations(), tmp_path).to_listing()
    assert {photo.path: {photo.label} for photo in listing.photos} == {
        name: categories for name, categories in labels.items() if len(categories) == 1
    }


def test_coco_photos_are_imported_from_another_folder(annotations, make_picture, tmp_path):
    make_picture("images/a.png", 1)
    make_picture("images/deep/b.png", 2)
    result = import_dataset(annotations(), tmp_path / "photos", root=tmp_path / "images", progress=silent)
    assert (result.format, result.counts()) == ("coco", {"dress": {"new": 1}, "hat": {"new": 1}})
    assert (tmp_path / "photos/dress/b.png").read_bytes() == (tmp_path / "images/deep/b.png").read_bytes()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"categories": []}, "unreadable-export"),
        ({"categories": [{"id": [1], "name": "hat"}]}, "unreadable-export"),
        ({"annotations": [{"image_id": 7, "category_id": float("nan")}]}, "unreadable-export"),
        ({"images": [{"id": 7, "file_name": "a.png"}] * 2}, "unreadable-export"),
        ({"images": [{"id": 7, "file_name": "../a.png"}]}, "path-outside-root"),
        ({"images": [{"id": 7, "file_name": "http://host/a.png"}]}, "remote-photo"),
    ],
)
def test_annotations_that_contradict_themselves_or_lead_elsewhere_are_refused(
    annotations, tmp_path, refusal, changes, code
):
    assert refusal(lambda: read_coco(annotations(**changes), tmp_path)) == code


@pytest.mark.parametrize("text", ["", "{}", "[" * 100_000, '{"images": ' + "9" * 5000 + "}", "\xff"])
def test_what_is_no_coco_is_refused(tmp_path, refusal, text):
    (tmp_path / "coco.json").write_text(text, "latin-1")
    assert refusal(lambda: read_coco(tmp_path / "coco.json", tmp_path)) == "unreadable-export"
