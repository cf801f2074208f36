"""What the names of photos tell: which belong to one series, in which order, and when they were taken."""

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


class Name(NamedTuple):
    """A photo's name taken apart.

    folder: the folders between the label's and the file. series: what the numbers or copies of a series
    have in common. number: the place in it. separated: whether something stands between the two.
    seconds: since 1970, if the name holds a date and a time.
    """

    folder: str
    series: str
    number: int | None = None
    separated: bool = False
    seconds: float | None = None


def read_name(photo: Photo) -> Name:
    """Return what the photo's path tells."""
    path = PurePosixPath(photo.path)
    parts = path.parts[:-1]
    below = parts[parts.index(photo.label) + 1 :] if photo.label in parts else parts
    folder = "/".join(below)
    if time := TIME.search(path.stem):
        return Name(folder, path.stem, seconds=_seconds(*map(int, time.groups())))
    if copy := AUGMENTED.fullmatch(path.stem):
        return Name(folder, copy["prefix"], separated=True)
    if match := NUMBERED.fullmatch(path.stem):
        return Name(folder, match["prefix"], int(match["number"]), bool(match["separator"]))
    return Name(folder, path.stem, separated=True)


def _seconds(*parts: int) -> float | None:
    try:
        return (datetime(*parts[:6]) - datetime(1970, 1, 1)).total_seconds()  # type: ignore[arg-type]
    except ValueError:
        return None
