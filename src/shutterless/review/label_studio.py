"""Write the photos of a review as tasks for Label Studio, and read the answers of its users."""

import base64
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from xml.sax.saxutils import quoteattr

from shutterless.dataset.sources.json_files import objects, read_document, unreadable_export
from shutterless.files import atomic_file
from shutterless.review.items import Item
from shutterless.review.labels_file import Answer, Choice
from shutterless.review.photos import show_photo
from shutterless.review.session import Review
from shutterless.runtime.json_types import JsonObject
from shutterless.runtime.problems import Problem

SIDE = 512  # pixels; a task carries its photo, so that Label Studio needs no access to this machine
TOOL = "Label Studio"
NONE_OF_THESE = "None of these"
SKIPPED = "\0"  # no label of a user's
CONFIG = """<View>
  <Image name="image" value="$image"/>
  <Choices name="label" toName="image" choice="single" showInLine="true">
{choices}
  </Choices>
</View>
"""


def export_tasks(review: Review, file: Path) -> int:
    """Write the photos without an answer as a JSON file of tasks, and beside it the labelling interface.

    Each task has the photo itself, its id, and the most likely label as a prediction.

    Args:
        review: The photos.
        file: The JSON file to write. The interface gets the same name with the suffix .xml: its text is what
            Label Studio wants under "Labeling Interface", "Code".

    Returns:
        The number of tasks; photos that cannot be read are left out.

    Raises:
        OutputError: A file cannot be written (`cannot-write`).
    """
    tasks = [
        task for item in review.items.values() if item.id not in review.answers and (task := _task(item))
    ]
    choices = "\n".join(
        f"    <Choice value={quoteattr(label)}/>" for label in (*review.labels, NONE_OF_THESE)
    )
    for target, text in (
        (file, json.dumps(tasks)),
        (file.with_suffix(".xml"), CONFIG.format(choices=choices)),
    ):
        with atomic_file(target) as draft:
            draft.write_text(text, "utf-8")
    return len(tasks)


def _task(item: Item) -> JsonObject | None:
    try:
        photo = base64.b64encode(show_photo(item, SIDE)).decode()
    except Problem:
        return None
    likely = [_result(item.likely[0])] if item.likely else []
    return {
        "data": {"image": f"data:image/jpeg;base64,{photo}", "photo_id": item.id, "photo": item.name},
        "predictions": [{"model_version": "shutterless", "result": likely}],
    }


def _result(label: str) -> JsonObject:
    return {"from_name": "label", "to_name": "image", "type": "choices", "value": {"choices": [label]}}


def import_answers(review: Review, file: Path) -> int:
    """Add the answers in an export of Label Studio (format JSON) to labels.csv.

    Of several annotators, what more than half of them chose counts. Cancelled annotations count as skipped.

    Args:
        review: The photos that `export_tasks` wrote.
        file: The JSON file.

    Returns:
        The number of answers.

    Raises:
        DatasetError: It is not such an export (`unreadable-export`).
        InputError: A label is no name of a folder (`invalid-label`).
        OutputError: labels.csv cannot be written (`cannot-write`).
    """
    document = read_document(file, TOOL)
    if not isinstance(document, list):
        raise unreadable_export(file, TOOL, "it is not a list of tasks")
    return review.add(_answers(objects(document)))


def _answers(tasks: Iterable[dict[str, object]]) -> Iterator[tuple[str, Answer]]:
    """Yield the photo's id and the answer of each task on which more than half of the annotators agree."""
    for task in tasks:
        [data] = objects([task.get("data")]) or [{}]
        choices = [_choice(annotation) for annotation in objects(task.get("annotations"))]
        [(choice, count)] = Counter(filter(None, choices)).most_common(1) or [("", 0)]
        if 2 * count > len(choices):
            yield str(data.get("photo_id")), _to_answer(choice)


def _choice(annotation: dict[str, object]) -> str:
    """Return what an annotator chose; "" for nothing."""
    if annotation.get("was_cancelled"):
        return SKIPPED
    for result in objects(annotation.get("result")):
        value = result.get("value")
        choices = value.get("choices") if isinstance(value, dict) else None
        if isinstance(choices, list) and len(choices) == 1:
            return str(choices[0])
    return ""


def _to_answer(choice: str) -> Answer:
    if choice in (NONE_OF_THESE, SKIPPED):
        return Answer(Choice.NONE if choice == NONE_OF_THESE else Choice.SKIP)
    return Answer(Choice.LABEL, choice)
