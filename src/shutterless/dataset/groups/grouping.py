"""Group photos of the same thing, which must stay in one split: recognising a known photo is not accuracy."""

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
from shutterless.dataset.groups.file_names import parse_file_name
from shutterless.dataset.groups.union_find import UnionFind
from shutterless.dataset.photo_stats import PhotoStats
from shutterless.dataset.types import REASONS, Group, Photo
from shutterless.errors import DatasetError, InputError
from shutterless.text_files import MAX_TABLE_BYTES, read_text
from shutterless.utils.escaping import unescape_formula
from shutterless.utils.progress import Progress, silent

AUTO, NONE, FOLDER = "auto", "none", "folder"
KeyOf = Callable[[Photo], str | None]
# A reason, and the indices of the photos that it joins.
Link = tuple[str, list[int]]
# Reasons that hold whatever the other photos of a label look like.
CERTAIN_REASONS = ("group-by", "content")


def find_groups(
    stats: Mapping[Photo, PhotoStats],
    duplicates: Iterable[Duplicates],
    rule: KeyOf | str = AUTO,
    progress: Progress = silent,
) -> tuple[Group, ...]:
    """Return the groups of photos that show the same thing, sorted by name; a photo is in at most one.

    If all photos of a label would be in one group, as where each label is one product, they are not kept
    together unless their files are equal or the user's rule says so: such a label can only be measured on
    the thing it was trained on.

    Args:
        stats: All photos and their measurements.
        duplicates: The duplicates among them, from `find_duplicates`.
        rule: What `parse_group_by` returned.
        progress: Called while photos are compared.
    """
    photos = list(stats)
    links = list(_links(photos, stats, duplicates, rule, progress))
    groups = _join(photos, links)
    sizes = Counter(photo.label for photo in photos)
    one_thing = {
        label
        for group in groups
        for label, count in Counter(photo.label for photo in group.photos).items()
        if count == sizes[label]
    }
    to_divide = {photo for group in groups if one_thing & group.labels for photo in group.photos}
    certain = _join(photos, [link for link in links if link[0] in CERTAIN_REASONS]) if to_divide else ()
    result = (
        *(group for group in groups if to_divide.isdisjoint(group.photos)),
        *(group for group in certain if to_divide.issuperset(group.photos)),
    )
    return tuple(sorted(result, key=lambda group: group.name))


def _join(photos: Sequence[Photo], links: Iterable[Link]) -> tuple[Group, ...]:
    """Return the groups that the links make, each with its reasons."""
    union, reasons = UnionFind(len(photos)), [set[str]() for _ in photos]
    for reason, indices in links:
        union.join(indices)
        reasons[indices[0]].add(reason)
    return tuple(
        Group(
            tuple(photos[index] for index in indices),
            tuple(reason for reason in REASONS if any(reason in reasons[index] for index in indices)),
        )
        for indices in union.groups()
    )


def _links(
    photos: list[Photo],
    stats: Mapping[Photo, PhotoStats],
    duplicates: Iterable[Duplicates],
    rule: KeyOf | str,
    progress: Progress,
) -> Iterator[Link]:
    """Yield the indices of two or more photos that belong together, with the reason."""
    if rule == NONE:
        return
    index_of = {photo: index for index, photo in enumerate(photos)}
    near = ([index_of[photo] for photo in group.photos] for group in duplicates if not group.exact)
    yield from (("content", indices) for indices in equal_files(photos))
    yield from (("near-duplicate", indices) for indices in small_enough(near, photos))
    if callable(rule):
        yield from (("group-by", indices) for indices in by_key(map(rule, photos)).values())
        return
    yield from find_bursts(photos, list(stats.values()))
    crops = _find_crop_groups(photos, list(stats.values()), progress)
    yield from (("crop", indices) for indices in small_enough(crops, photos))


