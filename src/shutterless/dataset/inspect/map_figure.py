"""The map of an inspection's page: a point for each photo, and a sheet of all their thumbnails."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image

from shutterless.dataset.inspect.inspection import Inspection
from shutterless.utils.html import data_uri

# Pixels: the drawing, without its margin; the radius of a point; the side of a thumbnail.
WIDTH, HEIGHT, MARGIN = 1000, 640, 16
SIDE = 48
QUALITY = 70
# Findings whose photos are marked.
MARKED = ("label-errors", "outliers")


@dataclass(frozen=True)
class Point:
    """A photo on the map.

    Attributes:
        path: Path of the photo.
        label: Index of its label in `PhotoMap.colours`.
        x: Pixels from the left.
        y: Pixels from the top.
        is_marked: Whether the photo is in a finding about labels or outliers.
    """

    path: str
    label: int
    x: float
    y: float
    is_marked: bool


@dataclass(frozen=True)
class PhotoMap:
    """What the page needs to show the map.

    Attributes:
        colours: Label → colour in CSS.
        points: The photos, in the order of the sheet.
        sheet: A data: URI of all thumbnails, row by row.
        columns: Thumbnails in a row.
    """

    colours: Mapping[str, str]
    points: tuple[Point, ...]
    sheet: str
    columns: int


def make_map(inspection: Inspection, thumbnails: Mapping[str, Image.Image]) -> PhotoMap | None:
    """Return the map; None if the photos were not compared by features.

    Args:
        inspection: The inspection.
        thumbnails: Photo path → picture of at most 48 px, for each photo on the map.
    """
    if not inspection.places:
        return None
    labels = sorted({photo.label for photo in inspection.dataset.photos})
    label_of = {photo.path: labels.index(photo.label) for photo in inspection.dataset.photos}
    doubtful = {
        each.path for finding in inspection.findings if finding.kind in MARKED for each in finding.suggestions
    }
    points = tuple(
        Point(
            path,
            label_of[path],
            round(MARGIN + x * WIDTH, 1),
            round(MARGIN + y * HEIGHT, 1),
            path in doubtful,
        )
        for path, (x, y) in inspection.places.items()
    )
    columns = math.ceil(math.sqrt(len(points)))
    sheet = Image.new("RGB", (columns * SIDE, math.ceil(len(points) / columns) * SIDE), "#888")
    for index, point in enumerate(points):
        row, column = divmod(index, columns)
        picture = thumbnails[point.path]
        sheet.paste(
            picture,
            (column * SIDE + (SIDE - picture.width) // 2, row * SIDE + (SIDE - picture.height) // 2),
        )
    return PhotoMap(_colours(labels), points, data_uri(np.asarray(sheet), QUALITY), columns)


def _colours(labels: list[str]) -> dict[str, str]:
    """Return a colour for each label: hues a golden angle apart, in three lightnesses."""
    return {
        label: f"oklch({(0.62, 0.75, 0.5)[index % 3]} 0.15 {index * 137.508 % 360:.0f})"
        for index, label in enumerate(labels)
    }
