"""Read a folder of labelled photos: check every file, share out the splits, refuse what cannot be used."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from shutterless.dataset.groups.duplicates import Duplicates, find_duplicates
from shutterless.dataset.groups.grouping import AUTO, find_groups, leaking, parse_group_by, with_groups
from shutterless.dataset.layout import LAYOUT_HINT, OUTSIDE_LABELS, Found, find_photos, split_folders
from shutterless.dataset.loader import fits_in_memory
from shutterless.dataset.photo_stats import Look, look
from shutterless.dataset.split import assign
from shutterless.dataset.types import SPLITS, Dataset, Decoded, Group, Photo, Unreadable, printable
from shutterless.errors import DatasetError
from shutterless.runtime.image import decoder
from shutterless.runtime.image.decoder import InputSpec
from shutterless.runtime.problems import Problem
from shutterless.utils.parallel import map_in_threads
from shutterless.utils.progress import Progress, automatic

__all__ = ["SPLITS", "Dataset", "Photo", "Unreadable", "load_dataset"]

# What is held back of every label where the folders do not say it: the usual tenth.
HELD_BACK = 0.1

Seen = TypeVar("Seen")


@dataclass(frozen=True)
class Scan:
    """What reading every photo once has shown, before it is judged.

    photos: those that can be read, with split and group. looks: by the photos' paths, in their order.
    duplicates: the closest first. groups: sorted by name. decoded: for a network's input.
    """

    photos: tuple[Photo, ...]
    looks: Mapping[str, Look]
    duplicates: tuple[Duplicates, ...]
    groups: tuple[Group, ...]
    unreadable: tuple[Unreadable, ...]
    decoded: Decoded


def load_dataset(
    root: str | Path,
    *,
    seed: int = 42,
    group_by: str | Path = AUTO,
    spec: InputSpec | None = None,
    progress: Progress = automatic,
) -> Dataset:
    """Return the data set for training: folders by split, or one folder of labels shared out 80/10/10.

    A `train` folder without a `validation` one gives a tenth of every label to
    validation. Photos of one thing stay in one split. Files that cannot be read are named in
    `unreadable` and left out.

    Args:
        root: The folder of photos.
        seed: Decides which photos go to which split, where no folders do.
        group_by: Which photos show one thing, see `parse_group_by`.
        spec: A network's input: photos are also decoded for it and kept in `decoded`, if they fit in memory.
        progress: Called while photos are read.

    Raises:
        ShutterlessError: There is nothing to train on: no folder, no photos, no labels or only one, a
            label without a readable photo, a label outside training that training lacks, or nothing for
            validation; or `group_by` is wrong.
    """
    root = Path(root)
    folders = split_folders(root)
    if folders and "train" not in folders:
        raise DatasetError(
            "no-training-photos", f"{root} has {_names(folders)} but no train folder", LAYOUT_HINT
        )
    found = find_photos(root, folders or {"train": root})
    scan = scan_photos(
        root,
        folders,
        found,
        seed=seed,
        group_by=group_by,
        spec=spec,
        progress=progress,
        what="checking photos",
    )
    labels = tuple(sorted(found.labels["train"]))
    dataset = Dataset(root, labels, scan.photos, scan.unreadable, (), scan.groups)
    _require_trainable(dataset)
    warnings = (*split_gaps(dataset), *group_warnings(scan, folders))
    return replace(dataset, warnings=warnings, skipped=found.summary(), decoded=scan.decoded)


def scan_photos(
    root: Path,
    folders: dict[str, Path],
    found: Found,
    *,
    seed: int,
    group_by: str | Path,
    spec: InputSpec | None = None,
    progress: Progress,
    what: str,
) -> Scan:
    """Read every photo once: which can be used, which are the same or show one thing, and their splits.

    Raises ShutterlessError if no photo was found or none can be read, or if `group_by` is wrong.
    """
    key_of = parse_group_by(group_by)
    keep = spec if spec and fits_in_memory(len(found.photos), spec) else None

    def visit(data: bytes) -> tuple[Look, npt.NDArray[np.uint8] | None]:
        return look(data), decoder.decode(data, keep) if keep else None

    visits, unreadable = survey(root, found, visit, progress=progress, what=what)
    looks = {photo: seen for photo, (seen, _) in visits.items()}
    duplicates = find_duplicates(looks)
    groups = find_groups(looks, duplicates, key_of, progress)
    photos = {photo.path: photo for photo in share_out(with_groups(looks, groups), folders, seed=seed)}

    def current(old: tuple[Photo, ...]) -> tuple[Photo, ...]:
        return tuple(photos[photo.path] for photo in old)

    return Scan(
        tuple(photos.values()),
        {photo.path: seen for photo, seen in looks.items()},
        tuple(replace(one, photos=current(one.photos)) for one in duplicates),
        tuple(replace(one, photos=current(one.photos)) for one in groups),
        unreadable,
        Decoded(keep, {photo.path: array for photo, (_, array) in visits.items() if array is not None}),
    )


def share_out(photos: Iterable[Photo], folders: dict[str, Path], *, seed: int) -> tuple[Photo, ...]:
    """Return the photos, sorted by path, with the splits that training gives them.

    folders: those of the splits, as `split_folders` finds them; none if the photos lie by label only.
    """
    if not folders:
        return assign(photos, shares={"validation": HELD_BACK, "test": HELD_BACK}, seed=seed)
    shared = tuple(photos)
    if "validation" not in folders:
        train = (photo for photo in shared if photo.split == "train")
        others = (photo for photo in shared if photo.split != "train")
        shared = (*assign(train, shares={"validation": HELD_BACK}, seed=seed), *others)
    return tuple(sorted(shared, key=lambda photo: photo.path))


def survey(
    root: Path, found: Found, look: Callable[[bytes], Seen], *, progress: Progress, what: str
) -> tuple[dict[Photo, Seen], tuple[Unreadable, ...]]:
    """Return what `look` makes of the bytes of each photo, and the files that are no readable photo.

    The photos have their `sha256`. Both are sorted by path. `look` decodes the photo and raises `Problem`
    if it cannot.
    Raises ShutterlessError if no photo was found or none can be read.
    """
    if not found.photos:
        problem = "photos, but none in a label's folder" if OUTSIDE_LABELS in found.skipped else "no photos"
        hints = (LAYOUT_HINT, *(f"{str(one).capitalize()}." for one in found.summary()))
        raise DatasetError("no-photos", f"{root} has {problem}", " ".join(hints))
    photos = sorted(found.photos, key=lambda photo: photo.path)

    def examine(photo: Photo) -> tuple[Photo, Seen] | Unreadable:
        return _examine(root, photo, look)

    results = list(map_in_threads(examine, photos, progress=progress, what=what))
    seen = dict(result for result in results if not isinstance(result, Unreadable))
    unreadable = [result for result in results if isinstance(result, Unreadable)]
    unreadable = sorted((*unreadable, *found.unreadable), key=lambda one: one.path)
    if not seen:
        raise DatasetError(
            "no-readable-photos",
            f"None of the {len(found.photos)} photos in {root} can be read",
            f"Mend or replace them; the first, {unreadable[0].path}: {unreadable[0].reason}.",
        )
    return seen, tuple(unreadable)


def _examine(root: Path, photo: Photo, look: Callable[[bytes], Seen]) -> tuple[Photo, Seen] | Unreadable:
    """Return the photo with its content's hash and what `look` makes of it, from one reading of its file."""
    path = root / photo.path
    try:
        str(path).encode()  # the name will stand in split.csv
        if not path.is_file():  # reading a pipe or a device might never end
            reason = "the link leads nowhere" if path.is_symlink() else "not a regular file"
            return Unreadable(photo.path, reason)
        data = decoder.read(path)
        return replace(photo, sha256=hashlib.sha256(data).hexdigest()), look(data)
    except Problem as problem:
        return Unreadable(photo.path, problem.detail)
    except UnicodeEncodeError:
        return Unreadable(printable(photo.path), "the name is not valid UTF-8")
    except OSError as error:
        return Unreadable(photo.path, error.strerror or str(error))


