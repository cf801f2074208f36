"""Verify that the photos of a training run are still there, with the same content."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from shutterless.dataset.types import Photo
from shutterless.errors import DatasetError
from shutterless.runtime.image import decoder
from shutterless.runtime.problems import Problem
from shutterless.utils.messages import shortened
from shutterless.utils.parallel import map_in_threads
from shutterless.utils.progress import Progress, silent


def content_hash(file: Path) -> str:
    """Return the SHA-256 of a photo's file in hex; empty if it is not a regular file that can be read."""
    try:
        # Reading a pipe or a device might never end.
        return hashlib.sha256(decoder.read(file)).hexdigest() if file.is_file() else ""
    except (OSError, Problem):
        return ""


def verify_photos(root: Path, photos: Sequence[Photo], *, progress: Progress = silent) -> None:
    """Check that photos are where a run had them, with the content that it recorded.

    Args:
        root: The folder that the photos' paths are relative to.
        photos: The photos that are needed. For one without a recorded hash, only its existence is checked.
        progress: Called for each photo.

    Raises:
        DatasetError: Some are missing (`missing-photos`) or have changed (`changed-photos`); the message
            has their number and the names of the first.
    """
    missing = [photo.path for photo in photos if not (root / photo.path).is_file()]
    if missing:
        raise DatasetError(
            "missing-photos",
            f"{len(missing):,} of the {len(photos):,} photos needed are not in {root}: {shortened(missing)}",
            "Give the folder that they are in now with --photos DIR.",
        )

    def is_same(photo: Photo) -> bool:
        return not photo.sha256 or content_hash(root / photo.path) == photo.sha256

    checks = map_in_threads(is_same, photos, progress=progress, what="verifying photos")
    different = [photo.path for photo, same in zip(photos, checks, strict=True) if not same]
    if different:
        raise DatasetError(
            "changed-photos",
            f"{len(different):,} of the {len(photos):,} photos needed in {root} have changed since the "
            f"training: {shortened(different)}",
            "Restore them, or train again with the photos as they are now.",
        )
