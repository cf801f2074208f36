"""Remove a picture file's metadata, so that nothing but its pixels takes time or can make it unreadable.

Texts, colour profiles, comments and EXIF data are removed before Pillow sees the file; of all of them only
the EXIF orientation is read. What remains is decoded to the same pixels.
"""

import re
import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from shutterless.runtime.image.limits import MAX_PIXELS, check_size
from shutterless.runtime.problems import ImageError

# A photo has tens of segments, chunks or blocks; each costs time, however small it is.
MAX_PIECES = 250_000
# As libtiff has it for the JPEGs within a TIFF. An encoder makes 10 to 20; each takes time, however small.
MAX_SCANS = 100

DAMAGED = "the picture is damaged or incomplete"
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
    """A picture file without metadata.

    Attributes:
        data: The file.
        orientation: EXIF orientation, 1 to 8.
        scans: Passes over the pixels of a JPEG: 1 if it is decoded as it is read. 0 for other formats.
        pieces: Segments or chunks that are left of a JPEG or PNG, which Pillow reads one by one.
    """

    data: bytes
    orientation: int = 1
    scans: int = 0
    pieces: int = 0


def strip_jpeg(data: bytes) -> PictureFile:
    """Remove a JPEG's comments and application segments except JFIF's and Adobe's, which tell its colours.

    Raises:
        ImageError: If it has no scan, too many segments, or arithmetic coding.
    """
    pieces, exif, frame, at = [data[:2]], b"", (0, 0), 2
    for at, marker, end in _segments(data):
        content = data[at + 4 : end]
        if marker == SCAN:
            break
        if marker in FRAMES:
            _check_coding(marker)
            frame = marker, _byte(content, 5)
        if marker == 0xE1 and content.startswith(b"Exif\0\0"):
            exif = exif or content
        elif marker not in JPEG_METADATA or content.startswith((b"JFIF", b"Adobe")):
            pieces.append(data[at:end])
    else:
        raise ImageError("unreadable-image", DAMAGED)
    has_scans = frame[0] in PROGRESSIVE or _byte(data, at + 4) < frame[1]
    # libjpeg holds one that may have several in memory as a whole, and passes over it again at the end.
    scans = max(2, data.count(b"\xff\xda\0", at)) if has_scans else 1
    if scans > MAX_SCANS:
        raise ImageError("unreadable-image", f"the JPEG has more than {MAX_SCANS} scans")
    file = b"".join((*pieces, memoryview(data)[at:]))
    return PictureFile(file, exif_orientation(exif), scans, len(pieces))


def strip_png(data: bytes) -> PictureFile:
    """Keep a PNG's critical chunks and its transparency. An animation becomes its default picture."""
    file = memoryview(data)
    pieces, orientation, at = [file[:8]], 1, 8
    for _ in range(MAX_PIECES):
        name, end = data[at + 4 : at + 8], at + 12 + int.from_bytes(data[at : at + 4], "big")
        if name in PNG_PIXELS:
            pieces.append(file[at:end])
        elif name == b"eXIf":
            orientation = exif_orientation(data[at + 8 : end - 4])
        at = end
        if len(name) < 4 or name == b"IEND":
            return PictureFile(b"".join(pieces), orientation, pieces=len(pieces))
    raise too_many_pieces()


def strip_gif(data: bytes) -> PictureFile:
    """Remove what comes before a GIF's first frame, except the control block with its transparent colour."""
    flags = _byte(data, 10)
    at = 13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
    pieces = [data[:at]]
    for _ in range(MAX_PIECES):
        if _byte(data, at) != ord("!"):
            break
        end = _end_of_blocks(data, at + 2)
        if _byte(data, at + 1) == GIF_CONTROL:
            pieces.append(data[at:end])
        at = end
    if _byte(data, at) == ord(",") and at + 9 <= len(data):
        x, y, width, height = struct.unpack_from("<4H", data, at + 1)
        check_size(x + width, y + height, MAX_PIXELS)  # the frame may be larger than the screen
    return PictureFile(b"".join((*pieces, data[at:])))


def strip_tiff(data: bytes) -> PictureFile:
    """Keep a TIFF's first page, and of its tags those that tell how its pixels are stored.

    The layout is that of TIFF 6.0, and of BigTIFF, whose version is 43.

    Raises:
        ImageError: If the tags contain too many numbers, or if a JPEG in it has arithmetic coding.
    """
    order, is_big = "<" if data.startswith(b"II") else ">", data[2:3] == b"\x2b"
    number = struct.Struct(order + ("Q" if is_big else "H"))
    offset = struct.Struct(order + ("Q" if is_big else "L"))
    try:
        (start,) = offset.unpack_from(data, offset.size)
        (count,) = number.unpack_from(data, start)
    except (struct.error, OverflowError):
        raise ImageError("unreadable-image", DAMAGED) from None
    tags = list(_tags(data, order, start + number.size, count, offset))
    pixel_tags = [tag for tag in tags if tag.number in TIFF_PIXELS]
    if sum(tag.values for tag in pixel_tags) > MAX_PIECES:
        raise ImageError("unreadable-image", "the tags of the TIFF contain too many values")
    has_jpeg = {tag.first for tag in tags if tag.number == COMPRESSION} - NO_JPEG
    scans = _scans_in_tiff(data) if has_jpeg else 0
    directory = b"".join(
        (number.pack(len(pixel_tags)), *(tag.entry for tag in pixel_tags), bytes(offset.size))
    )
    without_metadata = data[:start] + directory + data[start + len(directory) :]
    return PictureFile(without_metadata, _find_orientation(tags), scans)


