"""Tell pictures from other files, by their suffix or their first bytes."""

import struct
from pathlib import Path

from shutterless.runtime.image.heic import BRANDS as HEIC_BRANDS
from shutterless.text_files import read_head

# Files with these suffixes count as pictures; the decoder then goes by their content alone.
SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".heic"))
# Camera raw files begin like TIFF files, but what a TIFF decoder finds in them is a thumbnail.
RAW_SUFFIXES = frozenset(
    (".arw", ".cr2", ".dng", ".erf", ".iiq", ".kdc", ".mos", ".nef", ".nrw", ".orf", ".pef", ".rw2", ".srw")
)
SIGNATURES = (
    b"\xff\xd8\xff",
    b"\x89PNG\r\n\x1a\n",
    b"GIF87a",
    b"GIF89a",
    b"II*\0",
    b"II+\0",
    b"MM\0*",
    b"MM\0+",
)
# Brands in the first box of an ISO base media file, ISO/IEC 14496-12: AVIF and HEIC, but not video.
BRANDS = frozenset((b"avif", b"avis", b"mif1", b"msf1", *HEIC_BRANDS))
# Sizes of a BMP's second header, by version: "BM" alone also begins words.
BMP_HEADERS = (12, 40, 52, 56, 64, 108, 124)
HEAD_BYTES = 18


def is_picture(file: Path) -> bool:
    """Tell whether a file is a picture, reading at most 18 bytes of it."""
    suffix = file.suffix.lower()
    if suffix in SUFFIXES or suffix in RAW_SUFFIXES:
        return suffix in SUFFIXES
    try:
        return begins_like_a_picture(read_head(file, HEAD_BYTES))
    except OSError:
        return False


def is_raw(file: Path) -> bool:
    """Tell by its suffix whether a file is camera raw data."""
    return file.suffix.lower() in RAW_SUFFIXES


def begins_like_a_picture(head: bytes) -> bool:
    """Tell whether the first 18 bytes of a file are those of a picture format that the decoder reads."""
    if head.startswith(b"BM") and len(head) == HEAD_BYTES:
        return struct.unpack_from("<I", head, 14)[0] in BMP_HEADERS
    return (
        head.startswith(SIGNATURES)
        or (head[:4], head[8:12]) == (b"RIFF", b"WEBP")
        or (head[4:8] == b"ftyp" and head[8:12] in BRANDS)
    )
