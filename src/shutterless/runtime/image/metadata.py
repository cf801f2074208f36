"""Picture files without their metadata, so that nothing but pixels takes time or can refuse a picture.

Texts, colour profiles, comments and EXIF data are cut out before Pillow sees the file; of all of them only
the EXIF orientation is read. What remains is decoded to the same pixels.
"""

import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

from shutterless.runtime.image.limits import MAX_PIXELS, check_size
from shutterless.runtime.problems import ImageError, Problem

# A photo has tens of segments, chunks or blocks; each costs time, however small it is.
MAX_PIECES = 250_000
# As libtiff has it for the JPEGs within a TIFF. An encoder makes 10 to 20; each takes time, however small.
MAX_SCANS = 100

DAMAGED = "the picture is damaged or cut short"
ORIENTATION = 0x0112

# JPEG markers (ITU T.81, table B.1): frames, those of arithmetic coding, markers without a length, metadata.
FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
ARITHMETIC = {0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}
PROGRESSIVE = {0xC2, 0xC6, 0xCA, 0xCE}
BARE = {0x01, *range(0xD0, 0xDA)}
JPEG_METADATA = {*range(0xE0, 0xF0), 0xFE}
SCAN = 0xDA
# The same in any bytes: marker, length, precision, sides and number of components of a frame.
FRAME = rb"(?s)\xff([\xc0-\xc3\xc5-\xc7\xc9-\xcb\xcd-\xcf])\0[\x0b-\x26][\x08\x0c]....(.)"
SCAN_HEADER = rb"\xff\xda\0[\x08-\x0e]([\1-\4])"

PNG_PIXELS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
GIF_CONTROL = 0xF9

# TIFF tags (TIFF 6.0, Adobe's supplements) that tell how the pixels are stored, and the sizes of types.
TIFF_PIXELS = {
    *(256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 280, 281, 284, 292, 293, 317, 320, 322, 323, 324),
    *(325, 332, 338, 339, 340, 341, 347, 512, 513, 514, 515, 517, 518, 519, 520, 521, 529, 530, 531, 532),
}
TIFF_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}
TIFF_NUMBERS = {1: "B", 3: "H", 4: "L", 16: "Q"}
# Compressions that are no JPEG: none, CCITT's, LZW, Deflate, PackBits.
COMPRESSION, NO_JPEG = 259, {1, 2, 3, 4, 5, 8, 32773, 32946}


class PictureFile(NamedTuple):
    """A file of pixels only.

    orientation: as EXIF counts, 1 to 8. scans: passes over the pixels of a JPEG, 0 where there is none.
    """

    data: bytes
    orientation: int = 1
    scans: int = 0


def strip_jpeg(data: bytes) -> PictureFile:
    """Return a JPEG without comments and application segments but JFIF's and Adobe's, which tell colours.

    Raises `Problem` if it has no scan, absurdly many segments, or arithmetic coding.
    """
    kept, exif, frame, at = [data[:2]], b"", (0, 0), 2
    for at, marker, end in _segments(data):
        content = data[at + 4 : end]
        if marker == SCAN:
            break
        if marker in FRAMES:
            _refuse_arithmetic(marker)
            frame = marker, _byte(content, 5)
        if marker == 0xE1 and content.startswith(b"Exif\0\0"):
            exif = exif or content
        elif marker not in JPEG_METADATA or content.startswith((b"JFIF", b"Adobe")):
            kept.append(data[at:end])
    else:
        raise ImageError("unreadable-image", DAMAGED)
    several = frame[0] in PROGRESSIVE or _byte(data, at + 4) < frame[1]
    scans = data.count(b"\xff\xda\0", at) if several else 1
    if scans > MAX_SCANS:
        raise ImageError("unreadable-image", f"the JPEG has more than {MAX_SCANS} scans")
    return PictureFile(b"".join((*kept, data[at:])), exif_orientation(exif), scans)


