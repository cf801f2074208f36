"""Tasks for Label Studio, and the answers that come back."""

import base64
import io
import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from PIL import Image

from shutterless.errors import DatasetError, InputError
from shutterless.review.label_studio import NONE_OF_THESE, export_tasks, import_answers
from shutterless.review.labels_file import Choice
from shutterless.review.review import open_review


def annotate(tasks: list[dict[str, object]], *choices: str | None) -> list[dict[str, object]]:
    """Answer each task as annotators would, None for one who skipped."""

    def annotation(choice: str | None) -> dict[str, object]:
        value = {"choices": [choice]}
        result = {"from_name": "label", "to_name": "image", "type": "choices", "value": value}
        return {"was_cancelled": choice is None, "result": [] if choice is None else [result]}

    return [{**task, "annotations": [annotation(choice) for choice in choices]} for task in tasks]


def test_tasks_carry_their_photos_and_the_likely_label(live: Path, tmp_path: Path) -> None:
    review = open_review(live)
    review.answer("id-0", Choice.SKIP)
    file = tmp_path / "tasks.json"
    assert export_tasks(review, file) == 19
    tasks = json.loads(file.read_text("utf-8"))
    task = next(task for task in tasks if task["data"]["photo_id"] == "id-1")
    photo = base64.b64decode(task["data"]["image"].removeprefix("data:image/jpeg;base64,"))
    assert Image.open(io.BytesIO(photo)).size == (40, 30)
    assert task["predictions"][0]["result"][0]["value"] == {"choices": ["hat"]}
    interface = ET.fromstring(file.with_suffix(".xml").read_text("utf-8"))
    values = [choice.get("value") for choice in interface.iter("Choice")]
    assert values == ["hat", "shirt", "shoes", NONE_OF_THESE]


@pytest.mark.parametrize(
    ("choices", "choice", "label"),
    [
        (("hat",), Choice.LABEL, "hat"),
        ((NONE_OF_THESE,), Choice.NONE, ""),
        ((None,), Choice.SKIP, ""),
        (("hat", "hat", "shoes"), Choice.LABEL, "hat"),
    ],
)
def test_answers_come_back(
    live: Path, tmp_path: Path, choices: tuple[str | None, ...], choice: Choice, label: str
) -> None:
    review = open_review(live)
    file = tmp_path / "tasks.json"
    export_tasks(review, file)
    file.write_text(json.dumps(annotate(json.loads(file.read_text()), *choices)))
    assert import_answers(review, file) == 20
    assert {(answer.choice, answer.label) for answer in open_review(live).answers.values()} == {
        (choice, label)
    }


def test_what_annotators_disagree_on_has_no_answer(live: Path, tmp_path: Path) -> None:
    review = open_review(live)
    file = tmp_path / "tasks.json"
    export_tasks(review, file)
    file.write_text(json.dumps(annotate(json.loads(file.read_text()), "hat", "shoes")))
    assert import_answers(review, file) == 0


@pytest.mark.parametrize("text", ["", "{}", "[", '"x"'])
def test_what_is_no_export_is_refused(live: Path, tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(DatasetError) as caught:
        import_answers(open_review(live), tmp_path / "x.json")
    assert caught.value.code == "unreadable-export"


@pytest.mark.parametrize("text", ["[]", "[1]", '[{"annotations": 3}]', '[{"data": [], "annotations": [[]]}]'])
def test_an_export_of_other_tasks_has_no_answers(live: Path, tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text)
    assert import_answers(open_review(live), tmp_path / "x.json") == 0


def test_a_label_that_is_no_folder_is_refused_and_nothing_changes(live: Path, tmp_path: Path) -> None:
    review = open_review(live)
    file = tmp_path / "tasks.json"
    export_tasks(review, file)
    file.write_text(json.dumps(annotate(json.loads(file.read_text()), "../x")))
    with pytest.raises(InputError) as caught:
        import_answers(review, file)
    assert caught.value.code == "invalid-label"
    assert open_review(live).answers == {}
