"""Names for the folders and files of imported photos that every file system takes."""

import hashlib
import re
from collections.abc import Iterable
from pathlib import PurePosixPath

from shutterless.dataset.types import OTHER, Photo
from shutterless.errors import DatasetError
from shutterless.utils.messages import quoted

# What Windows forbids in names, and control characters; the slash is forbidden everywhere.
FORBIDDEN = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]+')
RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
# Bytes of a name; file systems take 255, and duplicate names get longer.
MAX_NAME_BYTES = 200


def safe_name(text: str) -> str:
    """Return a name for a file or folder; empty if nothing is left of the text.

    `T-shirt/top` becomes `T-shirt-top`. A dot at the beginning would hide it, one at the end Windows drops.
    """
    name = FORBIDDEN.sub("-", text).strip(" ").lstrip(".").rstrip(". ")
    return f"{name}_" if RESERVED.fullmatch(name) else name


def label_folders(labels: Iterable[str]) -> dict[str, str]:
    """Return label → name of its folder, `_other` for photos without a label.

    Raises:
        DatasetError: A label has no such name (`unusable-label`), or two labels would have the same one
            (`label-clash`).
    """
    folders = {label: safe_name(label) if label else OTHER for label in sorted(labels)}
    by_name: dict[str, list[str]] = {}
    for label, name in folders.items():
        if not name or len(name.encode()) > MAX_NAME_BYTES or (label and name == OTHER):
            raise DatasetError(
                "unusable-label",
                f"The label {label[:80]!r} cannot be the name of a folder",
                f"Rename it; a name has at most {MAX_NAME_BYTES} bytes and not only punctuation.",
            )
        by_name.setdefault(name.casefold(), []).append(label)
    for same in by_name.values():
        if len(same) > 1:
            raise DatasetError(
                "label-clash",
                f"The labels {quoted(same)} would be the same folder on Windows and macOS",
                "If they are one label, write it alike everywhere; otherwise rename one.",
            )
    return folders


def file_names(photos: Iterable[Photo], folders: dict[str, str], *, with_splits: bool) -> dict[str, str]:
    """Return path in the source → path in the imported folder.

    Photos keep their file names; where two in one folder have the same, they get a hash of their paths.
    """
    names: dict[str, list[str]] = {}
    for photo in photos:
        split = f"{photo.split}/" if with_splits else ""
        name = safe_name(PurePosixPath(photo.path).name) or "photo"
        if len(name.encode()) > MAX_NAME_BYTES:
            name = _with_hash(photo.path, f"photo{PurePosixPath(name).suffix[:5]}")
        names.setdefault(f"{split}{folders[photo.label]}/{name}", []).append(photo.path)
    counts: dict[str, int] = {}
    for target, paths in names.items():
        counts[target.casefold()] = counts.get(target.casefold(), 0) + len(paths)
    return {
        path: target if counts[target.casefold()] == 1 else _with_hash(path, target)
        for target, paths in names.items()
        for path in paths
    }


def _with_hash(path: str, target: str) -> str:
    name = PurePosixPath(target)
    return name.with_name(
        f"{name.stem}.{hashlib.sha256(path.encode()).hexdigest()[:12]}{name.suffix}"
    ).as_posix()
