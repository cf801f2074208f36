"""Select the labelled photos to measure a model on: by split, by label, and not those it was trained on."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from shutterless.dataset.integrity import content_hash
from shutterless.dataset.loader import fits_in_memory
from shutterless.dataset.scan import read_photos, split_gaps
from shutterless.dataset.sources.table import list_photos
from shutterless.dataset.split import SplitOf
from shutterless.dataset.types import NEW, SPLITS, Dataset, Decoded, Photo
from shutterless.errors import DatasetError, InputError
from shutterless.runtime.image import decoder
from shutterless.runtime.image.decoder import InputSpec
from shutterless.utils.messages import did_you_mean, plural, quoted
from shutterless.utils.parallel import map_in_threads
from shutterless.utils.progress import Progress, silent

ALL = "all"
CHOICES = (*SPLITS, NEW, ALL)
SHORT_NAMES = {"val": "validation", "valid": "validation"}


@dataclass(frozen=True)
class Selection:
    """The photos to measure a model on.

    Attributes:
        dataset: The selected photos.
        left_out: Split → number of the folder's photos that were not selected.
    """

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
    spec: InputSpec | None = None,
    progress: Progress = silent,
) -> Selection:
    """Select the photos of a labelled folder that show how good a model is, and check that they decode.

    A photo has the split that `split_of` returns, else that of its folder, else `new`.

    Args:
        root: A folder of labels, or of splits with labels below; or a table, see `list_photos`.
        labels: The model's labels, in its order.
        split: train, validation (or val, valid), test, new or all. By default test and new, which the
            model has not seen, or validation if there are neither.
        split_of: Returns the split of a photo in the model's training run.
        label_map: Label in the folder → label of the model, for labels that were renamed.
        skip_unknown_labels: Leave out photos whose label the model does not know.
        spec: The model's input: photos are kept decoded for it, if they fit in memory.
        progress: Called while photos are read.

    Returns:
        The selected photos, with labels in the model's order, and what was left out.

    Raises:
        DatasetError: The folder has no usable photo (see `load_dataset`), none of this split
            (`empty-split`), only photos that were trained on (`only-training-photos`), or labels that the
            model does not know (`unknown-labels`).
        InputError: There is no such split (`unknown-split`), or `label_map` names a label that the folder
            (`unused-label-map`) or the model (`unknown-label`) does not have.
    """
    listing = list_photos(root, NEW)
    root = listing.root
    photos = _recorded(root, listing.photos, split_of, progress) if split_of else listing.photos
    photos = _renamed(photos, label_map or {}, labels)
    selection = _of_split(root, photos, split)
    usable = _of_known_labels(root, selection, labels, skip_unknown_labels)
    keep = spec if spec and fits_in_memory(len(usable), spec) else None

    def decode(data: bytes) -> npt.NDArray[np.uint8] | None:
        if keep:
            return np.asarray(decoder.decode(data, keep))
        decoder.check(data)
        return None

    arrays, unreadable = read_photos(
        replace(listing, photos=usable), decode, progress=progress, what="checking photos"
    )
    pixels = Decoded(keep, {photo.path: array for photo, array in arrays.items() if array is not None})
    dataset = Dataset(
        root, tuple(labels), tuple(arrays), unreadable, (), skipped=listing.summary(), decoded=pixels
    )
    warnings = (*_unknown_labels_warning(selection, usable), *split_gaps(dataset))
    left_out = Counter(photo.split for photo in photos) - Counter(photo.split for photo in selection)
    return Selection(replace(dataset, warnings=warnings), dict(left_out))


def _recorded(root: Path, photos: Sequence[Photo], split_of: SplitOf, progress: Progress) -> list[Photo]:
    """Return the photos with the hash of their content and their split in the training run."""

    def look_up(photo: Photo) -> Photo:
        photo = replace(photo, sha256=content_hash(root / photo.path))
        return replace(photo, split=split_of(photo) or photo.split)

    return list(map_in_threads(look_up, photos, progress=progress, what="recognising photos"))


def _renamed(photos: Sequence[Photo], label_map: Mapping[str, str], labels: Sequence[str]) -> list[Photo]:
    """Return the photos with the model's labels in place of those that were renamed."""
    present = {photo.label for photo in photos}
    for old, new in label_map.items():
        if old not in present:
            raise InputError(
                "unused-label-map",
                f"The label map renames '{old}', but no photo has this label",
                f"{did_you_mean(old, present)}Labels are the names of the photos' folders.",
            )
        if new not in labels:
            raise InputError(
                "unknown-label",
                f"The label map renames '{old}' to '{new}', a label that the model does not know",
                f"{did_you_mean(new, labels)}The model knows {quoted(labels)}.",
            )
    return [replace(photo, label=label_map.get(photo.label, photo.label)) for photo in photos]


def _of_split(root: Path, photos: list[Photo], split: str | None) -> list[Photo]:
    """Return the photos of the split that was asked for, or of the best one for measuring."""
    name = SHORT_NAMES.get(split, split) if split else None
    if name is not None and name not in CHOICES:
        raise InputError(
            "unknown-split", f"There is no split {split!r}", f"Choose one of: {', '.join(CHOICES)}."
        )
    if name == ALL or not photos:
        return photos
    for splits in [(name,)] if name else [("test", NEW), ("validation",)]:
        if selection := [photo for photo in photos if photo.split in splits]:
            return selection
    counts = Counter(photo.split for photo in photos)
    listing = ", ".join(f"{count:,} {split}" for split, count in sorted(counts.items()))
    if name:
        raise DatasetError("empty-split", f"{root} has no {name} photos", f"It has: {listing}.")
    raise DatasetError(
        "only-training-photos",
        f"The model was trained on all {len(photos):,} photos in {root}, so they cannot show how good it is",
        "Use photos that it has not seen, or measure these anyway with --split train.",
    )


def _of_known_labels(
    root: Path, photos: list[Photo], labels: Sequence[str], skip_unknown: bool
) -> list[Photo]:
    """Return the photos whose label the model knows; refuse others unless they may be skipped."""
    usable = [photo for photo in photos if photo.label in set(labels)]
    if len(usable) < len(photos) and not (skip_unknown and usable):
        unknown = {photo.label for photo in photos} - set(labels)
        raise DatasetError(
            "unknown-labels",
            f"The model does not know {len(unknown):,} of the labels in {root}: {quoted(unknown)} "
            f"({plural(len(photos) - len(usable), 'photo')})",
            f"It knows {quoted(labels)}. Rename labels with --label-map old=new, "
            "or leave such photos out with --skip-unknown-labels.",
        )
    return usable


def _unknown_labels_warning(selected: Sequence[Photo], usable: Sequence[Photo]) -> list[str]:
    unknown = {photo.label for photo in selected} - {photo.label for photo in usable}
    if not unknown:
        return []
    return [
        f"left out {plural(len(selected) - len(usable), 'photo')} of {plural(len(unknown), 'label')} "
        f"that the model does not know: {quoted(unknown)}"
    ]
