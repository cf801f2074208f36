"""Write an inspection as a page of its own, and its table and picture grid as PNG."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image

from shutterless.dataset.inspect.inspection import Inspection
from shutterless.dataset.inspect.plots import draw_counts, draw_samples
from shutterless.dataset.photo_stats import Look
from shutterless.dataset.types import REASONS, Photo, changed, read_photo, summarize_groups
from shutterless.files import (
    INSPECTION,
    INSPECTION_MARK,
    atomic_directory,
    ensure_outside,
    ensure_replaceable,
)
from shutterless.runtime.image import decoder
from shutterless.runtime.problems import Problem
from shutterless.utils.html import data_uri, render_page
from shutterless.utils.parallel import map_in_threads
from shutterless.utils.progress import Progress, automatic

PAGE, COUNTS, SAMPLES = "index.html", "counts.png", "samples.png"
# What the page shows of each: more is in `--json`.
SAMPLES_PER_LABEL = 8
MAX_SAMPLES = 640  # of all labels together
MAX_LABELS = 160  # with samples, spread evenly over all labels
MAX_OPEN = 12  # labels that are shown unfolded
GROUPS_PER_FINDING = 24
PHOTOS_PER_GROUP = 6
# Longer side of a thumbnail, in pixels.
THUMBNAIL = 160
QUALITY = 80  # of its JPEG

Thumbnails = Mapping[str, Image.Image]
T = TypeVar("T")


def require_report_folder(folder: Path, photos: Path) -> None:
    """Raise ShutterlessError if a report on `photos` cannot go to `folder`.

    It may be new, empty or an earlier report, and not among the photos.
    """
    ensure_outside(folder, photos)
    ensure_replaceable(folder, INSPECTION)


def write_inspection(inspection: Inspection, folder: str | Path, *, progress: Progress = automatic) -> Path:
    """Write index.html, which needs no other file and no network, counts.png and samples.png.

    Returns the page's path. Raises ShutterlessError if `folder` is in use for something else or cannot
    be written, or if a photo has changed since it was inspected; nothing half-written is left.
    """
    folder = Path(folder)
    require_report_folder(folder, inspection.dataset.root)
    samples = _samples(inspection)
    shown = {photo.path for photos in samples.values() for photo in photos} | _shown_in_groups(inspection)
    thumbnails = _thumbnails(inspection, shown, progress)
    with atomic_directory(folder, "the report") as draft:
        draw_counts(inspection.dataset.counts()).save(draft / COUNTS)
        draw_samples(
            {label: [thumbnails[photo.path] for photo in row] for label, row in samples.items()}
        ).save(draft / SAMPLES)
        (draft / PAGE).write_text(_page(inspection, samples, thumbnails), encoding="utf-8")
    return folder / PAGE


def _samples(inspection: Inspection) -> dict[str, list[Photo]]:
    """Return some photos of every label, or of `MAX_LABELS` labels, spread evenly over all there are."""
    by_label: dict[str, list[Photo]] = {label: [] for label in inspection.dataset.labels}
    for photo in inspection.dataset.photos:
        by_label[photo.label].append(photo)
    labels = _spread(list(by_label), MAX_LABELS)
    each = min(SAMPLES_PER_LABEL, MAX_SAMPLES // len(labels))
    return {label: _spread(by_label[label], each) for label in labels}


def _spread(items: list[T], count: int) -> list[T]:
    """Return up to `count` of the items at equal distances."""
    count = min(count, len(items))
    return [items[place * len(items) // count] for place in range(count)]


def _shown_in_groups(inspection: Inspection) -> set[str]:
    groups = [group for finding in inspection.findings for group in finding.files[:GROUPS_PER_FINDING]]
    for thing in inspection.dataset.groups[:GROUPS_PER_FINDING]:
        groups.append(tuple(photo.path for photo in thing.photos))
    readable = {photo.path for photo in inspection.looks}
    return {path for group in groups for path in group[:PHOTOS_PER_GROUP]} & readable


def _thumbnails(inspection: Inspection, paths: Iterable[str], progress: Progress) -> Thumbnails:
    chosen = set(paths)
    items = [item for item in inspection.looks.items() if item[0].path in chosen]

    def shrink(item: tuple[Photo, Look]) -> Image.Image:
        return _thumbnail(inspection.dataset.root, *item)

    images = map_in_threads(shrink, items, progress=progress, what="drawing the report")
    return {photo.path: image for (photo, _), image in zip(items, images, strict=True)}


def _thumbnail(root: Path, photo: Photo, seen: Look) -> Image.Image:
    scale = THUMBNAIL / max(seen.width, seen.height)
    spec = decoder.InputSpec(max(1, round(seen.height * scale)), max(1, round(seen.width * scale)))
    try:
        return Image.fromarray(decoder.decode(read_photo(root, photo), spec))
    except Problem as problem:
        raise changed(root, photo, problem.detail) from problem


def _page(inspection: Inspection, samples: Mapping[str, list[Photo]], thumbnails: Thumbnails) -> str:
    document = inspection.to_json()
    facts = {
        "mark": INSPECTION_MARK.decode(),
        "inspection": inspection,
        "document": document,
        "most": max(1, *(sum(row.values()) for row in document["counts"].values())),
        "samples": samples,
        "source": {path: data_uri(np.asarray(image), QUALITY) for path, image in thumbnails.items()},
        "reasons": {one.path: one.reason for one in inspection.dataset.unreadable},
        "summary": "".join(summarize_groups(inspection.dataset.groups)),
        "reason_names": REASONS,
        "groups_shown": GROUPS_PER_FINDING,
        "photos_shown": PHOTOS_PER_GROUP,
        "max_open": MAX_OPEN,
    }
    return render_page("shutterless.dataset.inspect", "inspection.html.j2", facts)
