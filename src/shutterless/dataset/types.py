"""What a data set is: labelled photos below one root, and those that could not be read."""

import hashlib
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from shutterless.errors import DatasetError, ShutterlessError
from shutterless.runtime.image import decoder
from shutterless.utils.messages import shortened

NOT_A_PICTURE = "not a picture"
# Files that are named for each reason, and reasons that are given, where there may be a thousand.
EXAMPLES, REASONS_SHOWN = 3, 5
SPLITS = ("train", "validation", "test")
NEW = "new"  # instead of a split: of photos to measure on that belong to none
# How it was found that photos belong together.
REASONS = {
    "given": "--group-by",
    "content": "equal files",
    "looks": "near duplicates",
    "crop": "crops of one photo",
    "folder": "sub-folders",
    "name": "file names",
    "time": "time and camera",
    "sequence": "alike in sequence",
}


@dataclass(frozen=True)
class Photo:
    """One readable photo of a data set.

    path: relative to the data set's root, with posix separators. group: the name of the group whose
    photos must stay in one split, empty for a photo on its own. sha256: of the file's content when it was
    scanned, in hex, empty if it was not.
    """

    path: str
    label: str
    split: str
    group: str = ""
    sha256: str = ""


@dataclass(frozen=True)
class RelatedPhotos:
    """Two or more photos that have to do with each other."""

    photos: tuple[Photo, ...]

    @property
    def labels(self) -> set[str]:
        """Return the labels that the photos have."""
        return {photo.label for photo in self.photos}

    @property
    def splits(self) -> set[str]:
        """Return the splits that the photos are in."""
        return {photo.split for photo in self.photos}

    def photos_to_json(self) -> list[dict[str, str]]:
        """Return a JSON array of the photos."""
        return [{"path": photo.path, "label": photo.label, "split": photo.split} for photo in self.photos]


@dataclass(frozen=True)
class Group(RelatedPhotos):
    """Two or more photos of one thing.

    reasons: how they were found to be: keys of `REASONS`.
    """

    reasons: tuple[str, ...]

    @property
    def name(self) -> str:
        """Return the path of the first photo, which stays the same when photos are added after it."""
        return min(photo.path for photo in self.photos)

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        return {"name": self.name, "found_by": list(self.reasons), "photos": self.photos_to_json()}


