"""Load a data set: read and check every photo, find groups, assign the splits, refuse what cannot be used."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from shutterless.dataset.groups.duplicates import Duplicates, find_duplicates
from shutterless.dataset.groups.grouping import (
    AUTO,
    find_groups,
    leaking,
    make_rule,
    parse_group_by,
    with_groups,
)
from shutterless.dataset.layout import LAYOUT_HINT, OUTSIDE_LABELS, Listing
from shutterless.dataset.loader import fits_in_memory
from shutterless.dataset.photo_stats import PhotoStats, measure_photo
from shutterless.dataset.sources.records import require_whole_groups
from shutterless.dataset.sources.table import list_photos
from shutterless.dataset.split import SplitOf, assign_splits
from shutterless.dataset.types import SPLITS, Dataset, Decoded, Group, Photo, Unreadable, printable
from shutterless.errors import DatasetError
from shutterless.runtime.image import decoder
from shutterless.runtime.image.decoder import InputSpec
from shutterless.runtime.problems import Problem
from shutterless.utils.messages import plural, quoted
from shutterless.utils.parallel import map_in_threads
from shutterless.utils.progress import Progress, automatic

__all__ = ["SPLITS", "Dataset", "Photo", "Unreadable", "load_dataset"]

Result = TypeVar("Result")


@dataclass(frozen=True)
class Scan:
    """The result of reading every photo once.

    Attributes:
        photos: The readable photos with a label, with their splits and groups, sorted by path.
        other: The readable photos in `_other`, likewise.
        stats: Photo path → measurements of all photos.
        duplicates: The closest first.
        groups: Photos that show the same thing, sorted by name.
        unreadable: Files and folders that cannot be read, sorted by path.
        decoded: The photos' pixels, if they were asked for and fit in memory.
    """

    photos: tuple[Photo, ...]
    other: tuple[Photo, ...]
    stats: Mapping[str, PhotoStats]
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
    split_of: SplitOf = lambda photo: None,
    progress: Progress = automatic,
) -> Dataset:
    """Load labelled photos for training.

    If the folder has `train`, `validation` and `test` folders, they are the splits; without `validation`,
    a tenth of every label's training photos is used for it. A folder of labels only is split 80/10/10.
    Photos of the same thing stay in one split. Photos in a folder called `_other` beside the labels are in
    `other`. Files that cannot be read are left out and listed in `unreadable`.

    Args:
        root: The folder of photos, or a table (CSV, JSON Lines or Parquet) with the columns path (or
            file_name), label and, optionally, split and group.
        seed: Decides which photos go to which split, where no folder or row does.
        group_by: Which photos show the same thing; see `parse_group_by`. With `auto`, the groups of the
            table, or of groups.csv in the folder, replace the rules.
        spec: A model's input: photos are also decoded for it and kept in `decoded`, if they fit in memory.
        split_of: Returns the split of a photo in an earlier run, which it keeps where no folder or row
            decides it; None for a new photo.
        progress: Called while photos are read.

    Returns:
        The data set, with warnings about what may spoil the training.

    Raises:
        DatasetError: The folder cannot be opened or its layout is unclear (see `find_split_folders`), it
            has nothing to train or validate on (`no-photos`, `no-readable-photos`, `no-training-photos`,
            `no-validation-photos`), its labels are not enough (`single-label`,
            `label-without-training-photos`), the file of groups is wrong (`unreadable-groups`,
            `missing-column`), the table is (see `list_photos`), or the splits divide a group of the table or
            of groups.csv (`divided-group`).
        InputError: `group_by` is not a valid rule (`invalid-group-by`).

    Example:
        >>> import shutterless
        >>> photos = shutterless.draw_sample("load-dataset", per_label=10, size=32)
        >>> dataset = shutterless.load_dataset(photos)
        >>> len(dataset.labels), len(dataset.of("train"))
        (10, 100)
    """
    root = Path(root)
    listing = list_photos(root)
    if group_by == AUTO:
        require_whole_groups(listing)
    if "train" not in listing.labels:
        raise DatasetError(
            "no-training-photos",
            f"{root} has {quoted(listing.split_folders)} but no train folder",
            LAYOUT_HINT,
        )
    scan = scan_photos(
        listing,
        seed=seed,
        group_by=group_by,
        spec=spec,
        split_of=split_of,
        progress=progress,
        what="checking photos",
    )
    labels = tuple(sorted(listing.labels["train"]))
    dataset = Dataset(
        listing.root, labels, scan.photos, scan.unreadable, (), scan.groups, table=listing.table
    )
    _require_trainable(dataset)
    warnings = (*split_gaps(dataset), *_scan_warnings(scan, by_label=not listing.split_folders))
    return replace(
        dataset, warnings=warnings, skipped=listing.summary(), other=scan.other, decoded=scan.decoded
    )


def scan_photos(
    listing: Listing,
    *,
    seed: int,
    group_by: str | Path,
    spec: InputSpec | None = None,
    split_of: SplitOf = lambda photo: None,
    progress: Progress,
    what: str,
) -> Scan:
    """Read every photo once, find duplicates and groups, and assign the splits.

    Args:
        listing: The photos.
        seed: Decides which photos go to which split, where no folders do.
        group_by: Which photos show the same thing; see `parse_group_by`.
        spec: A model's input: photos are also decoded for it, if they fit in memory.
        split_of: Returns the split of a photo in an earlier run; None for a new photo.
        progress: Called while photos are read.
        what: Name of the work in the progress bar.

    Raises:
        DatasetError: No photo was found or none can be read, or the file of groups is wrong.
        InputError: `group_by` is not a valid rule.
    """
    key_of = parse_group_by(group_by)
    if key_of == AUTO and listing.groups:
        key_of = make_rule(listing.groups)
    if listing.photos:
        listing = replace(listing, photos=[*listing.photos, *listing.other])
    keep = spec if spec and fits_in_memory(len(listing.photos), spec) else None

    def measure(data: bytes) -> tuple[PhotoStats, npt.NDArray[np.uint8] | None]:
        return measure_photo(data), np.asarray(decoder.decode(data, keep)) if keep else None

    results, unreadable = read_photos(listing, measure, progress=progress, what=what)
    stats = {photo: photo_stats for photo, (photo_stats, _) in results.items()}
    duplicates = find_duplicates(stats)
    groups = find_groups(stats, duplicates, key_of, progress)
    photos = assign_splits(with_groups(stats, groups), listing.split_folders, seed=seed, split_of=split_of)
    by_path = {photo.path: photo for photo in photos}

    def updated(related: tuple[Photo, ...]) -> tuple[Photo, ...]:
        return tuple(by_path[photo.path] for photo in related)

    return Scan(
        tuple(photo for photo in photos if photo.label),
        tuple(photo for photo in photos if not photo.label),
        {photo.path: photo_stats for photo, photo_stats in stats.items()},
        tuple(replace(each, photos=updated(each.photos)) for each in duplicates),
        tuple(replace(each, photos=updated(each.photos)) for each in groups),
        unreadable,
        Decoded(keep, {photo.path: array for photo, (_, array) in results.items() if array is not None}),
    )


def read_photos(
    listing: Listing, examine: Callable[[bytes], Result], *, progress: Progress, what: str
) -> tuple[dict[Photo, Result], tuple[Unreadable, ...]]:
    """Read every photo once.

    Args:
        listing: The photos.
        examine: Called with the bytes of each file; raises `Problem` if they are not a usable picture.
        progress: Called for each photo.
        what: Name of the work in the progress bar.

    Returns:
        Photo, with the hash of its content, → what `examine` returned, and the files that cannot be read.
        Both are sorted by path.

    Raises:
        DatasetError: There is no photo (`no-photos`), or none can be read (`no-readable-photos`).
    """
    if not listing.photos:
        problem = "photos, but none in a label's folder" if OUTSIDE_LABELS in listing.skipped else "no photos"
        hints = (LAYOUT_HINT, *(f"{str(each).capitalize()}." for each in listing.summary()))
        raise DatasetError("no-photos", f"{listing.root} has {problem}", " ".join(hints))

    def read(photo: Photo) -> tuple[Photo, Result] | Unreadable:
        return _read_photo(listing.root, photo, examine)

    photos = sorted(listing.photos, key=lambda photo: photo.path)
    results = list(map_in_threads(read, photos, progress=progress, what=what))
    readable = dict(result for result in results if not isinstance(result, Unreadable))
    failures = [result for result in results if isinstance(result, Unreadable)]
    unreadable = sorted([*failures, *listing.unreadable], key=lambda file: file.path)
    if not readable:
        raise DatasetError(
            "no-readable-photos",
            f"None of the {len(listing.photos):,} photos in {listing.root} can be read",
            f"Repair or replace them. The first, {unreadable[0].path}: {unreadable[0].reason}.",
        )
    return readable, tuple(unreadable)


def _read_photo(
    root: Path, photo: Photo, examine: Callable[[bytes], Result]
) -> tuple[Photo, Result] | Unreadable:
    """Return the photo with its hash, and the result of `examine`, or why the photo cannot be used."""
    path = root / photo.path
    try:
        str(path).encode()  # split.csv, which will name it, is UTF-8
        if not path.is_file():  # reading a pipe or a device might never end
            reason = "not a regular file" if path.exists() else "there is no such file"
            return Unreadable(photo.path, "the link leads nowhere" if path.is_symlink() else reason)
        data = decoder.read(path)
        return replace(photo, sha256=hashlib.sha256(data).hexdigest()), examine(data)
    except Problem as problem:
        return Unreadable(photo.path, problem.detail)
    except UnicodeEncodeError:
        return Unreadable(printable(photo.path), "the name is not valid UTF-8")
    except OSError as error:
        return Unreadable(photo.path, error.strerror or str(error))


def _require_trainable(dataset: Dataset) -> None:
    root, labels = dataset.root, dataset.labels
    if unknown := {photo.label for photo in dataset.photos} - set(labels):
        raise DatasetError(
            "label-without-training-photos",
            f"{quoted(unknown)} has photos for validation or test in {root}, but none for training",
            "Add such photos to train/, or remove the label's other folders.",
        )
    if empty := set(labels) - {photo.label for photo in dataset.of("train")}:
        unread = [file for file in dataset.unreadable if empty & {*PurePosixPath(file.path).parts}]
        example = f" {unread[0].path} is left out: {unread[0].reason}." if unread else ""
        raise DatasetError(
            "label-without-training-photos",
            f"{quoted(empty)} has no readable photo to train on in {root}",
            f"Add photos to the label's folder, or remove the folder.{example}",
        )
    if len(labels) < 2:
        raise DatasetError(
            "single-label",
            f"{root} has only the label {quoted(labels)}",
            f"A classifier needs two or more. {LAYOUT_HINT}",
        )
    if not dataset.of("validation"):
        raise DatasetError(
            "no-validation-photos",
            f"{root} leaves no readable photo for validation",
            "Add photos of at least two different things to every label, or photos to validation/.",
        )


def split_gaps(dataset: Dataset) -> tuple[str, ...]:
    """Return a warning for every split in use that has no photo of some labels."""
    counts = dataset.counts()
    splits = next(iter(counts.values()))
    missing = {split: [label for label in counts if not counts[label][split]] for split in splits}
    return tuple(f"no photo of {quoted(labels)} in {split}" for split, labels in missing.items() if labels)


def _scan_warnings(scan: Scan, *, by_label: bool) -> list[str]:
    """Return warnings about photos of the same thing: in several splits, under several labels, too few."""
    warnings = []
    if leaks := leaking(scan.groups, scan.duplicates):
        warnings.append(
            f"leakage: {plural(len(leaks), 'group')} of photos of the same thing in more than one split, "
            f"such as {_example(leaks[0], lambda photo: photo.split)}; accuracy measured on them is too high"
        )
    if conflicts := [group.photos for group in scan.duplicates if len(group.labels) > 1]:
        warnings.append(
            f"label conflict: {plural(len(conflicts), 'photo')} under more than one label, such as "
            f"{_example(conflicts[0], lambda photo: photo.label)}; delete the copies under wrong labels"
        )
    if few := _with_few_things(scan.photos) if by_label else []:
        warnings.append(
            f"the photos of {quoted(few)} show fewer than {len(SPLITS)} things: too few for every split"
        )
    return warnings


def _example(photos: Sequence[Photo], key: Callable[[Photo], str]) -> str:
    """Return the names of two photos whose keys differ."""
    first = photos[0]
    other = next(photo for photo in photos if key(photo) != key(first))
    return f"{first.path} and {other.path}"


def _with_few_things(photos: Iterable[Photo]) -> list[str]:
    """Return the labels that have enough photos for every split, but in too few groups."""
    things: dict[str, set[str]] = {}
    counts = Counter[str]()
    for photo in photos:
        things.setdefault(photo.label, set()).add(photo.group or photo.path)
        counts[photo.label] += 1
    return [label for label in things if len(things[label]) < len(SPLITS) <= counts[label]]
