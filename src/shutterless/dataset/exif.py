"""When and by which camera a photo was taken, from a JPEG's EXIF data.

Read here and not by Pillow, which parses every tag, and warns the whole process of damaged ones.
Layout: TIFF 6.0, section 2; tags: Exif 2.32, tables 3 to 8.
"""

import struct
from datetime import datetime
from typing import NamedTuple

# EXIF data stands in one segment of a JPEG, at most 64 KB long and near its beginning.
SEGMENT = 2**16
MAKE, MODEL, EXIF, TAKEN, FRACTION, SERIAL = 0x010F, 0x0110, 0x8769, 0x9003, 0x9291, 0xA431
WANTED = (MAKE, MODEL, TAKEN, FRACTION, SERIAL)
ASCII, LONGEST = 2, 100


class Shot(NamedTuple):
    """When a photo was taken, in seconds of the camera's own clock since 1970, and by which camera."""

    seconds: float | None = None
    camera: str = ""


UNKNOWN = Shot()


def read_shot(data: bytes) -> Shot:
    """Return what a picture file says of its shot; damaged or missing EXIF data says nothing."""
    start = data.find(b"Exif\0\0", 0, SEGMENT)
    if start < 0:
        return UNKNOWN
    tiff = data[start + 6 : start + 6 + SEGMENT]
    try:
        order = "<" if tiff.startswith(b"II") else ">"
        (first,) = struct.unpack_from(order + "L", tiff, 4)
        tags = _tags(tiff, order, first)
        tags |= _tags(tiff, order, int(tags.get(EXIF, 0)))
    except struct.error:
        return UNKNOWN
    camera = " ".join(str(tags[tag]) for tag in (MAKE, MODEL, SERIAL) if tag in tags)
    return Shot(_seconds(str(tags.get(TAKEN)), str(tags.get(FRACTION, ""))), camera)


def _tags(tiff: bytes, order: str, start: int) -> dict[int, str | int]:
    """Return the texts of one directory, and the offset of the EXIF directory if it points there."""
    if not start:
        return {}
    tags: dict[int, str | int] = {}
    (count,) = struct.unpack_from(order + "H", tiff, start)
    for at in range(start + 2, start + 2 + 12 * count, 12):
        tag, kind, length, value = struct.unpack_from(order + "HHLL", tiff, at)
        if tag == EXIF:
            tags[tag] = value
        elif kind == ASCII and tag in WANTED:
            place = value if length > 4 else at + 8
            text = tiff[place : place + min(length, LONGEST)]
            tags[tag] = text.split(b"\0")[0].strip().decode("latin-1")
    return tags


def _seconds(taken: str, fraction: str) -> float | None:
    try:
        whole = datetime.strptime(taken, "%Y:%m:%d %H:%M:%S") - datetime(1970, 1, 1)
    except ValueError:
        return None
    return whole.total_seconds() + (
        float(f"0.{fraction}") if fraction.isascii() and fraction.isdigit() else 0
    )
