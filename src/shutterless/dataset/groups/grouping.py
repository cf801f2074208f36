"""Which photos show one thing and must stay in one split: to know a training photo again is no accuracy."""

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from shutterless.dataset.groups.bursts import by_key, find_bursts, small_enough
from shutterless.dataset.groups.crops import find_crops
from shutterless.dataset.groups.duplicates import Duplicates, distinct_pictures, equal_files
from shutterless.dataset.groups.file_names import read_name
from shutterless.dataset.groups.union_find import Union
from shutterless.dataset.photo_stats import Look
from shutterless.dataset.types import REASONS, Group, Photo
from shutterless.errors import DatasetError, InputError, ShutterlessError
from shutterless.files import MAX_TABLE_BYTES, read_text
from shutterless.utils.progress import Progress, silent

AUTO, NONE, FOLDER = "auto", "none", "folder"
KeyOf = Callable[[Photo], str | None]
# The reason, and the places of the photos that it joins.
Link = tuple[str, list[int]]
# Reasons that hold whatever else a label's photos look like.
CERTAIN = ("given", "content")


def find_groups(
    looks: Mapping[Photo, Look],
    duplicates: Iterable[Duplicates],
    key_of: KeyOf | str = AUTO,
    progress: Progress = silent,
) -> tuple[Group, ...]:
    """Return the groups that the photos form, sorted by name; a photo is in one at most.

    Args:
        looks: Every photo, with what was seen of it.
        duplicates: Those among the photos, as `find_duplicates` returns them.
        key_of: What `parse_group_by` returned.
        progress: Called while photos are compared.
    """
    photos = list(looks)
    links = list(_links(photos, looks, duplicates, key_of, progress))
    groups = _joined(photos, links)
    whole = _labels_of_one_thing(photos, groups)
    divided = {photo for group in groups if whole & group.labels for photo in group.photos}
    certain = _joined(photos, [link for link in links if link[0] in CERTAIN]) if divided else ()
    kept = (
        *(group for group in groups if divided.isdisjoint(group.photos)),
        *(group for group in certain if divided.issuperset(group.photos)),
    )
    return tuple(sorted(kept, key=lambda group: group.name))


def _joined(photos: Sequence[Photo], links: Iterable[Link]) -> tuple[Group, ...]:
    """Return the groups that the links make, each with the reasons in it."""
    union, reasons = Union(len(photos)), [set[str]() for _ in photos]
    for reason, places in links:
        union.join(places)
        reasons[places[0]].add(reason)
    return tuple(
        Group(
            tuple(photos[place] for place in places),
            tuple(reason for reason in REASONS if any(reason in reasons[place] for place in places)),
        )
        for places in union.groups()
    )


def _labels_of_one_thing(photos: Sequence[Photo], groups: Iterable[Group]) -> set[str]:
    """Return the labels whose photos are all in one group, as where each label is one product.

    Such a label can only be measured on the thing that it was trained on: its photos are not kept
    together unless they are equal or the user says so.
    """
    sizes = Counter(photo.label for photo in photos)
    counts = (Counter(photo.label for photo in group.photos) for group in groups)
    return {label for count in counts for label in count if count[label] == sizes[label]}


def _links(
    photos: list[Photo],
    looks: Mapping[Photo, Look],
    duplicates: Iterable[Duplicates],
    key_of: KeyOf | str,
    progress: Progress,
) -> Iterator[Link]:
    """Yield the places of photos that belong together, two or more, and why."""
    if key_of == NONE:
        return
    place = {photo: number for number, photo in enumerate(photos)}
    near = ([place[photo] for photo in group.photos] for group in duplicates if not group.exact)
    yield from (("content", places) for places in equal_files(photos))
    yield from (("looks", places) for places in small_enough(near, photos))
    if callable(key_of):
        yield from (("given", places) for places in by_key(map(key_of, photos)).values())
    else:
        yield from find_bursts(photos, list(looks.values()))
        crops = _crops(photos, list(looks.values()), progress)
        yield from (("crop", places) for places in small_enough(crops, photos))


def _crops(photos: list[Photo], looks: list[Look], progress: Progress) -> Iterator[list[int]]:
    places, union = distinct_pictures(photos, looks), Union(len(photos))
    if len(places) > 1:
        for pair in find_crops(np.stack([looks[place].grey for place in places]), progress):
            union.join(places[pair])
    yield from union.groups()


def with_groups(photos: Iterable[Photo], groups: Iterable[Group]) -> tuple[Photo, ...]:
    """Return the photos, each with the name of the group that it is in."""
    names = {photo.path: group.name for group in groups for photo in group.photos}
    return tuple(replace(photo, group=names.get(photo.path, "")) for photo in photos)


def leaking(groups: Iterable[Group], duplicates: Iterable[Duplicates]) -> list[tuple[Photo, ...]]:
    """Return the groups with photos in more than one split, and such duplicates as are in no group."""
    leaks = [group.photos for group in groups if len(group.splits) > 1]
    listed = {photo for photos in leaks for photo in photos}
    copies = (group.photos for group in duplicates if len(group.splits) > 1)
    return leaks + [photos for photos in copies if not listed.issuperset(photos)]


def parse_group_by(group_by: str | Path) -> KeyOf | str:
    r"""Return what decides which photos belong together: `auto`, `none`, or the key that photos share.

    Args:
        group_by: `auto`: duplicates, crops, sub-folders, file names, time and camera, alike in sequence.
            `none`: every photo is on its own. `folder`: each folder below a label's. A CSV file with the
            columns path and group. A regular expression with one group, such as `bottle(\d+)_`, that is
            searched in the photo's path. All but `none` also keep duplicates together.

    Raises:
        ShutterlessError: If the file cannot be read, or the expression is not one with one group.
    """
    text = str(group_by)
    if text in (AUTO, NONE):
        return text
    if text == FOLDER:
        return lambda photo: f"{photo.label}/{folder}" if (folder := read_name(photo).folder) else None
    if text.lower().endswith(".csv"):
        groups = _read_groups(Path(text))
        return lambda photo: groups.get(photo.path)
    return _matching(text)


def _matching(expression: str) -> KeyOf:
    try:
        pattern = re.compile(expression)
    except re.error as error:
        raise _refused(expression, str(error)) from error
    if pattern.groups != 1:
        raise _refused(expression, f"it has {pattern.groups} groups, not one")

    def key_of(photo: Photo) -> str | None:
        match = pattern.search(photo.path)
        return match[1] if match else None

    return key_of


def _refused(expression: str, reason: str) -> ShutterlessError:
    return InputError(
        "invalid-group-by",
        f"Cannot group the photos by {expression!r}: {reason}",
        r"Give auto, none, folder, a .csv file, or a regular expression with one group: 'bottle(\d+)_'.",
    )


def _read_groups(file: Path) -> dict[str, str]:
    """Return path → group from a CSV file with these columns."""
    hint = "It needs the columns path and group; paths are relative to the folder of photos."
    try:
        text = read_text(file, MAX_TABLE_BYTES).removeprefix("\ufeff")
        reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError("unreadable-groups", f"Cannot read the groups in {file}: {error}", hint) from error
    if not {"path", "group"} <= set(reader.fieldnames or ()):
        raise DatasetError("missing-column", f"{file} lacks the column path or group", hint)
    return {row["path"]: row["group"] for row in rows if row["path"] and row["group"]}
