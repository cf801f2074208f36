"""Find photos below folders: which folder stands for which split and label, and which files are photos."""

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from shutterless.dataset.formats import SUFFIXES, is_picture, is_raw
from shutterless.dataset.types import NOT_A_PICTURE, SPLITS, Photo, Skipped, Unreadable, printable
from shutterless.errors import DatasetError
from shutterless.files import recognise_output
from shutterless.utils.messages import shortened

SPLIT_WORDS = {
    "train": "train|training|trn",
    "validation": "val|valid|validation|validate|dev|devel|development",
    "test": "test|testing|tst|eval|evaluation|holdout|heldout",
}
# What stands before or after them: training_set, test-images, "Train Data".
FILLERS = "set|data|dataset|images?|imgs?|photos?|pictures?|pics?|samples?|folder|split"
SPLIT_NAMES = {
    split: re.compile(f"(?:{FILLERS})?(?:{words})(?:{FILLERS})?") for split, words in SPLIT_WORDS.items()
}
# Names of splits that are as good as names of labels.
LABEL_WORDS = ("train", "valid", "dev")
# More folders than that are no splits, whatever they hold.
MAX_SPLITS = 4
LAYOUT_HINT = (
    "Photos lie in one folder per label (photos/dress/1.jpg, photos/hat/2.jpg), "
    "or in such folders below train/, validation/ and test/."
)
WAY_OUT = (
    "If they are labels, move all of them into one folder called train. If they are splits, call them train, "
    "validation and test, and move every other folder out."
)

OUTSIDE_LABELS = "in no label's folder"
RAW = "camera raw, which is not decoded: export it as JPEG"
NOT_A_SPLIT = f"not one of {', '.join(SPLITS)}"
OUTPUT = "a run, bundle, report or build context of shutterless"


@dataclass
class Found:
    """What lies below a folder, unread.

    photos: in sorted order. labels: split → names of label folders. unreadable: folders that are in the
    way or closed. skipped: reason → paths of what is left out.
    """

    photos: list[Photo] = field(default_factory=list)
    labels: dict[str, set[str]] = field(default_factory=dict)
    unreadable: list[Unreadable] = field(default_factory=list)
    skipped: dict[str, list[str]] = field(default_factory=dict)

    def skip(self, reason: str, path: str) -> None:
        """Count a file or folder as left out."""
        self.skipped.setdefault(reason, []).append(path)

    def summary(self) -> tuple[Skipped, ...]:
        """Return what was left out, counted by reason."""
        return tuple(Skipped.of(reason, paths) for reason, paths in self.skipped.items())


def subfolders(folder: Path) -> list[Path]:
    """Return the folders in `folder`, sorted by name, without hidden ones and macOS's archive leftovers.

    Raises ShutterlessError if `folder` is no folder or may not be read.
    """
    try:
        folders = [path for path in sorted(folder.iterdir()) if path.is_dir()]
    except FileNotFoundError as error:
        raise DatasetError("not-found", f"There is no folder {folder}", "Check the path.") from error
    except NotADirectoryError as error:
        raise DatasetError(
            "not-a-folder", f"{folder} is a file, not a folder of photos", LAYOUT_HINT
        ) from error
    except OSError as error:
        raise DatasetError(
            "unreadable-folder",
            f"Cannot look into {folder}: {error.strerror or error}",
            "Check the folder's permissions.",
        ) from error
    return [path for path in folders if not _is_hidden(path.name)]


def label_folders(folder: Path) -> list[Path]:
    """Return the folders in `folder` that may stand for labels or splits: not those that we wrote."""
    return [path for path in subfolders(folder) if not recognise_output(path)]


def unwrap(folder: Path) -> Path:
    """Return the folder in which labels or splits lie: an archive often has one folder around them."""
    inner = label_folders(folder)
    while len(inner) == 1 and not _holds_photos(folder) and not _holds_photos(inner[0]):
        deeper = label_folders(inner[0])
        if not deeper or _split_of(inner[0].name):
            break
        folder, inner = inner[0], deeper
    return folder


def split_folders(root: Path) -> dict[str, Path]:
    """Return split → folder when `root` is laid out by split, else nothing: its folders are labels.

    Names such as Training, test_set and val-images count. A folder of such a name that holds photos itself,
    next to others that do, is a label, like train beside bus and car.
    Raises ShutterlessError if two folders stand for one split, or if it is unclear what they stand for.
    """
    root = unwrap(root)
    folders = label_folders(root)
    splits = _by_split(root, folders)
    others = [folder for folder in folders if folder not in splits.values()]
    flat = [folder for folder in splits.values() if not label_folders(folder)]
    if not splits:
        _refuse_repeated_labels(root, folders)
        return {}
    if not others:
        _refuse_photos_without_labels(root, flat)
        return splits
    if len(flat) == len(splits) and all(map(_may_be_label, flat)):
        return {}
    if "train" in splits and not flat and (len(splits) > 1 or not any(map(label_folders, others))):
        return splits
    raise DatasetError(
        "mixed-splits-and-labels",
        f"{root} has folders named like splits ({_names(splits.values())}) beside others ({_names(others)})",
        WAY_OUT,
    )


