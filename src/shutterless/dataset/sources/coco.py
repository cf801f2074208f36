"""Read COCO annotations (images, annotations, categories) as one label for each photo.

Boxes and masks are not used: a photo whose annotations all have one category has this label.
"""

from pathlib import Path

from shutterless.dataset.sources.json_files import objects, read_document, unreadable_export
from shutterless.dataset.sources.paths import relative_path
from shutterless.dataset.sources.records import NO_LABEL, TWO_LABELS, Records

TOOL = "COCO"


def read_coco(file: Path, root: Path) -> Records:
    """Return what a file of COCO annotations says about its photos.

    Args:
        file: The JSON file.
        root: The folder that the images' file names are relative to.

    Raises:
        DatasetError: It cannot be read, or is no such file (`unreadable-export`); or it names photos outside
            the folder, see `relative_path`.
    """
    document = read_document(file, TOOL)
    if not isinstance(document, dict) or not {"images", "annotations", "categories"} <= set(document):
        raise unreadable_export(file, TOOL, "it does not have images, annotations and categories")
    names = _by_id(file, document["categories"], "name")
    files = _by_id(file, document["images"], "file_name")
    labels: dict[int | str, set[str]] = {}
    for annotation in objects(document["annotations"]):
        image, category = annotation.get("image_id"), annotation.get("category_id")
        if not isinstance(image, int | str) or not isinstance(category, int | str) or category not in names:
            raise unreadable_export(file, TOOL, f"an annotation has the category {str(category)[:80]}")
        labels.setdefault(image, set()).add(names[category])
    records = Records(root)
    for key, name in files.items():
        path = relative_path(name, root, f"image {key} of {file}")
        _add(records, path, labels.get(key, set()))
    return records


def _by_id(file: Path, value: object, member: str) -> dict[int | str, str]:
    """Return id → member of the objects in a list."""
    result: dict[int | str, str] = {}
    for item in objects(value):
        key, text = item.get("id"), item.get(member)
        if not isinstance(key, int | str) or not isinstance(text, str) or key in result:
            raise unreadable_export(file, TOOL, f"id {str(key)[:80]} is repeated or has no {member}")
        result[key] = text.strip()
    return result


def _add(records: Records, path: str, labels: set[str]) -> None:
    if len(labels) == 1:
        records.add(path, *labels)
    else:
        records.skip(TWO_LABELS if labels else NO_LABEL, path)
