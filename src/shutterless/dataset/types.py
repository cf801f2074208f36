"""The data set: labelled photos below one folder, and the files that were left out."""

import hashlib
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt

from shutterless.errors import DatasetError
from shutterless.runtime.image import decoder
from shutterless.runtime.json_types import JsonObject
from shutterless.utils.messages import plural, shortened

NOT_A_PICTURE = "not a picture"
# Of what was left out, which may be thousands of files: paths named for each reason, and reasons listed.
MAX_EXAMPLES, MAX_REASONS = 3, 5
SPLITS = ("train", "validation", "test")
NEW = "new"  # the split of photos that are in none, as of a folder that a model is measured on
OTHER = "_other"  # the folder beside the labels for photos that fit none of them
# Why photos count as showing the same thing, in JSON documents and in words.
REASONS = {
    "group-by": "your own groups",
    "content": "identical files",
    "near-duplicate": "near duplicates",
    "crop": "crops of one photo",
    "folder": "sub-folders",
    "name": "file names",
    "time": "time and camera",
    "sequence": "similar neighbours",
}


@dataclass(frozen=True)
class Photo:
    """One readable photo of a data set.

    Attributes:
        path: Path relative to the data set's folder, with `/` as separator.
        label: Name of the label; empty for a photo in `_other`, which fits no label.
        split: `train`, `validation`, `test` or `new`.
        group: Name of the group whose photos must stay in one split; empty for a photo on its own.
        sha256: SHA-256 of the file in hex; empty if it was not computed.
    """

    path: str
    label: str
    split: str
    group: str = ""
    sha256: str = ""


@dataclass(frozen=True)
class RelatedPhotos:
    """Two or more photos that belong together."""

    photos: tuple[Photo, ...]

    @property
    def labels(self) -> set[str]:
        """Return the labels of the photos."""
        return {photo.label for photo in self.photos}

    @property
    def splits(self) -> set[str]:
        """Return the splits of the photos."""
        return {photo.split for photo in self.photos}

    def photos_to_json(self) -> list[JsonObject]:
        """Return the photos as a JSON array."""
        return [{"path": photo.path, "label": photo.label, "split": photo.split} for photo in self.photos]


@dataclass(frozen=True)
class Group(RelatedPhotos):
    """Two or more photos of the same thing, which must stay in one split.

    Attributes:
        reasons: The rules that joined them: keys of `REASONS`.
    """

    reasons: tuple[str, ...]

    @property
    def name(self) -> str:
        """Return the path of the first photo: it stays the same when photos are added after it."""
        return min(photo.path for photo in self.photos)

    def to_json(self) -> JsonObject:
        """Return the group as a JSON object."""
        return {"name": self.name, "found_by": list(self.reasons), "photos": self.photos_to_json()}


@dataclass(frozen=True)
class Unreadable:
    """A file or folder that cannot be read, by its path relative to the data set's folder."""

    path: str
    reason: str


@dataclass(frozen=True)
class Skipped:
    """Files and folders that were left out for one reason, without being read.

    Attributes:
        reason: Why.
        count: How many.
        suffixes: File suffix → count, most frequent first.
        examples: Up to three paths.
    """

    reason: str
    count: int
    suffixes: Mapping[str, int]
    examples: tuple[str, ...]

    @classmethod
    def from_paths(cls, reason: str, paths: Sequence[str]) -> "Skipped":
        """Return the summary of these paths."""
        suffixes = Counter(PurePosixPath(path).suffix.lower() or "no suffix" for path in paths)
        examples = tuple(map(printable, paths[:MAX_EXAMPLES]))
        return cls(reason, len(paths), dict(suffixes.most_common()), examples)

    def __str__(self) -> str:
        """Return one line for people."""
        counts = [f"{number:,} {suffix}" for suffix, number in self.suffixes.items()]
        kinds = f"{shortened(counts)}: " if self.reason == NOT_A_PICTURE else ""
        more = f" and {self.count - len(self.examples):,} more" if self.count > len(self.examples) else ""
        return f"left out {self.count:,}: {self.reason} ({kinds}{', '.join(self.examples)}{more})"


@dataclass(frozen=True, repr=False)
class Decoded:
    """Photos in memory, decoded for a model's input.

    Attributes:
        spec: The input that they were decoded for; None if there are none.
        arrays: Photo path → uint8[height, width, 3].
    """

    spec: decoder.InputSpec | None = None
    arrays: Mapping[str, npt.NDArray[np.uint8]] = field(default_factory=dict)


NOTHING_DECODED = Decoded()


