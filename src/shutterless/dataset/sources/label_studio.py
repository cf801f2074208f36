"""Read Label Studio's exports JSON and JSON-MIN of image classification with choices."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from shutterless.dataset.formats import SUFFIXES
from shutterless.dataset.sources.json_files import objects, read_document, unreadable_export
from shutterless.dataset.sources.paths import relative_path
from shutterless.dataset.sources.records import NO_LABEL, TWO_LABELS, Records

TOOL = "Label Studio"
DISAGREEMENT = "annotators disagree"
# What JSON-MIN has beside the data of the task and its answers.
# Source: label_studio_sdk 2.1, Converter.convert_to_json_min.
MIN_MEMBERS = frozenset(
    ("id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time", "agreement")
)
UPLOADS, LOCAL_FILES = "/data/upload/", "/data/local-files/"


def read_label_studio(file: Path, root: Path) -> Records:
    """Return what an export says about its photos.

    If an annotation is marked as ground truth, it decides. Otherwise it is what more than half of the
    annotators chose; cancelled annotations don't count.

    Args:
        file: The JSON file.
        root: The folder with the uploaded photos, or Label Studio's document root for local files.

    Raises:
        DatasetError: It cannot be read or asks several questions (`unreadable-export`), or names photos
            elsewhere, see `relative_path`.
    """
    document = read_document(file, TOOL)
    if not isinstance(document, list) or len(tasks := objects(document)) != len(document):
        raise unreadable_export(file, TOOL, "it is not a list of tasks")
    answers: dict[str, list[frozenset[str]]] = {}
    for number, task in enumerate(tasks, start=1):
        image = _image_of(file, number, task)
        path = _find_photo(image, root, f"task {number:,} of {file}")
        answers.setdefault(path, []).extend(_answers(file, task, image))
    records = Records(root)
    for path, choices in answers.items():
        _add(records, path, choices)
    return records


def _add(records: Records, path: str, choices: list[frozenset[str]]) -> None:
    """Add a photo with what more than half of its annotators chose."""
    if not choices:
        records.skip(NO_LABEL, path)
        return
    [(choice, count)] = Counter(choices).most_common(1)
    if 2 * count <= len(choices):
        records.skip(DISAGREEMENT, path)
    elif len(choice) > 1:
        records.skip(TWO_LABELS, path)
    else:
        records.add(path, *choice)


def _answers(file: Path, task: dict[str, object], image: str) -> Iterator[frozenset[str]]:
    """Yield what each annotator chose; only the ground truth, if there is one."""
    annotations = task.get("annotations", task.get("completions"))  # what version 1.0 renamed
    if annotations is None:
        yield from _minimal_answer(file, task, image)
        return
    valid = [
        each for each in objects(annotations) if not each.get("was_cancelled") and not each.get("skipped")
    ]
    for annotation in [each for each in valid if each.get("ground_truth")][:1] or valid:
        choices = [item for item in objects(annotation.get("result")) if item.get("type") == "choices"]
        if len({str(item.get("from_name")) for item in choices}) > 1:
            raise unreadable_export(file, TOOL, "its tasks ask several questions, so which one is the label?")
        values = (item["value"] for item in choices)
        labels = [_texts(value.get("choices")) for value in values if isinstance(value, dict)]
        if choice := frozenset(label for group in labels for label in group):
            yield choice


def _minimal_answer(file: Path, task: dict[str, object], image: str) -> Iterator[frozenset[str]]:
    """Yield the answer in a task of JSON-MIN: the only member that is neither data nor about the task."""
    answers = {name: value for name, value in task.items() if name not in MIN_MEMBERS and value != image}
    if len(answers) > 1:
        names = ", ".join(answers)[:200]
        raise unreadable_export(file, TOOL, f"its tasks have several members that may be labels: {names}")
    for value in answers.values():
        texts = value.get("choices") if isinstance(value, dict) else value
        if choice := frozenset(_texts(texts if isinstance(texts, list) else [texts])):
            yield choice


def _texts(values: object) -> list[str]:
    return [value.strip() for value in values if isinstance(value, str)] if isinstance(values, list) else []


def _image_of(file: Path, number: int, task: dict[str, object]) -> str:
    """Return the path or URL of a task's photo: the member `image`, or the only one that looks like one."""
    data = task.get("data", task)
    texts = (
        {name: text for name, text in data.items() if isinstance(text, str)} if isinstance(data, dict) else {}
    )
    pictures = [text for text in texts.values() if Path(urlsplit(text).path).suffix.lower() in SUFFIXES]
    local_files = [text for text in texts.values() if LOCAL_FILES in text]
    candidates = [texts["image"]] if "image" in texts else [*pictures, *local_files]
    if len(set(candidates)) != 1:
        raise unreadable_export(file, TOOL, f"task {number:,} has {len(candidates)} pictures, not one")
    return candidates[0]


def _find_photo(image: str, root: Path, where: str) -> str:
    """Return the path of a photo below `root`, from the path or URL that Label Studio gave it."""
    url = urlsplit(image)
    if LOCAL_FILES in url.path:
        return relative_path(parse_qs(url.query).get("d", [""])[0], root, where)
    if UPLOADS not in url.path:
        return relative_path(image, root, where)
    # /data/upload/<project>/<file>, below Label Studio's folder of media, or anywhere on the way down.
    upload = unquote(url.path.partition(UPLOADS)[2])
    name = upload.rpartition("/")[2]
    original = name.partition("-")[2]  # without the eight hex digits that Label Studio puts before it
    for candidate in (f"upload/{upload}", upload, name, original):
        path = relative_path(candidate, root, where)
        if candidate and (root / path).is_file():
            return path
    return relative_path(upload, root, where)