@dataclass(frozen=True)
class Unreadable:
    """A file or folder that was left out: its path relative to the data set's root, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class Skipped:
    """Files or folders that were left out for one reason, without being read.

    count: how many. suffixes: how many of each, the most frequent first. examples: up to three paths.
    """

    reason: str
    count: int
    suffixes: Mapping[str, int]
    examples: tuple[str, ...]

    @classmethod
    def of(cls, reason: str, paths: Sequence[str]) -> "Skipped":
        """Count the paths of what was left out."""
        suffixes = Counter(PurePosixPath(path).suffix.lower() or "no suffix" for path in paths)
        return cls(reason, len(paths), dict(suffixes.most_common()), tuple(map(printable, paths[:EXAMPLES])))

    def __str__(self) -> str:
        """Return a line for people."""
        of_suffixes = [f"{count:,} {suffix}" for suffix, count in self.suffixes.items()]
        kinds = f" ({shortened(of_suffixes)})" if self.reason == NOT_A_PICTURE else ""
        more = f" and {self.count - len(self.examples):,} more" if self.count > len(self.examples) else ""
        return f"left out, {self.reason}: {self.count:,}{kinds}, {', '.join(self.examples)}{more}"


@dataclass(frozen=True, repr=False)
class Decoded:
    """Photos in memory as uint8[height, width, 3], by path, decoded for the input `spec`."""

    spec: decoder.InputSpec | None = None
    arrays: Mapping[str, npt.NDArray[np.uint8]] = field(default_factory=dict)


NOTHING_DECODED = Decoded()


@dataclass(frozen=True, repr=False)
class Dataset:
    """The readable photos below `root`, sorted by path, and what was noticed while looking at them.

    labels: the labels of the training photos, sorted; from `load_labelled`, the labels it was given.
    groups: photos that show one thing, sorted by name. decoded: for a network's input, while they were
    read.
    """

    root: Path
    labels: tuple[str, ...]
    photos: tuple[Photo, ...]
    unreadable: tuple[Unreadable, ...]
    warnings: tuple[str, ...]
    groups: tuple[Group, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    decoded: Decoded = field(default=NOTHING_DECODED, compare=False)

    def of(self, split: str) -> tuple[Photo, ...]:
        """Return the photos of one split, sorted by path; empty when there are none."""
        return tuple(photo for photo in self.photos if photo.split == split)

    def counts(self) -> dict[str, dict[str, int]]:
        """Return label → split → number of photos, for every label and every split that occurs."""
        return count_photos(self.photos, self.labels)

    def remarks(self) -> list[str]:
        """Return, a line each, what a user should know: the warnings, and which files are left out."""
        skipped = (*map(str, self.skipped), *self._unreadable_by_reason())
        return [*self.warnings, *skipped]

    def _unreadable_by_reason(self) -> list[str]:
        """Return how many files cannot be read, and some of them for each of the commonest reasons."""
        by_reason: dict[str, list[str]] = {}
        for file in self.unreadable:
            by_reason.setdefault(file.reason, []).append(file.path)
        counted = sorted(by_reason.items(), key=lambda item: -len(item[1]))
        lines = [str(Skipped.of(reason, paths)) for reason, paths in counted[:REASONS_SHOWN]]
        if others := counted[REASONS_SHOWN:]:
            lines.append(
                f"left out, for {len(others):,} other reasons: {sum(len(paths) for _, paths in others):,}"
            )
        return lines

    @cached_property
    def fingerprint(self) -> str:
        """Return the SHA-256, in hex, of every photo's path, label, split and content.

        Of the content, because an edited photo often keeps its name and can keep its size, while a
        data set that is copied keeps neither its times nor its root.
        """
        digest = hashlib.sha256()
        for photo in self.photos:
            digest.update("\0".join((photo.path, photo.label, photo.split, photo.sha256, "")).encode())
        return digest.hexdigest()

    def __repr__(self) -> str:
        """Return the folder and the number of labels and photos, by split, on one line."""
        splits = ", ".join(f"{split} {count:,}" for split, count in totals(self.counts()).items())
        photos = f"{len(self.photos):,} photos" + (f": {splits}" if splits else "")
        return f"Dataset('{self.root}': {len(self.labels):,} labels, {photos})"


def printable(name: str) -> str:
    """Return a file's name with the bytes that are not UTF-8 written as \\xff, as JSON needs it."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def count_photos(photos: Sequence[Photo], labels: Sequence[str]) -> dict[str, dict[str, int]]:
    """Return label → split → number of photos, for `labels` and all that occur."""
    splits = sorted({photo.split for photo in photos}, key=(*SPLITS, NEW).index)
    counts = {label: dict.fromkeys(splits, 0) for label in labels}
    for photo in photos:
        counts.setdefault(photo.label, dict.fromkeys(splits, 0))[photo.split] += 1
    return counts


def totals(counts: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    """Return split → number of photos of all labels, from what `count_photos` returns."""
    rows = counts.values()
    return {split: sum(row[split] for row in rows) for split in next(iter(rows), ())}


def summarize_groups(groups: Sequence[Group]) -> list[str]:
    """Return a line with the groups' number and how they were found, most first; nothing without any."""
    if not groups:
        return []
    counts = Counter(reason for group in groups for reason in group.reasons)
    reasons = ", ".join(REASONS[reason] for reason, _ in counts.most_common())
    photos, noun = sum(len(group.photos) for group in groups), "group" if len(groups) == 1 else "groups"
    return [f"{len(groups):,} {noun} of photos of the same thing ({photos:,} photos), found by {reasons}"]


def read_photo(root: Path, photo: Photo) -> bytes:
    """Return the bytes of a photo's file; raises ShutterlessError, naming it, if it cannot be read."""
    try:
        return decoder.read(root / photo.path)
    except OSError as error:
        raise changed(root, photo, error.strerror or str(error)) from error


def changed(root: Path, photo: Photo, reason: str) -> ShutterlessError:
    """Return the error for a photo that was readable when the data set was scanned and is no longer."""
    return DatasetError(
        "unreadable-photo",
        f"Cannot read the photo {root / photo.path}: {reason}",
        "It was readable when the data set was scanned: restore the file, or run the command again.",
    )
