"""HEIC, the format of iPhones' photos, read by pillow-heif where that is installed."""

import importlib

from PIL import ImageFile

from shutterless.runtime.problems import ImageError

HEIC = "HEIF"
# The brands of ISO/IEC 23008-12 for HEVC, single pictures and sequences.
BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}
# Brands of a file whose other brands tell the codec.
CONTAINERS = {b"mif1", b"msf1"}
MAX_BOX = 256  # bytes of the first box that are searched for brands


def is_heic(data: bytes) -> bool:
    """Tell whether a file is HEIC, by the brands in its first box."""
    if data[4:8] != b"ftyp":
        return False
    major_brand = data[8:12]
    end = min(int.from_bytes(data[:4], "big"), MAX_BOX)
    return major_brand in BRANDS or (
        major_brand in CONTAINERS and any(data[at : at + 4] in BRANDS for at in range(16, end, 4))
    )


def heif_opener() -> type[ImageFile.ImageFile]:
    """Return the class that opens a HEIC file.

    Raises:
        ImageError: `unsupported-format` if pillow-heif is not installed.
    """
    try:
        return importlib.import_module("pillow_heif").HeifImageFile
    except ModuleNotFoundError as error:
        raise ImageError(
            "unsupported-format",
            "HEIC requires the extra shutterless[heic]; install it, or save the picture as JPEG",
        ) from error