def _find_crop_groups(
    photos: list[Photo], stats: list[PhotoStats], progress: Progress
) -> Iterator[list[int]]:
    """Yield the indices of each two or more photos that are crops of one photo."""
    indices, union = distinct_pictures(photos, stats), UnionFind(len(photos))
    if len(indices) > 1:
        for pair in find_crops(np.stack([stats[index].grey for index in indices]), progress):
            union.join(indices[pair])
    yield from union.groups()


def with_groups(photos: Iterable[Photo], groups: Iterable[Group]) -> tuple[Photo, ...]:
    """Return the photos, each with the name of its group."""
    names = {photo.path: group.name for group in groups for photo in group.photos}
    return tuple(replace(photo, group=names.get(photo.path, "")) for photo in photos)


def leaking(groups: Iterable[Group], duplicates: Iterable[Duplicates]) -> list[tuple[Photo, ...]]:
    """Return the groups with photos in more than one split, and such duplicates as are in no group."""
    leaks = [group.photos for group in groups if len(group.splits) > 1]
    in_leaks = {photo for photos in leaks for photo in photos}
    copies = (group.photos for group in duplicates if len(group.splits) > 1)
    return leaks + [photos for photos in copies if not in_leaks.issuperset(photos)]


def parse_group_by(group_by: str | Path) -> KeyOf | str:
    r"""Return the rule for which photos belong together: `auto`, `none`, or a function that returns a key.

    Args:
        group_by: One of these. All but `none` also keep duplicates together.

            - `auto`: crops, sub-folders, file names, time and camera, similar neighbours.
            - `none`: every photo is on its own.
            - `folder`: each folder below a label's folder.
            - A CSV file with the columns path and group.
            - A regular expression with one group, such as `bottle(\d+)_`, that is searched in the path.

    Raises:
        InputError: The expression is not a valid one with one group (`invalid-group-by`).
        DatasetError: The file cannot be read (`unreadable-groups`) or lacks a column (`missing-column`).
    """
    text = str(group_by)
    if text in (AUTO, NONE):
        return text
    if text == FOLDER:
        return lambda photo: f"{photo.label}/{folder}" if (folder := parse_file_name(photo).folder) else None
    if text.lower().endswith(".csv"):
        return make_rule(read_groups(Path(text)))
    return _parse_expression(text)


def make_rule(groups: Mapping[str, str]) -> KeyOf:
    """Return the rule that gives each photo its group by path → group."""
    return lambda photo: groups.get(photo.path)


def _parse_expression(expression: str) -> KeyOf:
    try:
        pattern = re.compile(expression)
    except re.error as error:
        raise _invalid_group_by(expression, str(error)) from error
    if pattern.groups != 1:
        raise _invalid_group_by(expression, f"it has {pattern.groups} groups, not one")

    def key_of(photo: Photo) -> str | None:
        match = pattern.search(photo.path)
        return match[1] if match else None

    return key_of


def _invalid_group_by(expression: str, reason: str) -> InputError:
    return InputError(
        "invalid-group-by",
        f"Cannot group the photos by {expression!r}: {reason}",
        r"Use auto, none, folder, a .csv file, or a regular expression with one group: 'bottle(\d+)_'.",
    )


def read_groups(file: Path) -> dict[str, str]:
    """Return path → group from a CSV file with these columns.

    Raises:
        DatasetError: The file cannot be read (`unreadable-groups`) or lacks a column (`missing-column`).
    """
    hint = "It needs the columns path and group; paths are relative to the folder of photos."
    try:
        text = read_text(file, MAX_TABLE_BYTES).removeprefix("\ufeff")
        reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
        rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError("unreadable-groups", f"Cannot read the groups in {file}: {error}", hint) from error
    if not {"path", "group"} <= set(reader.fieldnames or ()):
        raise DatasetError("missing-column", f"{file} lacks the column path or group", hint)
    return {unescape_formula(row["path"]): row["group"] for row in rows if row["path"] and row["group"]}