def find_photos(root: Path, folders: dict[str, Path]) -> Found:
    """Return the pictures below the label folders of each split's folder, in sorted order.

    Raises ShutterlessError if a folder may not be read.
    """
    found = Found()
    if root not in folders.values():
        _skip_others(unwrap(root), list(folders.values()), root, found)
    for split, outer in folders.items():
        folder = unwrap(outer)
        labels = label_folders(folder)
        found.labels[split] = {label.name for label in labels}
        _skip_others(folder, labels, root, found)
        for label in labels:
            for path in _walk(label, root, found):
                found.photos.append(Photo(_relative(path, root), label.name, split))
    return found


def find_pictures(folder: Path) -> tuple[list[Path], tuple[Skipped, ...]]:
    """Return every picture below `folder`, labelled or not, sorted, and what was left out."""
    found = Found()
    return sorted(_walk(folder, folder, found)), found.summary()


def _by_split(root: Path, folders: list[Path]) -> dict[str, Path]:
    splits: dict[str, Path] = {}
    names = _without_common_words([folder.name for folder in folders])
    for folder, name in zip(folders, names, strict=True):
        split = _split_of(name) or _split_of(folder.name)
        if split in splits:
            raise DatasetError(
                "duplicate-split",
                f"Both {splits[split].name}/ and {folder.name}/ in {root} stand for {split}",
                "Keep one of them.",
            )
        if split:
            splits[split] = folder
    return splits


def _without_common_words(names: list[str]) -> list[str]:
    """Remove the first and last words that all names share: of seg_train and seg_test, seg."""
    words = [re.split(r"[\W_]+", name) for name in names]
    for end in (0, -1):
        while len(words) > 1 and all(len(some) > 1 and some[end] == words[0][end] for some in words):
            for some in words:
                del some[end]
    return [" ".join(some) for some in words]


def _split_of(name: str) -> str:
    """Return the split that a name stands for, like training_set or val, or nothing."""
    word = re.sub(r"[\W_]+", "", name.lower())
    return next((split for split, pattern in SPLIT_NAMES.items() if pattern.fullmatch(word)), "")


def _may_be_label(folder: Path) -> bool:
    return folder.name.lower() in LABEL_WORDS or not _split_of(folder.name)


def _refuse_photos_without_labels(root: Path, splits: list[Path]) -> None:
    if any(map(_holds_photos, splits)):
        raise DatasetError(
            "photos-without-label",
            f"{root} has photos directly in {_names(splits)}, in no label's folder",
            f"{LAYOUT_HINT} {WAY_OUT}",
        )


def _refuse_repeated_labels(root: Path, folders: list[Path]) -> None:
    """Raise ShutterlessError if a few folders hold the same folders, as splits of unknown names do."""
    if not 2 <= len(folders) <= MAX_SPLITS or any(map(_holds_photos, folders)):
        return
    names = [{label.name for label in label_folders(folder)} for folder in folders]
    if len(common := set.intersection(*names)) >= 2:
        raise DatasetError(
            "ambiguous-layout",
            f"The folders {_names(folders)} in {root} may be labels or splits: "
            f"they hold the same folders, {shortened(sorted(common))}",
            WAY_OUT,
        )


def _holds_photos(folder: Path) -> bool:
    """Tell whether a picture lies directly in a folder."""
    try:
        return any(
            not _is_hidden(path.name) and not path.is_dir() and is_picture(path) for path in folder.iterdir()
        )
    except OSError:
        return False


def _skip_others(folder: Path, used: list[Path], root: Path, found: Found) -> None:
    """Count what lies beside the folders of labels or splits: photos, outputs of ours, other folders."""
    for path in sorted(folder.iterdir()):
        if _is_hidden(path.name) or path in used:
            continue
        if path.is_dir():
            found.skip(OUTPUT if recognise_output(path) else NOT_A_SPLIT, _relative(path, root))
        elif is_picture(path):
            found.skip(OUTSIDE_LABELS, _relative(path, root))


def _walk(top: Path, root: Path, found: Found) -> Iterator[Path]:
    """Yield the pictures at any depth below a folder, following links, but into no folder twice."""

    def note(error: OSError) -> None:
        path = printable(_relative(Path(error.filename), root))
        found.unreadable.append(Unreadable(path, error.strerror or str(error)))

    # The root counts as visited: a link back to it would give this label the photos of all the others.
    visited = {os.path.realpath(root)} - {os.path.realpath(top)}
    for name, folders, files in os.walk(top, onerror=note, followlinks=True):
        here = Path(name)
        if (real := os.path.realpath(here)) in visited:
            folders.clear()
            continue
        visited.add(real)
        folders[:] = [folder for folder in sorted(folders) if _is_entered(here / folder, root, found)]
        yield from _pictures(here, sorted(files), root, found)


def _is_entered(folder: Path, root: Path, found: Found) -> bool:
    """Tell whether photos are looked for in a folder; if not, count it as left out."""
    if folder.suffix.lower() in SUFFIXES and not _is_hidden(folder.name):
        found.unreadable.append(Unreadable(printable(_relative(folder, root)), "is a folder"))
        return False
    if recognise_output(folder):
        found.skip(OUTPUT, _relative(folder, root))
        return False
    return not _is_hidden(folder.name)


def _pictures(folder: Path, names: Iterable[str], root: Path, found: Found) -> Iterator[Path]:
    for file in (folder / name for name in names if not _is_hidden(name)):
        if is_picture(file):
            yield file
        else:
            found.skip(RAW if is_raw(file) else NOT_A_PICTURE, _relative(file, root))


def _is_hidden(name: str) -> bool:
    return name.startswith((".", "__MACOSX"))


def _names(folders: Iterable[Path]) -> str:
    return shortened(sorted(folder.name for folder in folders))


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()
