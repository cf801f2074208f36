"""Find photos in folders: which folder is which split and label, and which files are photos."""

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from shutterless.dataset.formats import SUFFIXES, is_picture, is_raw
from shutterless.dataset.types import NEW, NOT_A_PICTURE, OTHER, SPLITS, Photo, Skipped, Unreadable, printable
from shutterless.errors import DatasetError
from shutterless.files import recognise_output
from shutterless.utils.messages import shortened

SPLIT_WORDS = {
    "train": "train|training|trn",
    "validation": "val|valid|validation|validate|dev|devel|development",
    "test": "test|testing|tst|eval|evaluation|holdout|heldout",
}
# Words before or after them: training_set, test-images, "Train Data".
FILLERS = "set|data|dataset|images?|imgs?|photos?|pictures?|pics?|samples?|folder|split"
SPLIT_NAMES = {
    split: re.compile(f"(?:{FILLERS})?(?:{words})(?:{FILLERS})?") for split, words in SPLIT_WORDS.items()
}
# Names of splits that are plausible labels, too.
LABEL_WORDS = ("train", "valid", "dev")
# More folders than this are not splits, whatever they contain.
MAX_SPLITS = 4
LAYOUT_HINT = (
    "Photos lie in one folder per label (photos/dress/1.jpg, photos/hat/2.jpg), "
    "or in such folders below train/, validation/ and test/."
)
LABELS_OR_SPLITS_HINT = (
    "If they are labels, move all of them into one folder called train. If they are splits, call them train, "
    "validation and test, and move every other folder out."
)

# Why files and folders are left out.
OUTSIDE_LABELS = "not in a label's folder"
RAW = "camera raw, which is not decoded: export it as JPEG"
NOT_A_SPLIT = f"not called {', '.join(SPLITS[:-1])} or {SPLITS[-1]}"
OUTPUT = "a run, bundle, report or build context of shutterless"


@dataclass
class Listing:
    """The photos in a folder by their names; nothing but the first bytes of a few files has been read.

    Attributes:
        root: The folder.
        split_folders: Split → its folder; empty if the folders are labels only.
        photos: Sorted by split, label and path.
        other: The photos in folders called `OTHER` beside the labels; they have no label.
        labels: Split → names of its label folders.
        unreadable: Folders that cannot be opened, or that are named like a photo.
        skipped: Reason → paths of what is left out.
        groups: Path → group, for photos that a table or groups.csv says belong together.
        table: The table that lists the photos; None if they were found in folders.
    """

    root: Path
    split_folders: dict[str, Path] = field(default_factory=dict)
    photos: list[Photo] = field(default_factory=list)
    other: list[Photo] = field(default_factory=list)
    labels: dict[str, set[str]] = field(default_factory=dict)
    unreadable: list[Unreadable] = field(default_factory=list)
    skipped: dict[str, list[str]] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)
    table: Path | None = None

    def skip(self, reason: str, path: Path) -> None:
        """Record a file or folder as left out."""
        self.skipped.setdefault(reason, []).append(self.relative(path))

    def relative(self, path: Path) -> str:
        """Return a path relative to the folder, with `/` as separator."""
        return path.relative_to(self.root).as_posix()

    def summary(self) -> tuple[Skipped, ...]:
        """Return what was left out, by reason."""
        return tuple(Skipped.from_paths(reason, paths) for reason, paths in self.skipped.items())


def find_photos(root: Path, default_split: str = "train") -> Listing:
    """Return the photos below the label folders of every split.

    Args:
        root: A folder of labels, or of splits with labels below.
        default_split: The split of all photos if the folders are labels only.

    Raises:
        DatasetError: The folder cannot be opened, or its layout is ambiguous; see `find_split_folders`.
    """
    listing = Listing(root, find_split_folders(root))
    if listing.split_folders:
        _skip_others(listing, unwrap(root), [*listing.split_folders.values()])
        _add_other(listing, {root, unwrap(root)}, split=NEW)
    for split, outer in (listing.split_folders or {default_split: root}).items():
        folder = unwrap(outer)
        _add_other(listing, {outer, folder}, split=split)
        labels = label_folders(folder)
        listing.labels[split] = {label.name for label in labels}
        _skip_others(listing, folder, labels)
        for label in labels:
            for path in _walk(listing, label):
                listing.photos.append(Photo(listing.relative(path), label.name, split))
    return listing