def strip_png(data: bytes) -> PictureFile:
    """Return a PNG's critical chunks and its transparency. An animation becomes its default picture."""
    kept, orientation, at = [data[:8]], 1, 8
    for _ in range(MAX_PIECES):
        name, end = data[at + 4 : at + 8], at + 12 + int.from_bytes(data[at : at + 4], "big")
        if name in PNG_PIXELS:
            kept.append(data[at:end])
        elif name == b"eXIf":
            orientation = exif_orientation(data[at + 8 : end - 4])
        at = end
        if len(name) < 4 or name == b"IEND":
            return PictureFile(b"".join(kept), orientation)
    raise too_many_pieces()


def strip_gif(data: bytes) -> PictureFile:
    """Return a GIF without what stands before its first frame, save the control block with its colours."""
    flags = _byte(data, 10)
    at = 13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
    kept = [data[:at]]
    for _ in range(MAX_PIECES):
        if _byte(data, at) != ord("!"):
            break
        end = _end_of_blocks(data, at + 2)
        if _byte(data, at + 1) == GIF_CONTROL:
            kept.append(data[at:end])
        at = end
    if _byte(data, at) == ord(",") and at + 9 <= len(data):
        left, top, width, height = struct.unpack_from("<4H", data, at + 1)
        check_size(left + width, top + height, MAX_PIXELS)  # the frame may be larger than the screen
    return PictureFile(b"".join((*kept, data[at:])))


def strip_tiff(data: bytes) -> PictureFile:
    """Return a TIFF of one page whose directory has no tags but those that tell how pixels are stored.

    The layout is that of TIFF 6.0, and of BigTIFF, whose version is 43. Raises `Problem` if the tags hold
    absurdly many numbers, or if a JPEG in it has arithmetic coding.
    """
    order, big = "<" if data.startswith(b"II") else ">", data[2:3] == b"\x2b"
    number = struct.Struct(order + ("Q" if big else "H"))
    offset = struct.Struct(order + ("Q" if big else "L"))
    try:
        (start,) = offset.unpack_from(data, offset.size)
        (count,) = number.unpack_from(data, start)
    except (struct.error, OverflowError):
        raise ImageError("unreadable-image", DAMAGED) from None
    tags = list(_tags(data, order, start + number.size, count, offset))
    kept = [tag for tag in tags if tag.number in TIFF_PIXELS]
    if sum(tag.values for tag in kept) > MAX_PIECES:
        raise ImageError("unreadable-image", "the TIFF's tags hold absurdly many values")
    jpeg = {tag.first for tag in tags if tag.number == COMPRESSION} - NO_JPEG
    scans = _scans_in_tiff(data) if jpeg else 0
    orientation = next((tag.first for tag in tags if tag.number == ORIENTATION), 1)
    directory = b"".join((number.pack(len(kept)), *(tag.entry for tag in kept), bytes(offset.size)))
    stripped = data[:start] + directory + data[start + len(directory) :]
    return PictureFile(stripped, _orientation(orientation), scans)


def strip_avif(data: bytes) -> PictureFile:
    """Return an AVIF whose EXIF data nobody finds: by its own boxes it is turned, and Pillow would read both.

    The boxes are those of ISO/IEC 14496-12; an item is called Exif in one of them.
    """
    kept, at = [], 0
    for _ in range(MAX_PIECES):
        size, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if size == 1:
            size = int.from_bytes(data[at + 8 : at + 16], "big")
        end = at + size if size >= 8 else len(data)
        box = data[at:end]
        kept.append(box if name == b"mdat" else box.replace(b"Exif", b"skip"))
        at = end
        if at >= len(data):
            return PictureFile(b"".join(kept))
    raise too_many_pieces()


