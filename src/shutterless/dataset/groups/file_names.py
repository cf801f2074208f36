"""Read a photo's file name: its series, its number in the series, and the time in it."""

import re
from datetime import datetime
from pathlib import PurePosixPath
from typing import NamedTuple

from shutterless.dataset.types import Photo

NUMBERED = re.compile(r"(?P<prefix>.*?)(?P<separator>[ _.(-]*)(?P<number>[0-9]+)\)?")
# Roboflow's exports: all augmented copies of x.jpg are called x_jpg.rf.<hash>.jpg.
AUGMENTED = re.compile(r"(?P<prefix>.+)_(jpe?g|png)\.rf\.\w+", re.IGNORECASE)
# IMG_20240131_093000, PXL_20240131_093000123, WhatsApp Image 2024-01-31 at 09.30.00
TIME = re.compile(r"((?:19|20)\d\d)[-_.]?(\d\d)[-_.]?(\d\d)(?:[-_. T]| at )(\d\d)[-_.]?(\d\d)[-_.]?(\d\d)")


class FileName(NamedTuple):
    """The parts of a photo's path.

    Attributes:
        folder: The folders between the label's folder and the file.
        series: What the numbered photos or the copies of a series have in common.
        number: The number in the series.
        separated: Whether there is a separator between the two.
        seconds: Seconds since 1970, if the name contains a date and a time.
    """

    folder: str
    series: str
    number: int | None = None
    separated: bool = False
    seconds: float | None = None


def parse_file_name(photo: Photo) -> FileName:
    """Return the parts of a photo's path."""
    path = PurePosixPath(photo.path)
    parts = path.parts[:-1]
    if photo.label in parts:
        parts = parts[parts.index(photo.label) + 1 :]
    folder = "/".join(parts)
    if time := TIME.search(path.stem):
        return FileName(folder, path.stem, seconds=_seconds(*map(int, time.groups())))
    if copy := AUGMENTED.fullmatch(path.stem):
        return FileName(folder, copy["prefix"], separated=True)
    if match := NUMBERED.fullmatch(path.stem):
        return FileName(folder, match["prefix"], int(match["number"]), bool(match["separator"]))
    return FileName(folder, path.stem, separated=True)


def _seconds(*parts: int) -> float | None:
    try:
        return (datetime(*parts[:6]) - datetime(1970, 1, 1)).total_seconds()  # type: ignore[arg-type]
    except ValueError:
        return None
