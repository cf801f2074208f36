"""HEIC, what iPhones store, read by pillow-heif where that is installed."""

import importlib

from PIL import ImageFile

from shutterless.runtime.problems import ImageError

HEIC = "HEIF"
# The brands of ISO/IEC 23008-12 for HEVC, single pictures and sequences.
BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}
# Brands of a file whose other brands tell the codec.
CONTAINERS = {b"mif1", b"msf1"}


def is_heic(data: bytes) -> bool:
    """Tell by the brands in its first box whether a file is HEIC."""
    if data[4:8] != b"ftyp":
        return False
    major = data[8:12]
    end = min(int.from_bytes(data[:4], "big"), 256)
    return major in BRANDS or (
        major in CONTAINERS and any(data[at : at + 4] in BRANDS for at in range(16, end, 4))
    )


def heif_opener() -> type[ImageFile.ImageFile]:
    """Return what opens such a file; raises `Problem` where pillow-heif is not installed."""
    try:
        return importlib.import_module("pillow_heif").HeifImageFile
    except ModuleNotFoundError as error:
        raise ImageError(
            "unsupported-format",
            "HEIC is read only where the extra shutterless[heic] is installed; save the picture as JPEG",
        ) from error