@dataclass(frozen=True, repr=False)
class Dataset:
    """Labelled photos below one folder, each with its split.

    Attributes:
        root: The folder.
        labels: The labels of the training photos, sorted; from `load_labelled`, the model's labels in the
            model's order.
        photos: The readable photos, sorted by path.
        unreadable: Files and folders that cannot be read, sorted by path.
        warnings: What may spoil a training or a measurement, a line each.
        groups: Photos that show the same thing, sorted by name.
        skipped: What was left out without being read, by reason.
        other: The readable photos in folders called `_other` beside the labels, sorted by path. They fit no
            label, and no label is trained on them.
        table: The table that lists the photos; None if they were found in folders.
        decoded: The photos' pixels, if they were asked for and fit in memory.
    """

    root: Path
    labels: tuple[str, ...]
    photos: tuple[Photo, ...]
    unreadable: tuple[Unreadable, ...]
    warnings: tuple[str, ...]
    groups: tuple[Group, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    other: tuple[Photo, ...] = ()
    table: Path | None = None
    decoded: Decoded = field(default=NOTHING_DECODED, compare=False)

    @property
    def source(self) -> Path:
        """Return what the data set was loaded from: its table or, without one, its folder."""
        return self.table or self.root

    def of(self, split: str) -> tuple[Photo, ...]:
        """Return the photos of one split, sorted by path; empty if there are none."""
        return tuple(photo for photo in self.photos if photo.split == split)

    def counts(self) -> dict[str, dict[str, int]]:
        """Return label → split → number of photos, for every label and every split in use."""
        return count_photos(self.photos, self.labels)

    def all_warnings(self) -> list[str]:
        """Return the warnings, and a line for each reason why files were left out."""
        return [*self.warnings, *map(str, self.skipped), *self._unreadable_by_reason()]

    def _unreadable_by_reason(self) -> list[str]:
        """Return a line for each of the most frequent reasons, and one for all others."""
        paths_by_reason: dict[str, list[str]] = {}
        for file in self.unreadable:
            paths_by_reason.setdefault(file.reason, []).append(file.path)
        reasons = sorted(paths_by_reason.items(), key=lambda item: -len(item[1]))
        lines = [str(Skipped.from_paths(reason, paths)) for reason, paths in reasons[:MAX_REASONS]]
        if others := reasons[MAX_REASONS:]:
            files = sum(len(paths) for _, paths in others)
            lines.append(f"left out {files:,} for {len(others):,} other reasons")
        return lines

    @cached_property
    def fingerprint(self) -> str:
        """Return the SHA-256, in hex, of every photo's path, label, split and content.

        Content, not size and time, because an edited photo often keeps its name and can keep its size,
        and a data set that is copied elsewhere keeps neither its times nor its folder.
        """
        digest = hashlib.sha256()
        for photo in (*self.photos, *self.other):
            digest.update("\0".join((photo.path, photo.label, photo.split, photo.sha256, "")).encode())
        return digest.hexdigest()

    def __repr__(self) -> str:
        """Return the folder and the number of labels and photos, by split, on one line."""
        splits = ", ".join(f"{split} {number:,}" for split, number in totals(self.counts()).items())
        photos = plural(len(self.photos), "photo") + (f": {splits}" if splits else "")
        return f"Dataset('{self.root}': {plural(len(self.labels), 'label')}, {photos})"


def printable(name: str) -> str:
    r"""Return a file's name with bytes that are not UTF-8 written as `\xff`, as JSON needs it."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def count_photos(photos: Sequence[Photo], labels: Sequence[str]) -> dict[str, dict[str, int]]:
    """Return label → split → number of photos, for `labels` and every label that occurs."""
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
    """Return one line with the number of groups and the rules that found them; none without groups."""
    if not groups:
        return []
    counts = Counter(reason for group in groups for reason in group.reasons)
    reasons = ", ".join(REASONS[reason] for reason, _ in counts.most_common())
    photos = sum(len(group.photos) for group in groups)
    return [
        f"{plural(len(groups), 'group')} of photos of the same thing ({photos:,} photos), found by {reasons}"
    ]


def read_photo_file(root: Path, photo: Photo) -> bytes:
    """Return the bytes of a photo's file.

    Raises:
        DatasetError: The file cannot be read (`unreadable-photo`); the message names it.
    """
    try:
        return decoder.read(root / photo.path)
    except OSError as error:
        raise unreadable_photo(root, photo, error.strerror or str(error)) from error


def unreadable_photo(root: Path, photo: Photo, reason: str) -> DatasetError:
    """Return the error for a photo that was readable when the data set was loaded and no longer is."""
    return DatasetError(
        "unreadable-photo",
        f"Cannot read the photo {root / photo.path}: {reason}",
        "It was readable when the data set was loaded: restore the file, or run the command again.",
    )
