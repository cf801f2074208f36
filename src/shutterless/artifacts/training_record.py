"""Record which photos a model was trained on, so that it is measured on others.

A run has this record in its split.csv, a bundle in its file `TRAINING_PHOTOS`. Photos are recognised by their
content: a copy with another name in another folder is the same photo.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from shutterless.dataset.sources.table import photos_root
from shutterless.dataset.types import SPLITS, Photo
from shutterless.errors import BundleError
from shutterless.runtime.model.bundle import TRAINING_PHOTOS, Bundle
from shutterless.text_files import MAX_TABLE_BYTES, read_text

# 64 bits: among a million photos the chance that two share them is 1 in 37 million.
HASH_DIGITS = 16


@dataclass(frozen=True)
class TrainingRecord:
    """The split of each photo of a training run.

    Attributes:
        by_content: The first `HASH_DIGITS` hex digits of the photo's SHA-256 → split.
        groups: The same digits → group, for photos that are in one.
        source: The folder of the run's photos, or the table that lists them, to recognise photos by their
            paths if they were changed or if their hashes were not recorded. None for a bundle.
        by_path: Path below the folder → split. Empty for a bundle.
    """

    by_content: Mapping[str, str]
    groups: Mapping[str, str] = field(default_factory=dict)
    source: Path | None = None
    by_path: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, photos: Iterable[Photo], source: Path | None = None) -> "TrainingRecord":
        """Return the record of a run's photos.

        Args:
            photos: The photos. If the same content is in several splits, the one closest to training counts.
            source: The folder of the photos, or the table that lists them.
        """
        by_content: dict[str, str] = {}
        for photo in sorted(photos, key=lambda photo: SPLITS.index(photo.split)):
            if photo.sha256:
                by_content.setdefault(photo.sha256[:HASH_DIGITS], photo.split)
        groups = {photo.sha256[:HASH_DIGITS]: photo.group for photo in photos if photo.sha256 and photo.group}
        by_path = {photo.path: photo.split for photo in photos} if source else {}
        return cls(by_content, groups, source, by_path)

    def split_of(self, photo: Photo, root: Path) -> str | None:
        """Return the split of a photo in the run; None if it was not one of the run's photos.

        Args:
            photo: The photo, with the hash of its content.
            root: The folder that its path is relative to.
        """
        split = self.by_content.get(photo.sha256[:HASH_DIGITS])
        if split:
            return split
        # Without hashes, photos can only be recognised by their paths, in whatever folder.
        return self.by_path.get(photo.path) if not self.by_content or self._is_root(root) else None

    def with_groups(self, photos: Iterable[Photo]) -> tuple[Photo, ...]:
        """Return the photos, each with its group in the run."""
        return tuple(
            replace(photo, group=self.groups.get(photo.sha256[:HASH_DIGITS], "")) for photo in photos
        )

    def changed(self, photos: Iterable[Photo], root: Path) -> list[Photo]:
        """Return the photos below `root` that the run had at this path with other content."""
        if not self.by_content or not self._is_root(root):
            return []
        return [
            photo
            for photo in photos
            if photo.path in self.by_path and photo.sha256[:HASH_DIGITS] not in self.by_content
        ]

    def _is_root(self, folder: Path) -> bool:
        return self.source is not None and folder.resolve() == photos_root(self.source).resolve()

    def to_text(self) -> str:
        """Return the record as text: a line with hash, split and, if any, the group's number per photo."""
        numbers = {group: f" {number}" for number, group in enumerate(sorted(set(self.groups.values())))}
        return "".join(
            f"{digits} {split}{numbers.get(self.groups.get(digits, ''), '')}\n"
            for digits, split in sorted(self.by_content.items())
        )


def read_training_photos(bundle: Bundle) -> TrainingRecord | None:
    """Return the training photos that a bundle records; None if it has no such record.

    Raises:
        BundleError: The file is not the one that the bundle was written with (`changed-training-photos`).
    """
    expected_hash = bundle.files.get(TRAINING_PHOTOS)
    if bundle.path is None or expected_hash is None or not (bundle.path / TRAINING_PHOTOS).is_file():
        return None
    try:
        content = read_text(bundle.path / TRAINING_PHOTOS, MAX_TABLE_BYTES)
    except (OSError, UnicodeDecodeError):
        content = ""
    if hashlib.sha256(content.encode()).hexdigest() != expected_hash:
        raise BundleError(
            "changed-training-photos",
            f"{bundle.path / TRAINING_PHOTOS} was changed after the bundle was written",
            "Convert the run again.",
        )
    lines = [line.split() for line in content.splitlines()]
    if not all(len(line) in (2, 3) and line[1] in SPLITS for line in lines):
        raise BundleError(
            "changed-training-photos",
            f"{bundle.path / TRAINING_PHOTOS} is not a record of training photos",
            "Convert the run again.",
        )
    groups = {digits: group for digits, _, *numbers in lines for group in numbers}
    return TrainingRecord({digits: split for digits, split, *_ in lines}, groups)