def _require_trainable(dataset: Dataset) -> None:
    root, labels = dataset.root, dataset.labels
    foreign = {photo.label for photo in dataset.photos} - set(labels)
    if foreign:
        raise DatasetError(
            "label-without-training-photos",
            f"Training lacks the label {_names(foreign)}, which validation or test has, in {root}",
            "Add such photos to train/, or remove the label's other folders.",
        )
    empty = set(labels) - {photo.label for photo in dataset.of("train")}
    if empty:
        unread = [one for one in dataset.unreadable if empty & {*PurePosixPath(one.path).parts}]
        example = f" {unread[0].path} is left out: {unread[0].reason}." if unread else ""
        raise DatasetError(
            "label-without-training-photos",
            f"No readable photo to train on for the label {_names(empty)} in {root}",
            f"Add photos to the label's folder, or remove the folder.{example}",
        )
    if len(labels) < 2:
        raise DatasetError(
            "single-label",
            f"{root} has only the label {_names(labels)}",
            f"A classifier needs two or more. {LAYOUT_HINT}",
        )
    if not dataset.of("validation"):
        raise DatasetError(
            "no-validation-photos",
            f"{root} leaves no readable photo for validation",
            "Give every label photos of two things or more; a validation/ folder needs some of its own.",
        )


def group_warnings(scan: Scan, folders: dict[str, Path]) -> tuple[str, ...]:
    """Return warnings about photos of one thing: in several splits, or too few things for every split."""
    leaks = leaking(scan.groups, scan.duplicates)
    few = _with_few_things(scan.photos) if not folders else []
    warnings = []
    if leaks:
        one, other = leaks[0][0].path, next(p.path for p in leaks[0] if p.split != leaks[0][0].split)
        warnings.append(
            f"leakage: {len(leaks):,} groups of photos of one thing are in more than one split, such as "
            f"{one} and {other}; accuracy measured on them is too high"
        )
    if few:
        warnings.append(
            f"the photos of {_names(few)} show fewer than {len(SPLITS)} things: too few for every split"
        )
    return tuple(warnings)


def _with_few_things(photos: Iterable[Photo]) -> list[str]:
    """Return the labels that have enough photos for every split, but in too few groups."""
    things: dict[str, set[str]] = {}
    counts = Counter[str]()
    for photo in photos:
        things.setdefault(photo.label, set()).add(photo.group or photo.path)
        counts[photo.label] += 1
    return [label for label in things if len(things[label]) < len(SPLITS) <= counts[label]]


def split_gaps(dataset: Dataset) -> tuple[str, ...]:
    """Return a warning for every split in use that has no photo of some labels."""
    counts = dataset.counts()
    splits = next(iter(counts.values()))
    missing = {split: [label for label in counts if not counts[label][split]] for split in splits}
    return tuple(f"no photo of {_names(labels)} in {split}" for split, labels in missing.items() if labels)


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in sorted(names))
