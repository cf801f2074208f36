"""Find the photos of a training run, and verify that their content is the same."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import replace
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


def locate_photos(root: Path, photos: Sequence[Photo], *, progress: Progress = silent) -> tuple[Photo, ...]:
    """Find the photos of a run, with the content that it recorded.

    Photos that are not where the run had them are searched for by their content, also among those that
    `dataset fix` removed.

    Args:
        root: The folder that the photos' paths are relative to.
        photos: The photos that are needed. Of one without a recorded hash, only its path is known.
        progress: Called for each photo.

    Returns:
        The photos in the same order, with the paths that they have now; labels and splits stay the run's.

    Raises:
        DatasetError: Some are missing (`missing-photos`) or have changed (`changed-photos`); the message
            has their number and the names of the first.
    """
    missing = {photo.path for photo in photos if not (root / photo.path).is_file()}
    moved = _find_by_content(root, [photo for photo in photos if photo.path in missing], progress)
    if lost := sorted(missing - moved.keys()):
        raise DatasetError(
            "missing-photos",
            f"{len(lost):,} of the {len(photos):,} photos needed are not in {root}: {shortened(lost)}",
            "Give the folder that they are in now with --photos DIR.",
        )

    def is_same(photo: Photo) -> bool:
        return photo.path in moved or not photo.sha256 or content_hash(root / photo.path) == photo.sha256

    checks = map_in_threads(is_same, photos, progress=progress, what="verifying photos")
    different = [photo.path for photo, same in zip(photos, checks, strict=True) if not same]
    if different:
        raise DatasetError(
            "changed-photos",
            f"{len(different):,} of the {len(photos):,} photos needed in {root} have changed since the "
            f"training: {shortened(different)}",
            "Restore them, or train again with the photos as they are now.",
        )
    return tuple(replace(photo, path=moved.get(photo.path, photo.path)) for photo in photos)


def _find_by_content(root: Path, photos: Sequence[Photo], progress: Progress) -> dict[str, str]:
    """Return the present path of each photo whose content lies elsewhere below `root`, by its old path."""
    hashes = {photo.sha256 for photo in photos} - {""}
    if not hashes:
        return {}
    files = [Path(folder, name) for folder, _, names in os.walk(root) for name in sorted(names)]
    contents = map_in_threads(content_hash, files, progress=progress, what="searching for photos")
    places = {
        sha256: file.relative_to(root).as_posix()
        for file, sha256 in zip(files, contents, strict=True)
        if sha256 in hashes
    }
    return {photo.path: places[photo.sha256] for photo in photos if photo.sha256 in places}