def exif_orientation(exif: bytes) -> int:
    """Return the orientation, 1 to 8, that EXIF data give, with or without their own header; 1 if none."""
    tiff = exif.removeprefix(b"Exif\0\0")
    if not tiff.startswith((b"II*\0", b"MM\0*")):
        return 1
    order = "<" if tiff.startswith(b"II") else ">"
    try:
        (start,) = struct.unpack_from(order + "L", tiff, 4)
        (count,) = struct.unpack_from(order + "H", tiff, start)
    except struct.error:  # a photo with damaged EXIF data is still a photo
        return 1
    tags = _tags(tiff, order, start + 2, count, struct.Struct(order + "L"))
    return _orientation(next((tag.first for tag in tags if tag.number == ORIENTATION), 1))


def _segments(jpeg: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield place, marker and end of each segment; junk between them is passed over, as libjpeg does."""
    at = 2
    for _ in range(MAX_PIECES):
        at = jpeg.find(b"\xff", at)
        marker = _byte(jpeg, at + 1)
        if at < 0 or at + 1 >= len(jpeg):
            return
        if marker in (0x00, 0xFF):
            at += 1
            continue
        length = 0 if marker in BARE else int.from_bytes(jpeg[at + 2 : at + 4], "big")
        yield at, marker, at + 2 + length
        at += 2 + length
    raise too_many_pieces()


def _refuse_arithmetic(marker: int) -> None:
    # No camera, phone or browser writes or reads it, and 2 KB of it can keep a core busy for half a minute.
    if marker in ARITHMETIC:
        raise ImageError("unsupported-format", "JPEGs with arithmetic coding are not read")


def _end_of_blocks(gif: bytes, at: int) -> int:
    for _ in range(MAX_PIECES):
        size = _byte(gif, at)
        at += 1 + size
        if not size:
            return at
    raise too_many_pieces()


class _Tag(NamedTuple):
    """A tag of a TIFF: its number, how many values it has, the first if it stands here, and all its bytes."""

    number: int
    values: int
    first: int
    entry: bytes


def _tags(tiff: bytes, order: str, first: int, count: int, offset: struct.Struct) -> Iterator[_Tag]:
    """Yield the tags of a directory, without those whose values the file has no room for."""
    head, room = struct.Struct(order + "HH" + offset.format[1:]), offset.size
    size = head.size + room
    last = min(first + count * size, first + MAX_PIECES * size, len(tiff) - size + 1)
    for at in range(first, last, size):
        tag, kind, values = head.unpack_from(tiff, at)
        length = TIFF_SIZES.get(kind, 0) * values
        here = length <= room
        if here or offset.unpack_from(tiff, at + head.size)[0] + length <= len(tiff):
            code = TIFF_NUMBERS.get(kind) if here and values else None
            number = struct.unpack_from(order + code, tiff, at + head.size)[0] if code else 0
            yield _Tag(tag, values, number, tiff[at : at + size])


def _scans_in_tiff(tiff: bytes) -> int:
    """Return the most scans that a JPEG in a TIFF can have: one, or as many as libtiff permits.

    Its JPEGs have no metadata, and FF in their pixels is always marked, so their headers can be searched for.
    """
    frames = [(found[1][0], found[2][0]) for found in re.finditer(FRAME, tiff)]
    for marker, _ in frames:
        _refuse_arithmetic(marker)
    components = max((count for _, count in frames), default=1)
    parts = any(found[1][0] < components for found in re.finditer(SCAN_HEADER, tiff))
    return MAX_SCANS if parts or any(marker in PROGRESSIVE for marker, _ in frames) else 1


def _orientation(value: int) -> int:
    return value if 1 <= value <= 8 else 1


def _byte(data: bytes, at: int) -> int:
    """Return a byte, or 0 beyond the end."""
    return data[at] if 0 <= at < len(data) else 0


def too_many_pieces() -> Problem:
    """Return the `Problem` of a picture whose parts are too many to look at."""
    return ImageError("unreadable-image", "the picture consists of absurdly many pieces")
