"""Problems of a data set: each with its severity, the files concerned and advice.

Unless a source is given, the limits are rules of thumb, chosen to report too little rather than too much.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from shutterless.dataset.groups.duplicates import MIN_CONTRAST, Duplicates
from shutterless.dataset.groups.grouping import leaking
from shutterless.dataset.inspect.suggestions import Suggestion, suggest_removal
from shutterless.dataset.photo_stats import PhotoStats
from shutterless.dataset.types import MAX_REASONS, Dataset, Photo
from shutterless.runtime.json_types import JsonObject
from shutterless.utils.messages import plural, shortened

Level = Literal["high", "medium", "low"]

# Photos of the largest label divided by photos of the smallest.
MAX_IMBALANCE = 4
# Photos of a label to train on.
MIN_PHOTOS = 20
# The longer side divided by the shorter; camera photos have 1.33 to 1.78, today's telephone screens 2.2.
MAX_ASPECT = 2.0
# Pixels of the shorter side: half the usual input of 224, which enlarges such a photo more than twice.
MIN_SIDE = 112


@dataclass(frozen=True)
class Finding:
    """One kind of problem.

    Attributes:
        kind: Stable name.
        level: Severity.
        title: The problem, in one line.
        advice: What to do about it.
        files: Paths of the photos concerned, grouped where several belong together; empty if the problem
            is not about single photos.
        suggestions: What could be done about some of the photos.
    """

    kind: str
    level: Level
    title: str
    advice: str
    files: tuple[tuple[str, ...], ...] = ()
    suggestions: tuple[Suggestion, ...] = ()

    def to_json(self) -> JsonObject:
        """Return the finding as a JSON object."""
        return {
            "kind": self.kind,
            "level": self.level,
            "title": self.title,
            "advice": self.advice,
            "files": [list(paths) for paths in self.files],
            "suggestions": [suggestion.to_json() for suggestion in self.suggestions],
        }


def find_problems(
    dataset: Dataset,
    stats: Mapping[Photo, PhotoStats],
    duplicates: Sequence[Duplicates],
    warnings: Iterable[str] = (),
) -> tuple[Finding, ...]:
    """Return the problems of a data set, the worst first.

    Args:
        dataset: All readable photos, with their groups.
        stats: The measurements of every photo.
        duplicates: Photos that are the same.
        warnings: Problems of the layout, a line each.
    """
    findings = (
        *_layout_findings(dataset, warnings),
        *_size_findings(dataset),
        *duplicate_findings(dataset, stats, duplicates),
        *_photo_findings(stats),
    )
    return worst_first(findings)


def duplicate_findings(
    dataset: Dataset, stats: Mapping[Photo, PhotoStats], duplicates: Sequence[Duplicates]
) -> tuple[Finding, ...]:
    """Return the findings about photos that are the same, or of the same thing in more than one split."""
    leaks = leaking(dataset.groups, duplicates)
    return (*_leak_findings(leaks), *_duplicate_findings(duplicates, stats))


def worst_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return the findings in the order of their levels."""
    return tuple(sorted(findings, key=lambda finding: get_args(Level).index(finding.level)))


def _layout_findings(dataset: Dataset, warnings: Iterable[str]) -> Iterator[Finding]:
    if dataset.unreadable:
        counts = Counter(file.reason for file in dataset.unreadable).most_common(MAX_REASONS)
        reasons = "; ".join(f"{count:,}: {reason}" for reason, count in counts)
        yield Finding(
            "unreadable",
            "medium",
            f"{plural(len(dataset.unreadable), 'file')} that cannot be read",
            f"Training leaves them out. Download or export them again, or delete them. Reasons: {reasons}.",
            tuple((file.path,) for file in dataset.unreadable),
            tuple(Suggestion("unreadable", file.path, file.reason, "remove") for file in dataset.unreadable),
        )
    for warning in warnings:
        yield Finding(
            "layout",
            "medium",
            warning,
            "Photos only count below a label's folder, and every split needs photos of every label.",
        )


def _size_findings(dataset: Dataset) -> Iterator[Finding]:
    """Yield what is wrong with the numbers of photos to train on."""
    train = {label: splits.get("train", 0) for label, splits in dataset.counts().items()}
    if len(train) < 2:
        yield Finding(
            "one-label",
            "high",
            f"the only label is {next(iter(train))}",
            "A classifier needs two or more: put the photos of each kind into a folder of their own.",
        )
    if few := {label: number for label, number in train.items() if number < MIN_PHOTOS}:
        listing = shortened([f"{label} {number}" for label, number in few.items()])
        yield Finding(
            "few-photos",
            "high" if 0 in few.values() else "medium",
            f"fewer than {MIN_PHOTOS} photos to train on: {listing}",
            "Add photos, or merge these labels with others.",
        )
    largest = max(train, key=lambda label: train[label])
    smallest = min(train, key=lambda label: train[label])
    if train[largest] >= MAX_IMBALANCE * max(1, train[smallest]):
        yield Finding(
            "imbalance",
            "medium",
            f"{largest} has {train[largest]} photos to train on, {smallest} {train[smallest]}",
            f"Look at the recall of every label, not only at the accuracy. Add photos of {smallest}, or give "
            "rare labels more weight.",
        )


