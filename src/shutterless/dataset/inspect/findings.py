"""What can be wrong with a data set: each fault with how bad it is, which files, and what to do.

The limits are rules of thumb of ours, on the quiet side, where no other source is given.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from shutterless.dataset.groups.duplicates import BLANK, Duplicates
from shutterless.dataset.groups.grouping import leaking
from shutterless.dataset.photo_stats import Look
from shutterless.dataset.types import Dataset, Photo
from shutterless.utils.messages import shortened

Level = Literal["high", "medium", "low"]

# The largest label's photos over the smallest's.
IMBALANCE = 4
# Photos of a label to train on.
FEW = 20
# The longer side over the shorter; camera photos have 1.33 to 1.78, today's telephone screens 2.2.
ODD_ASPECT = 2.0
# Pixels of the shorter side: half the usual input of 224, which enlarges such a photo more than twice.
SMALL = 112


@dataclass(frozen=True)
class Finding:
    """One kind of fault.

    kind: a stable name. level: how bad. title: what it is, in a line. advice: what to do. files: the
    paths of the photos, those together that belong together; empty if it is not about single photos.
    """

    kind: str
    level: Level
    title: str
    advice: str
    files: tuple[tuple[str, ...], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        return {
            "kind": self.kind,
            "level": self.level,
            "title": self.title,
            "advice": self.advice,
            "files": [list(together) for together in self.files],
        }


def find_faults(
    dataset: Dataset,
    looks: Mapping[Photo, Look],
    duplicates: Iterable[Duplicates],
    warnings: Iterable[str] = (),
) -> tuple[Finding, ...]:
    """Return what is wrong with the data set, the worst first.

    looks: of every photo. warnings: of its layout, a line each.
    """
    copies = list(duplicates)
    found = (
        *_of_layout(dataset, warnings),
        *_of_leaks(leaking(dataset.groups, copies)),
        *_of_duplicates(copies),
        *_of_looks(looks),
    )
    return tuple(sorted(found, key=lambda finding: get_args(Level).index(finding.level)))


def _of_leaks(leaks: list[tuple[Photo, ...]]) -> Iterator[Finding]:
    if leaks:
        yield Finding(
            "leakage",
            "high",
            f"{_count(leaks, 'group')} of photos of one thing in more than one split",
            "Accuracy measured on them is too high: the network has seen the same thing in training. Move "
            "each group into one split, or give one folder for each label and let training split them.",
            tuple(tuple(photo.path for photo in photos) for photos in leaks),
        )


def _of_duplicates(groups: list[Duplicates]) -> Iterator[Finding]:
    if conflicts := [group for group in groups if len(group.labels) > 1]:
        yield Finding(
            "label-conflict",
            "high",
            f"{_count(conflicts, 'group')} of duplicates under different labels",
            "One photo cannot be both: keep it under the label that is right and delete the other.",
            _paths(conflicts),
        )
    if exact := [group for group in groups if group.exact]:
        yield Finding(
            "exact-duplicates",
            "medium",
            f"{_count(exact, 'group')} of files that are equal byte for byte",
            "Delete all but one of each: copies count more than they teach.",
            _paths(exact),
        )
    if near := [group for group in groups if not group.exact]:
        yield Finding(
            "near-duplicates",
            "low",
            f"{_count(near, 'group')} of photos that look the same",
            "Look at them side by side; some may be different things in one place. Delete copies of one "
            "photo; keep photos of the same thing in one split.",
            _paths(near),
        )


def _of_layout(dataset: Dataset, warnings: Iterable[str]) -> Iterator[Finding]:
    if dataset.unreadable:
        yield Finding(
            "unreadable",
            "medium",
            f"{_count(dataset.unreadable, 'file')} that cannot be read",
            "Training leaves them out. Fetch or export them again, or delete them.",
            tuple((one.path,) for one in dataset.unreadable),
        )
    for warning in warnings:
        yield Finding(
            "layout",
            "medium",
            warning,
            "Photos count only below a label's folder; every split needs photos of every label.",
        )
    yield from _of_sizes(dataset)


def _of_sizes(dataset: Dataset) -> Iterator[Finding]:
    """Yield what is wrong with the numbers of photos to train on."""
    train = {label: splits.get("train", 0) for label, splits in dataset.counts().items()}
    if len(train) < 2:
        yield Finding(
            "one-label",
            "high",
            f"the only label is {next(iter(train))}",
            "A classifier needs two or more: put the photos of each kind into a folder of their own.",
        )
    if few := {label: count for label, count in train.items() if count < FEW}:
        yield Finding(
            "few-photos",
            "high" if 0 in few.values() else "medium",
            f"fewer than {FEW} photos to train on: {shortened([f'{name} {few[name]}' for name in few])}",
            "Add photos, or merge these labels with others.",
        )
    most, least = max(train, key=lambda label: train[label]), min(train, key=lambda label: train[label])
    if train[most] >= IMBALANCE * max(1, train[least]):
        yield Finding(
            "imbalance",
            "medium",
            f"{most} has {train[most]} photos to train on, {least} {train[least]}",
            f"Judge by the recall of every label, not by accuracy alone; add photos of {least}, or give "
            "rare labels more weight.",
        )


def _of_looks(looks: Mapping[Photo, Look]) -> Iterator[Finding]:
    if blank := _where(looks, {photo for photo, seen in looks.items() if seen.contrast < BLANK}):
        yield Finding(
            "blank",
            "medium",
            f"{_count(blank, 'photo')} of all but one colour",
            "Nothing can be learned from them: delete them, or export them again.",
            blank,
        )
    small = {photo for photo, seen in looks.items() if min(seen.width, seen.height) < SMALL}
    if files := _where(looks, small):
        yield Finding(
            "small",
            "low",
            f"{_count(files, 'photo')} whose shorter side is below {SMALL} pixels",
            "They are enlarged and blurred. Use larger originals, or train with a smaller --image-size.",
            files,
        )
    if files := _where(looks, {photo for photo, seen in looks.items() if seen.aspect > ODD_ASPECT}):
        yield Finding(
            "odd-aspect",
            "low",
            f"{_count(files, 'photo')} more than {ODD_ASPECT:g} times as long as wide, or the other way",
            'Stretched to a square they are distorted: crop them, or use a recipe with resize = "pad".',
            files,
        )


def _where(looks: Mapping[Photo, Look], chosen: set[Photo]) -> tuple[tuple[str, ...], ...]:
    return tuple((photo.path,) for photo in looks if photo in chosen)


def _paths(groups: Iterable[Duplicates]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(photo.path for photo in group.photos) for group in groups)


def _count(things: Iterable[Any], noun: str) -> str:
    count = len(tuple(things))
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
