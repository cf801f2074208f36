"""Labelled photos to measure a model on: which of a folder's photos, and under which labels."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from shutterless.dataset.integrity import content_hash
from shutterless.dataset.layout import find_photos, split_folders
from shutterless.dataset.scan import split_gaps, survey
from shutterless.dataset.types import NEW, SPLITS, Dataset, Photo
from shutterless.errors import DatasetError, InputError
from shutterless.runtime.image import decoder
from shutterless.utils.messages import did_you_mean, shortened
from shutterless.utils.parallel import map_in_threads
from shutterless.utils.progress import Progress, silent

ALL = "all"
CHOICES = (*SPLITS, NEW, ALL)
SHORT_NAMES = {"val": "validation", "valid": "validation"}

# What split of the model's training run a photo was in; None for one that the run did not have.
SplitOf = Callable[[Photo], str | None]


@dataclass(frozen=True)
class Selection:
    """The photos of a folder to measure on, and split → number of its photos that are left out."""

    dataset: Dataset
    left_out: Mapping[str, int]


def load_labelled(
    root: Path,
    *,
    labels: Sequence[str],
    split: str | None = None,
    split_of: SplitOf | None = None,
    label_map: Mapping[str, str] | None = None,
    skip_unknown_labels: bool = False,
    progress: Progress = silent,
) -> Selection:
    """Choose the photos of a labelled folder that say how good a model is, and check that they decode.

    A photo has the split that `split_of` gives for it, else that of its folder, else "new".

    Args:
        root: A folder of labels, or of splits with labels below.
        labels: The labels that the model knows, in its order.
        split: train, validation (or val, valid), test, new or all. By default test and new, which the
            model has not seen; validation if there are neither.
        split_of: Split of a photo in the model's training run, by its path and content.
        label_map: Label in the folder → label of the model, for labels that were renamed.
        skip_unknown_labels: Leave out photos whose label the model does not know.
        progress: Called while photos are read.

    Returns:
        The chosen photos, with labels in the model's order, and what was left out.

    Raises:
        ShutterlessError: There is no folder, no photo, no photo of that split, only photos that were
            trained on, a label that the model does not know, or a wrong `label_map`.
    """
    folders = split_folders(root)
    found = find_photos(root, folders or {NEW: root})
    if split_of:
        found.photos = list(_with_recorded_splits(root, found.photos, split_of, progress))
    found.photos = _renamed(found.photos, label_map or {}, labels)
    chosen = _of_split(root, found.photos, split)
    left_out = Counter(photo.split for photo in found.photos) - Counter(photo.split for photo in chosen)
    known = _of_known_labels(root, chosen, labels, skip_unknown_labels)
    unknown = _unknown_warning(chosen, known)
    readable, unreadable = survey(
        root, replace(found, photos=known), decoder.check, progress=progress, what="checking photos"
    )
    dataset = Dataset(root, tuple(labels), tuple(readable), unreadable, ())
    warnings = (*unknown, *split_gaps(dataset))
    return Selection(replace(dataset, warnings=warnings, skipped=found.summary()), dict(left_out))


def _with_recorded_splits(
    root: Path, photos: Sequence[Photo], split_of: SplitOf, progress: Progress
) -> Iterable[Photo]:
    """Yield the photos with the hash of their content and the split that they had in the training run."""

    def recognise(photo: Photo) -> Photo:
        hashed = replace(photo, sha256=content_hash(root / photo.path))
        return replace(hashed, split=split_of(hashed) or photo.split)

    yield from map_in_threads(recognise, photos, progress=progress, what="recognising photos")


def _renamed(photos: Sequence[Photo], label_map: Mapping[str, str], labels: Sequence[str]) -> list[Photo]:
    present = {photo.label for photo in photos}
    for old, new in label_map.items():
        if old not in present:
            raise InputError(
                "unused-label-map",
                f"The label map renames '{old}', but there are no such photos",
                f"{did_you_mean(old, present)}Labels are the names of the photos' folders.",
            )
        if new not in labels:
            raise InputError(
                "unknown-label",
                f"The label map renames '{old}' to '{new}', a label that the model does not know",
                f"{did_you_mean(new, labels)}The model knows {_names(labels)}.",
            )
    return [replace(photo, label=label_map.get(photo.label, photo.label)) for photo in photos]


def _of_split(root: Path, photos: Sequence[Photo], split: str | None) -> list[Photo]:
    name = SHORT_NAMES.get(split, split) if split else None
    if name is not None and name not in CHOICES:
        raise InputError(
            "unknown-split", f"There is no split {split!r}", f"Choose one of: {', '.join(CHOICES)}."
        )
    if name == ALL or not photos:
        return list(photos)
    for wanted in [(name,)] if name else [("test", NEW), ("validation",)]:
        if chosen := [photo for photo in photos if photo.split in wanted]:
            return chosen
    counts = Counter(photo.split for photo in photos)
    listing = ", ".join(f"{count:,} {split}" for split, count in sorted(counts.items()))
    if name:
        raise DatasetError("empty-split", f"{root} has no {name} photos", f"It has: {listing}.")
    raise DatasetError(
        "only-training-photos",
        f"All {len(photos):,} photos in {root} were trained on, so they cannot show how good the model is",
        "Give photos that it has not seen, or measure these nevertheless with --split train.",
    )


def _of_known_labels(
    root: Path, photos: list[Photo], labels: Sequence[str], skip_unknown: bool
) -> list[Photo]:
    known = [photo for photo in photos if photo.label in set(labels)]
    if len(known) < len(photos) and not (skip_unknown and known):
        unknown = {photo.label for photo in photos} - set(labels)
        raise DatasetError(
            "unknown-labels",
            f"The model does not know {len(unknown):,} of the labels in {root}: {_names(unknown)} "
            f"({len(photos) - len(known):,} photos)",
            f"It knows {_names(labels)}. Rename labels with --label-map old=new, "
            "or leave such photos out with --skip-unknown-labels.",
        )
    return known


def _unknown_warning(chosen: Sequence[Photo], known: Sequence[Photo]) -> tuple[str, ...]:
    unknown = {photo.label for photo in chosen} - {photo.label for photo in known}
    if not unknown:
        return ()
    return (
        f"{len(chosen) - len(known):,} photos of {len(unknown):,} labels that the model does not know "
        f"are left out: {_names(unknown)}",
    )


def _names(names: Iterable[str]) -> str:
    return shortened([f"'{name}'" for name in sorted(names)])