def _leak_findings(leaks: list[tuple[Photo, ...]]) -> Iterator[Finding]:
    if leaks:
        yield Finding(
            "leakage",
            "high",
            f"{plural(len(leaks), 'group')} of photos of the same thing in more than one split",
            "The model has already seen these photos, so the accuracy measured on them is too high. Keep "
            "each group in one split, or use one folder per label and let training split them.",
            tuple(tuple(photo.path for photo in photos) for photos in leaks),
            tuple(
                suggest_removal("leakage", photo, f"the same thing is in {' and '.join(others)}")
                for photos in leaks
                if (others := sorted({photo.split for photo in photos} - {"train"}))
                for photo in photos
                if photo.split == "train"
            ),
        )


def _duplicate_findings(groups: Sequence[Duplicates], stats: Mapping[Photo, PhotoStats]) -> Iterator[Finding]:
    if conflicts := [group for group in groups if len(group.labels) > 1]:
        yield Finding(
            "label-conflict",
            "high",
            f"{plural(len(conflicts), 'group')} of duplicates under different labels",
            "Keep the photo under the right label and delete the others.",
            _paths(conflicts),
            tuple(
                suggest_removal("label-conflict", photo, f"the same photo is under {' and '.join(others)}")
                for group in conflicts
                for photo in group.photos
                if (others := sorted(group.labels - {photo.label}))
            ),
        )
    if exact := [group for group in groups if group.exact]:
        yield Finding(
            "exact-duplicates",
            "medium",
            f"{plural(len(exact), 'group')} of files that are identical byte for byte",
            "Delete all but one of each: duplicates give one photo extra weight.",
            _paths(exact),
            tuple(_surplus_copies("exact-duplicates", exact, stats)),
        )
    if near := [group for group in groups if not group.exact]:
        yield Finding(
            "near-duplicates",
            "low",
            f"{plural(len(near), 'group')} of photos that look the same",
            "Compare them side by side; some may be different things in one place. Delete copies of one "
            "photo, and keep photos of the same thing in one split.",
            _paths(near),
            tuple(_surplus_copies("near-duplicates", near, stats)),
        )


def _surplus_copies(
    kind: str, groups: Iterable[Duplicates], stats: Mapping[Photo, PhotoStats]
) -> Iterator[Suggestion]:
    """Suggest to keep one photo of each group: one that is not for training, else the largest file.

    Nothing is suggested for photos under different labels: which label is right has to be decided first.
    """
    for group in groups:
        if len(group.labels) == 1:
            original, *copies = sorted(
                group.photos, key=lambda photo: (photo.split == "train", -stats[photo].size, photo.path)
            )
            for photo in copies:
                yield suggest_removal(kind, photo, f"looks the same as {original.path} ({group.evidence})")


def _photo_findings(stats: Mapping[Photo, PhotoStats]) -> Iterator[Finding]:
    if blank := [photo for photo, each in stats.items() if each.contrast < MIN_CONTRAST]:
        yield Finding(
            "blank",
            "medium",
            f"{plural(len(blank), 'photo')} nearly all one colour",
            "Nothing can be learned from them: delete them, or export them again.",
            tuple((photo.path,) for photo in blank),
            tuple(suggest_removal("blank", photo, "nearly all one colour") for photo in blank),
        )
    if small := [photo for photo, each in stats.items() if min(each.width, each.height) < MIN_SIDE]:
        yield Finding(
            "small",
            "low",
            f"{plural(len(small), 'photo')} whose shorter side is below {MIN_SIDE} pixels",
            "They are enlarged, which blurs them. Use larger originals, or a smaller --image-size.",
            tuple((photo.path,) for photo in small),
        )
    if odd := [photo for photo, each in stats.items() if each.aspect > MAX_ASPECT]:
        yield Finding(
            "odd-aspect",
            "low",
            f"{plural(len(odd), 'photo')} with one side more than {MAX_ASPECT:g} times the other",
            'Resizing them to a square distorts them: crop them, or use a recipe with resize = "pad".',
            tuple((photo.path,) for photo in odd),
        )


def _paths(groups: Iterable[Duplicates]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(photo.path for photo in group.photos) for group in groups)
