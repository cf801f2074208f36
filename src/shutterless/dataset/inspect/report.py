"""Write an inspection as an HTML page, with its table and sample grid as PNG and its findings as CSV."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image

from shutterless.dataset.inspect.findings import Finding
from shutterless.dataset.inspect.inspection import Inspection
from shutterless.dataset.inspect.map_figure import HEIGHT, MARGIN, SIDE, WIDTH, make_map
from shutterless.dataset.inspect.plots import draw_counts, draw_samples
from shutterless.dataset.inspect.suggestions import (
    COLUMNS,
    FINDINGS,
    Suggestion,
    read_accepted,
    write_suggestions,
)
from shutterless.dataset.photo_stats import PhotoStats
from shutterless.dataset.types import REASONS, Photo, read_photo_file, summarize_groups, unreadable_photo
from shutterless.files import (
    INSPECTION,
    INSPECTION_MARK,
    atomic_directory,
    ensure_outside,
    ensure_replaceable,
)
from shutterless.runtime.image import decoder
from shutterless.runtime.problems import Problem
from shutterless.utils.escaping import to_json
from shutterless.utils.html import data_uri, render_page
from shutterless.utils.parallel import map_in_threads
from shutterless.utils.progress import Progress, automatic

PAGE, COUNTS, SAMPLES = "index.html", "counts.png", "samples.png"
# Limits of the page; `--json` has no limits.
SAMPLES_PER_LABEL = 8
MAX_SAMPLES = 640  # of all labels together
MAX_LABELS = 160  # with samples, spread evenly over all labels
MAX_OPEN = 12  # labels that are shown unfolded
GROUPS_PER_FINDING = 24
LABEL_ERRORS = 100
PHOTOS_PER_GROUP = 6
# Longer side of a thumbnail, in pixels, and quality of its JPEG.
THUMBNAIL, QUALITY = 160, 80
# What `accept` has in findings.csv for an accepted suggestion.
ACCEPTED = ("yes", "y", "true", "1", "x")

Thumbnails = Mapping[str, Image.Image]
T = TypeVar("T")


def require_report_folder(folder: Path, photos: Path) -> None:
    """Check that a report on `photos` can be written to `folder`, before any work.

    Raises:
        OutputError: The folder holds something other than an earlier report (`not-ours`), is among the
            photos (`output-inside-photos`) or cannot be written (`cannot-write`).
    """
    ensure_outside(folder, photos)
    ensure_replaceable(folder, INSPECTION)


def write_inspection(inspection: Inspection, folder: str | Path, *, progress: Progress = automatic) -> Path:
    """Write an inspection as index.html, which needs no other file and no network, two PNG files and a CSV.

    findings.csv has a row for each suggested fix. What was written into its column `accept` in an earlier
    report in the same folder is kept for suggestions that are made again.

    Args:
        inspection: The result of `inspect_dataset`.
        folder: A new or empty folder, or an earlier report, which is replaced.
        progress: Called for each thumbnail.

    Returns:
        The path of the page; counts.png, samples.png and findings.csv are next to it.

    Raises:
        OutputError: The folder is in use for something else or cannot be written. Nothing is left behind.
        DatasetError: A photo has changed since it was inspected (`unreadable-photo`).

    Example:
        >>> import shutterless
        >>> photos = shutterless.draw_sample("write-inspection", per_label=10, size=32)
        >>> shutterless.write_inspection(shutterless.inspect_dataset(photos), "inspection").name
        'index.html'
    """
    folder = Path(folder)
    require_report_folder(folder, inspection.dataset.source)
    samples = _select_samples(inspection)
    paths = {photo.path for photos in samples.values() for photo in photos} | _paths_in_groups(inspection)
    thumbnails = _thumbnails(inspection, paths, THUMBNAIL, progress)
    photo_map = make_map(inspection, _thumbnails(inspection, set(inspection.places), SIDE, progress))
    suggestions = [each for finding in inspection.findings for each in finding.suggestions]
    accepted = read_accepted(folder / FINDINGS)
    with atomic_directory(folder, "the report") as draft:
        draw_counts(inspection.dataset.counts()).save(draft / COUNTS)
        draw_samples(
            {label: [thumbnails[photo.path] for photo in row] for label, row in samples.items()}
        ).save(draft / SAMPLES)
        write_suggestions(draft / FINDINGS, suggestions, accepted)
        facts = {"map": photo_map, **_suggestion_facts(suggestions, accepted)}
        (draft / PAGE).write_text(_page(inspection, samples, thumbnails, facts), encoding="utf-8")
    return folder / PAGE


def _select_samples(inspection: Inspection) -> dict[str, list[Photo]]:
    """Return some photos of every label, or of `MAX_LABELS` labels, spread evenly over all labels."""
    by_label: dict[str, list[Photo]] = {label: [] for label in inspection.dataset.labels}
    for photo in inspection.dataset.photos:
        by_label[photo.label].append(photo)
    labels = _spread(list(by_label), MAX_LABELS)
    per_label = min(SAMPLES_PER_LABEL, MAX_SAMPLES // len(labels))
    return {label: _spread(by_label[label], per_label) for label in labels}


def _spread(items: list[T], count: int) -> list[T]:
    """Return up to `count` of the items at equal distances."""
    count = min(count, len(items))
    return [items[index * len(items) // count] for index in range(count)]


def _paths_in_groups(inspection: Inspection) -> set[str]:
    """Return the photos that are shown with a finding or in a group."""
    groups = [paths for finding in inspection.findings for paths in finding.files[: _max_groups(finding)]]
    for finding in inspection.findings:
        for suggestion in finding.suggestions[: _max_groups(finding)]:
            groups += suggestion.examples.values()
    for group in inspection.dataset.groups[:GROUPS_PER_FINDING]:
        groups.append(tuple(photo.path for photo in group.photos))
    readable = {photo.path for photo in inspection.stats}
    return {path for paths in groups for path in paths[:PHOTOS_PER_GROUP]} & readable


def _max_groups(finding: Finding) -> int:
    """Return how many of a finding's groups of photos are shown."""
    return LABEL_ERRORS if any(each.examples for each in finding.suggestions) else GROUPS_PER_FINDING


