"""Share photos out to training, validation and test, and record who went where."""

import csv
import hashlib
import io
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, replace
from pathlib import Path, PurePosixPath, PureWindowsPath

from shutterless.dataset.records import SPLITS, Dataset, Photo
from shutterless.errors import ShutterlessError
from shutterless.files import MAX_TABLE_BYTES, atomic_file, read_text

COLUMNS = ("path", "label", "split", "group", "sha256")
# The columns of earlier versions, and the fields that may not be empty.
REQUIRED = COLUMNS[:3]
SHA256 = re.compile("[0-9a-f]{64}")


def assign(
    photos: Iterable[Photo], *, shares: Mapping[str, float], rest: str = "train", seed: int
) -> tuple[Photo, ...]:
    """Return the photos, sorted by path, each with the split that falls to it, label by label.

    A group counts to the label that most of its photos have, and is never divided. A label's groups are
    ordered by a hash of seed and name, not by a shuffle, so that a photo added later leaves nearly all
    others where they were.

    Args:
        photos: Those to share out, with their groups.
        shares: The part of every label's photos that each split gets: as near to it as the groups permit,
            and one group at least while they last.
        rest: The split of the others; at least one group of every label.
        seed: Of the order.
    """
    units: dict[str, list[Photo]] = {}
    for photo in sorted(photos, key=lambda photo: photo.path):
        units.setdefault(photo.group or photo.path, []).append(photo)
    labels: dict[str, list[str]] = {}
    for name in sorted(units, key=lambda name: hashlib.sha256(f"{seed}:{name}".encode()).digest()):
        ((label, _),) = Counter(photo.label for photo in units[name]).most_common(1)
        labels.setdefault(label, []).append(name)
    sizes = {name: len(members) for name, members in units.items()}
    splits = dict.fromkeys(units, rest)
    for waiting in labels.values():
        splits |= _share(waiting, sizes, shares)
    assigned = (replace(photo, split=splits[name]) for name, members in units.items() for photo in members)
    return tuple(sorted(assigned, key=lambda photo: photo.path))


def _share(names: list[str], sizes: Mapping[str, int], shares: Mapping[str, float]) -> dict[str, str]:
    """Return group → split of the groups, in their order, that do not stay with the rest."""
    total = sum(sizes[name] for name in names)
    splits: dict[str, str] = {}
    for split, share in shares.items():
        waiting = [name for name in names if name not in splits]
        chosen = _fill(waiting, sizes, max(1, round(share * total)))
        splits |= dict.fromkeys(chosen, split)
    return splits


def _fill(waiting: Sequence[str], sizes: Mapping[str, int], size: int) -> list[str]:
    """Return groups that together are as near to `size` photos as their order permits, never all of them."""
    chosen: list[str] = []
    missing = size
    for name in waiting:
        if len(chosen) + 1 < len(waiting) and sizes[name] < 2 * missing:
            chosen.append(name)
            missing -= sizes[name]
    if not chosen and len(waiting) > 1:
        chosen = [min(waiting, key=lambda name: sizes[name])]
    return chosen


def write_split(dataset: Dataset, file: Path) -> None:
    """Write the data set's photos as CSV with the columns of `COLUMNS`.

    Raises ShutterlessError if the file cannot be written; nothing half-written is left.
    """
    with atomic_file(file) as draft, draft.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(astuple(photo) for photo in dataset.photos)


def read_split(file: Path) -> tuple[Photo, ...]:
    """Return the photos that `write_split` recorded, in the file's order.

    Raises ShutterlessError if the file is missing or malformed, or if a photo's path is absolute or
    climbs with "..": such a path would read files outside the data set.
    """
    try:
        text = io.StringIO(read_text(file, MAX_TABLE_BYTES), newline="")
        header, *rows = list(csv.reader(text, strict=True)) or [[]]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise _malformed(file, str(error)) from error
    if tuple(header) not in (COLUMNS, REQUIRED):
        raise _malformed(file, f"its first line is not {','.join(COLUMNS)}")
    return tuple(_photo(file, number, header, row) for number, row in enumerate(rows, start=2))


def _photo(file: Path, number: int, columns: list[str], row: list[str]) -> Photo:
    if len(row) != len(columns) or not all(row[: len(REQUIRED)]):
        raise _malformed(file, f"row {number} does not have the fields {', '.join(columns)}")
    photo = Photo(*row)
    if photo.sha256 and not SHA256.fullmatch(photo.sha256):
        raise _malformed(file, f"row {number} has no SHA-256 in hex: {photo.sha256[:80]}")
    if photo.split not in SPLITS:
        raise _malformed(
            file, f"row {number} names the split '{photo.split}', not one of {', '.join(SPLITS)}"
        )
    # Read as a Windows path too, which knows drive letters and backslashes as separators.
    parts = {*PurePosixPath(photo.path).parts, *PureWindowsPath(photo.path).parts}
    if ".." in parts or PurePosixPath(photo.path).is_absolute() or PureWindowsPath(photo.path).anchor:
        raise _malformed(file, f"row {number} leads outside the data set: {photo.path}")
    return photo


def _malformed(file: Path, reason: str) -> ShutterlessError:
    return ShutterlessError(
        f"Cannot read the split in {file}: {reason}", "Restore the file from the run that wrote it."
    )
