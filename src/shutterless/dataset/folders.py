"""Find photos below folders: which folder stands for which split and label, and which files are photos."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from shutterless.dataset.records import Photo, Unreadable
from shutterless.errors import ShutterlessError

SPLIT_FOLDERS = {
    "train": "train",
    "validation": "validation",
    "val": "validation",
    "valid": "validation",
    "test": "test",
}
SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif"))
LAYOUT_HINT = (
    "Photos lie in one folder per label (photos/dress/1.jpg, photos/hat/2.jpg), "
    "or in such folders below train/, validation/ and test/."
)


@dataclass
class Found:
    """What lies below a folder, unread: photos by suffix, label folders, what cannot be one, loose photos."""

    photos: list[Photo] = field(default_factory=list)
    labels: dict[str, set[str]] = field(default_factory=dict)
    unreadable: list[Unreadable] = field(default_factory=list)
    loose: list[str] = field(default_factory=list)


def subfolders(folder: Path) -> list[Path]:
    """Return the folders in `folder`, sorted by name, without hidden ones and macOS's archive leftovers.

    Raises ShutterlessError if `folder` is no folder or may not be read.
    """
    try:
        folders = [path for path in sorted(folder.iterdir()) if path.is_dir()]
    except FileNotFoundError as error:
        raise ShutterlessError(f"There is no folder {folder}", "Check the path.") from error
    except NotADirectoryError as error:
        raise ShutterlessError(f"{folder} is a file, not a folder of photos", LAYOUT_HINT) from error
    except OSError as error:
        raise ShutterlessError(
            f"Cannot look into {folder}: {error.strerror or error}", "Check the folder's permissions."
        ) from error
    return [path for path in folders if not path.name.startswith((".", "__MACOSX"))]


def split_folders(root: Path) -> dict[str, Path]:
    """Return split → folder when `root` is laid out by split, else nothing: its folders are labels.

    It is laid out by split if it has a folder train, or no folders but those of splits.
    Raises ShutterlessError if two folders stand for one split.
    """
    folders = subfolders(root)
    known = [folder for folder in folders if folder.name.lower() in SPLIT_FOLDERS]
    if "train" not in (folder.name.lower() for folder in known) and len(known) < len(folders):
        return {}
    splits: dict[str, Path] = {}
    for folder in known:
        split = SPLIT_FOLDERS[folder.name.lower()]
        if split in splits:
            raise ShutterlessError(
                f"Both {splits[split].name}/ and {folder.name}/ in {root} stand for {split}",
                "Keep one of them.",
            )
        splits[split] = folder
    return splits


def find_photos(root: Path, folders: dict[str, Path]) -> Found:
    """Return what has a picture's suffix below the label folders of each split's folder, in sorted order.

    Raises ShutterlessError if a folder may not be read.
    """
    found = Found()
    for split, folder in folders.items():
        labels = subfolders(folder)
        found.labels[split] = {label.name for label in labels}
        found.loose += [_relative(path, root) for path in sorted(folder.iterdir()) if _is_loose(path)]
        for label in labels:
            for path in _walk(label, root, found.unreadable):
                found.photos.append(Photo(_relative(path, root), label.name, split))
    return found


def picture_files(folder: Path) -> list[Path]:
    """Return every file with a picture's suffix below `folder`, labelled or not, sorted."""
    return sorted(path for path in folder.rglob("*") if _has_suffix(path.name) and path.is_file())


def _walk(label: Path, root: Path, unreadable: list[Unreadable]) -> Iterator[Path]:
    """Yield the photos at any depth below a label, following links, but into no folder twice."""

    def note(error: OSError) -> None:
        reason = error.strerror or str(error)
        unreadable.append(Unreadable(_relative(Path(error.filename), root), reason))

    # The root counts as seen: a link back to it would give this label the photos of all the others.
    seen = {os.path.realpath(root)}
    for name, folders, files in os.walk(label, onerror=note, followlinks=True):
        here = Path(name)
        if (real := os.path.realpath(here)) in seen:
            folders.clear()
            continue
        seen.add(real)
        for folder in filter(_has_suffix, folders):
            unreadable.append(Unreadable(_relative(here / folder, root), "is a folder"))
        folders[:] = sorted(
            folder for folder in folders if not folder.startswith(".") and not _has_suffix(folder)
        )
        yield from (here / file for file in sorted(files) if _has_suffix(file))


def _has_suffix(name: str) -> bool:
    return not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES


def _is_loose(path: Path) -> bool:
    return _has_suffix(path.name) and not path.is_dir()


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()