def _thumbnails(inspection: Inspection, paths: set[str], side: int, progress: Progress) -> Thumbnails:
    items = [item for item in inspection.stats.items() if item[0].path in paths]

    def shrink(item: tuple[Photo, PhotoStats]) -> Image.Image:
        return _thumbnail(inspection.dataset.root, *item, side)

    images = map_in_threads(shrink, items, progress=progress, what="drawing the report")
    return {photo.path: image for (photo, _), image in zip(items, images, strict=True)}


def _thumbnail(root: Path, photo: Photo, stats: PhotoStats, side: int) -> Image.Image:
    scale = side / max(stats.width, stats.height)
    spec = decoder.InputSpec(max(1, round(stats.height * scale)), max(1, round(stats.width * scale)))
    try:
        return decoder.decode(read_photo_file(root, photo), spec)
    except Problem as problem:
        raise unreadable_photo(root, photo, problem.detail) from problem


def _suggestion_facts(suggestions: Sequence[Suggestion], accepted: Mapping[str, str]) -> dict[str, object]:
    """Return what the page needs to let people accept suggestions and to save them as CSV."""
    rows = [
        [*row.values()]
        for each in suggestions
        if (row := {**each.to_row(), "accept": accepted.get(each.id, "")})
    ]
    return {
        "table": to_json([list(COLUMNS), *rows]),
        "suggestions": {(each.kind, each.path): each for each in suggestions},
        "accepted": {name for name, cell in accepted.items() if cell.lower() in ACCEPTED},
    }


def _page(
    inspection: Inspection,
    samples: Mapping[str, list[Photo]],
    thumbnails: Thumbnails,
    more_facts: Mapping[str, object],
) -> str:
    counts = inspection.dataset.counts()
    facts = {
        **more_facts,
        "map_size": (WIDTH + 2 * MARGIN, HEIGHT + 2 * MARGIN),
        "max_groups_of": _max_groups,
        "mark": INSPECTION_MARK.decode(),
        "inspection": inspection,
        "document": inspection.to_json(),
        "max_count": max(1, *(sum(row.values()) for row in counts.values())),
        "samples": samples,
        "sources": {path: data_uri(np.asarray(image), QUALITY) for path, image in thumbnails.items()},
        "unreadable": {file.path: file.reason for file in inspection.dataset.unreadable},
        "group_summary": "".join(summarize_groups(inspection.dataset.groups)),
        "reason_names": REASONS,
        "max_groups": GROUPS_PER_FINDING,
        "max_photos": PHOTOS_PER_GROUP,
        "max_open": MAX_OPEN,
    }
    return render_page("shutterless.dataset.inspect", "inspection.html.j2", facts)