def strip_avif(data: bytes) -> PictureFile:
    """Rename an AVIF's EXIF data so that Pillow doesn't find it: its own boxes turn it already.

    The boxes are those of ISO/IEC 14496-12; an item is called Exif in one of them.
    """
    pieces, at = [], 0
    for _ in range(MAX_PIECES):
        size, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if size == 1:
            size = int.from_bytes(data[at + 8 : at + 16], "big")
        end = at + size if size >= 8 else len(data)
        box = data[at:end]
        pieces.append(box if name == b"mdat" else box.replace(b"Exif", b"skip"))
        at = end
        if at >= len(data):
            return PictureFile(b"".join(pieces))
    raise too_many_pieces()


def exif_orientation(exif: bytes) -> int:
    """Return the orientation in EXIF data, with or without their own header: 1 to 8, 1 if there is none."""
    tiff = exif.removeprefix(b"Exif\0\0")
    if not tiff.startswith((b"II*\0", b"MM\0*")):
        return 1
    order = "<" if tiff.startswith(b"II") else ">"
    try:
        (start,) = struct.unpack_from(order + "L", tiff, 4)
        (count,) = struct.unpack_from(order + "H", tiff, start)
    except struct.error:  # a photo with damaged EXIF data is still a photo
        return 1
    return _find_orientation(_tags(tiff, order, start + 2, count, struct.Struct(order + "L")))


def _segments(jpeg: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield start, marker and end of each segment; bytes between them are skipped, as libjpeg does."""
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


def _check_coding(marker: int) -> None:
    # No camera, phone or browser writes or reads it, and 2 KB of it can keep a core busy for half a minute.
    if marker in ARITHMETIC:
        raise ImageError("unsupported-format", "JPEGs with arithmetic coding are not supported")


def _end_of_blocks(gif: bytes, at: int) -> int:
    for _ in range(MAX_PIECES):
        size = _byte(gif, at)
        at += 1 + size
        if not size:
            return at
    raise too_many_pieces()


class _Tag(NamedTuple):
    """A tag of a TIFF.

    Attributes:
        number: Which tag it is.
        values: How many values it has.
        first: The first value if it is in the directory itself, or else 0.
        entry: Its bytes in the directory.
    """

    number: int
    values: int
    first: int
    entry: bytes


def _tags(tiff: bytes, order: str, first: int, count: int, offset: struct.Struct) -> Iterator[_Tag]:
    """Yield the tags of a directory, except those whose values would lie beyond the end of the file."""
    head, inline_bytes = struct.Struct(order + "HH" + offset.format[1:]), offset.size
    size = head.size + inline_bytes
    last = min(first + count * size, first + MAX_PIECES * size, len(tiff) - size + 1)
    for at in range(first, last, size):
        tag, kind, values = head.unpack_from(tiff, at)
        length = TIFF_SIZES.get(kind, 0) * values
        is_inline = length <= inline_bytes
        if is_inline or offset.unpack_from(tiff, at + head.size)[0] + length <= len(tiff):
            code = TIFF_NUMBERS.get(kind) if is_inline and values else None
            number = struct.unpack_from(order + code, tiff, at + head.size)[0] if code else 0
            yield _Tag(tag, values, number, tiff[at : at + size])


def _scans_in_tiff(tiff: bytes) -> int:
    """Return the most scans that a JPEG in a TIFF can have: one, or as many as libtiff allows.

    Its JPEGs have no metadata, and FF in their pixels is always escaped, so their headers can be found.
    """
    frames = [(match[1][0], match[2][0]) for match in re.finditer(FRAME, tiff)]
    for marker, _ in frames:
        _check_coding(marker)
    components = max((count for _, count in frames), default=1)
    is_split = any(match[1][0] < components for match in re.finditer(SCAN_HEADER, tiff))
    return MAX_SCANS if is_split or any(marker in PROGRESSIVE for marker, _ in frames) else 1


def _find_orientation(tags: Iterable[_Tag]) -> int:
    """Return the orientation among some tags, 1 if there is none or it has no meaning."""
    orientation = next((tag.first for tag in tags if tag.number == ORIENTATION), 1)
    return orientation if 1 <= orientation <= 8 else 1


def _byte(data: bytes, at: int) -> int:
    """Return a byte, or 0 beyond the end."""
    return data[at] if 0 <= at < len(data) else 0


def too_many_pieces() -> ImageError:
    """Return the error of a picture that consists of too many segments, chunks, strips or runs."""
    return ImageError("unreadable-image", "the picture consists of too many pieces")