def find_pictures(folder: Path) -> tuple[list[Path], tuple[Skipped, ...]]:
    """Return every picture below `folder`, with or without a label, sorted, and what was left out."""
    listing = Listing(folder)
    return sorted(_walk(listing, folder)), listing.summary()


def find_split_folders(root: Path) -> dict[str, Path]:
    """Return split → folder if `root` is divided into splits, else an empty dictionary.

    Names such as Training, test_set and val-images are recognised. A folder of such a name that holds
    photos itself, next to others that do, is a label, like train beside bus and car.

    Raises:
        DatasetError: The folder cannot be opened (`not-found`, `not-a-folder`, `unreadable-folder`), two
            folders are the same split (`duplicate-split`), photos of a split have no label
            (`photos-without-label`), or folders may be labels or splits (`mixed-splits-and-labels`,
            `ambiguous-layout`).
    """
    root = unwrap(root)
    folders = label_folders(root)
    splits = _folders_by_split(root, folders)
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
        f"{root} has folders named like splits ({_names(splits.values())}) next to others ({_names(others)})",
        LABELS_OR_SPLITS_HINT,
    )


def subfolders(folder: Path) -> list[Path]:
    """Return the folders in `folder`, sorted by name, without hidden ones and macOS's archive leftovers.

    Raises:
        DatasetError: `folder` cannot be opened (`not-found`, `not-a-folder`, `unreadable-folder`).
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
            f"Cannot open {folder}: {error.strerror or error}",
            "Check the folder's permissions.",
        ) from error
    return [path for path in folders if not _is_hidden(path.name)]


def label_folders(folder: Path) -> list[Path]:
    """Return the folders in `folder` that may be labels or splits: not `_other`, nor outputs of ours."""
    return [path for path in subfolders(folder) if path.name != OTHER and not recognise_output(path)]


def unwrap(folder: Path) -> Path:
    """Return the folder that holds the labels or splits: archives often have one more folder around them."""
    inner = label_folders(folder)
    while len(inner) == 1 and not _holds_photos(folder) and not _holds_photos(inner[0]):
        deeper = label_folders(inner[0])
        if not deeper or split_of(inner[0].name):
            break
        folder, inner = inner[0], deeper
    return folder


def _folders_by_split(root: Path, folders: list[Path]) -> dict[str, Path]:
    splits: dict[str, Path] = {}
    names = _without_common_words([folder.name for folder in folders])
    for folder, name in zip(folders, names, strict=True):
        split = split_of(name) or split_of(folder.name)
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
    """Remove the first and last words that all names share: seg from seg_train and seg_test."""
    words = [re.split(r"[\W_]+", name) for name in names]
    for end in (0, -1):
        while len(words) > 1 and all(len(some) > 1 and some[end] == words[0][end] for some in words):
            for some in words:
                del some[end]
    return [" ".join(some) for some in words]


@lru_cache  # a table has a name of a split in each of its rows
def split_of(name: str) -> str:
    """Return the split that a name such as training_set or val stands for; empty if it stands for none."""
    word = re.sub(r"[\W_]+", "", name.lower())
    return next((split for split, pattern in SPLIT_NAMES.items() if pattern.fullmatch(word)), "")


def _may_be_label(folder: Path) -> bool:
    return folder.name.lower() in LABEL_WORDS or not split_of(folder.name)


def _refuse_photos_without_labels(root: Path, splits: list[Path]) -> None:
    if any(map(_holds_photos, splits)):
        raise DatasetError(
            "photos-without-label",
            f"{root} has photos directly in {_names(splits)}, not in a label's folder",
            f"{LAYOUT_HINT} {LABELS_OR_SPLITS_HINT}",
        )


def _refuse_repeated_labels(root: Path, folders: list[Path]) -> None:
    """Raise DatasetError if a few folders hold the same folders, as splits with unknown names do."""
    if not 2 <= len(folders) <= MAX_SPLITS or any(map(_holds_photos, folders)):
        return
    names = [{label.name for label in label_folders(folder)} for folder in folders]
    if len(common := set.intersection(*names)) >= 2:
        raise DatasetError(
            "ambiguous-layout",
            f"The folders {_names(folders)} in {root} may be labels or splits: "
            f"they hold the same folders, {shortened(sorted(common))}",
            LABELS_OR_SPLITS_HINT,
        )


def _holds_photos(folder: Path) -> bool:
    """Tell whether a picture is directly in a folder."""
    try:
        return any(
            not _is_hidden(path.name) and not path.is_dir() and is_picture(path) for path in folder.iterdir()
        )
    except OSError:
        return False


def _skip_others(listing: Listing, folder: Path, used: list[Path]) -> None:
    """Record what is next to the folders of labels or splits: photos, our outputs, other folders."""
    for path in sorted(folder.iterdir()):
        if _is_hidden(path.name) or path in used or (path.name == OTHER and path.is_dir()):
            continue
        if path.is_dir():
            listing.skip(OUTPUT if recognise_output(path) else NOT_A_SPLIT, path)
        elif is_picture(path):
            listing.skip(OUTSIDE_LABELS, path)


def _add_other(listing: Listing, folders: Iterable[Path], *, split: str) -> None:
    """Add the photos that fit no label: those below a folder called `OTHER` in one of these folders."""
    for folder in sorted(folders):
        if (folder / OTHER).is_dir():
            paths = map(listing.relative, _walk(listing, folder / OTHER))
            listing.other.extend(Photo(path, "", split) for path in paths)


def _walk(listing: Listing, top: Path) -> Iterator[Path]:
    """Yield the pictures at any depth below a folder, following links, but entering no folder twice."""

    def record(error: OSError) -> None:
        path = printable(listing.relative(Path(error.filename)))
        listing.unreadable.append(Unreadable(path, error.strerror or str(error)))

    # The root counts as visited: a link back to it would give this label the photos of all the others.
    real_paths = {os.path.realpath(listing.root)} - {os.path.realpath(top)}
    for name, folders, files in os.walk(top, onerror=record, followlinks=True):
        here = Path(name)
        if (real := os.path.realpath(here)) in real_paths:
            folders.clear()
            continue
        real_paths.add(real)
        folders[:] = [folder for folder in sorted(folders) if _is_entered(listing, here / folder)]
        yield from _pictures(listing, here, sorted(files))


def _is_entered(listing: Listing, folder: Path) -> bool:
    """Tell whether to look for photos in a folder; if not, record it as left out."""
    if folder.suffix.lower() in SUFFIXES and not _is_hidden(folder.name):
        listing.unreadable.append(Unreadable(printable(listing.relative(folder)), "is a folder"))
        return False
    if recognise_output(folder):
        listing.skip(OUTPUT, folder)
        return False
    return not _is_hidden(folder.name)


def _pictures(listing: Listing, folder: Path, names: Iterable[str]) -> Iterator[Path]:
    """Yield the pictures among the files of a folder, and record the others as left out."""
    for file in (folder / name for name in names if not _is_hidden(name)):
        if is_picture(file):
            yield file
        else:
            listing.skip(RAW if is_raw(file) else NOT_A_PICTURE, file)


def _is_hidden(name: str) -> bool:
    return name.startswith((".", "__MACOSX"))


def _names(folders: Iterable[Path]) -> str:
    return shortened(sorted(folder.name for folder in folders))
