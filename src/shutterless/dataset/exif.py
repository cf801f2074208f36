"""Read when and by which camera a photo was taken, from the EXIF data of a JPEG, AVIF or HEIC.

Pillow is not used because it parses every tag, and warns the whole process of damaged ones.
Layout: TIFF 6.0, section 2. Tags: Exif 2.32, tables 3 to 8.
"""

import io
import re
import struct
from datetime import datetime
from typing import NamedTuple

from shutterless.runtime.image.heic import heif_opener, is_heic

# EXIF data is one segment of a JPEG, at most 64 KB long and near its beginning. AVIF's boxes have an item
# called Exif, which is not followed by a TIFF header.
SEGMENT, HEADER = 2**16, re.compile(rb"Exif\0\0(?=II\*\0|MM\0\*)")
MAKE, MODEL, EXIF, DATE_TIME, SUBSECONDS, SERIAL = 0x010F, 0x0110, 0x8769, 0x9003, 0x9291, 0xA431
TEXT_TAGS = (MAKE, MODEL, DATE_TIME, SUBSECONDS, SERIAL)
ASCII, MAX_TEXT = 2, 100


class Shot(NamedTuple):
    """When and by which camera a photo was taken.

    Attributes:
        seconds: Time by the camera's own clock, in seconds since 1970; None if unknown.
        camera: Make, model and serial number; empty if unknown.
    """

    seconds: float | None = None
    camera: str = ""


UNKNOWN = Shot()


def read_shot(data: bytes) -> Shot:
    """Return the time and camera that a picture file records; unknown if its EXIF data is damaged.

    Args:
        data: The whole file. A HEIC must be one that the decoder reads.
    """
    if is_heic(data):
        data = heif_opener()(io.BytesIO(data), "").info.get("exif") or b""
    match = HEADER.search(data, 0, SEGMENT)
    if not match:
        return UNKNOWN
    tiff = data[match.end() : match.end() + SEGMENT]
    try:
        order = "<" if tiff.startswith(b"II") else ">"
        (first,) = struct.unpack_from(order + "L", tiff, 4)
        tags = _read_tags(tiff, order, first)
        tags |= _read_tags(tiff, order, int(tags.get(EXIF, 0)))
    except struct.error:
        return UNKNOWN
    camera = " ".join(str(tags[tag]) for tag in (MAKE, MODEL, SERIAL) if tag in tags)
    return Shot(_parse_time(str(tags.get(DATE_TIME)), str(tags.get(SUBSECONDS, ""))), camera)


def _read_tags(tiff: bytes, order: str, start: int) -> dict[int, str | int]:
    """Return the texts of one directory, and the offset of the EXIF directory if it points there."""
    if not start:
        return {}
    tags: dict[int, str | int] = {}
    (count,) = struct.unpack_from(order + "H", tiff, start)
    for entry in range(start + 2, start + 2 + 12 * count, 12):
        tag, kind, length, value = struct.unpack_from(order + "HHLL", tiff, entry)
        if tag == EXIF:
            tags[tag] = value
        elif kind == ASCII and tag in TEXT_TAGS:
            offset = value if length > 4 else entry + 8
            text = tiff[offset : offset + min(length, MAX_TEXT)]
            tags[tag] = text.split(b"\0")[0].strip().decode("latin-1")
    return tags


def _parse_time(text: str, fraction: str) -> float | None:
    try:
        time = datetime.strptime(text, "%Y:%m:%d %H:%M:%S") - datetime(1970, 1, 1)
    except ValueError:
        return None
    is_number = fraction.isascii() and fraction.isdigit()
    return time.total_seconds() + (float(f"0.{fraction}") if is_number else 0)
