"""Limits on the work of decoding a picture, checked by its header before anything is decoded."""

from PIL import ImageFile, JpegImagePlugin

from shutterless.runtime.problems import ImageError

# A JPEG of 50 megapixels at high quality.
MAX_BYTES = 20_000_000
# A phone's photo has 12 to 50 megapixels; 50 take 0.2 GB of memory, with transparency 0.4, as WebP 1.
MAX_PIXELS = 50_000_000
# libjpeg decodes a large JPEG at a half or less, in a fraction of the time and memory. Phones have up to 200.
MAX_JPEG_PIXELS = 200_000_000
# JPEG's own limit. A picture of one column takes 40 bytes of memory per pixel.
MAX_SIDE = 65_535
# A JPEG of several scans keeps all its coefficients in memory, two bytes each.
MAX_COEFFICIENT_BYTES = 400_000_000

# What a pixel costs, compared with one of a PNG: a JPEG's at each scan a twentieth, a run-length BMP's, which
# Pillow unpacks in Python at some 7 megapixels a second, twelve times as much.
SCANS_PER_PIXEL = 20
RUN_LENGTH_COST = 12
# Pillow reads each further strip or tile of a TIFF in Python, in 8 µs however small it is.
TILE_COST = 250
# BMP's compressions by run length.
RUN_LENGTHS = (1, 2)
TILE_WIDTH, TILE_LENGTH = 322, 323


def check_size(width: int, height: int, max_pixels: int) -> None:
    """Check a picture's size.

    Raises:
        ImageError: `too-large` for too many pixels in all or on a side.
    """
    if width * height > max_pixels or max(width, height) > MAX_SIDE:
        raise ImageError(
            "too-large",
            f"the picture has {width}×{height} pixels; at most {max_pixels:,} in all and {MAX_SIDE:,} on a "
            "side are allowed",
        )


def check_work(picture: ImageFile.ImageFile, scans: int) -> None:
    """Check the work and the memory that decoding a picture takes.

    Args:
        picture: Opened, not decoded.
        scans: Passes over the pixels of a JPEG, 0 for other formats.

    Raises:
        ImageError: `too-large`.
    """
    if isinstance(picture, JpegImagePlugin.JpegImageFile):
        check_size(picture.width, picture.height, MAX_JPEG_PIXELS)
        if scans > 1 and _coefficient_bytes(picture) > MAX_COEFFICIENT_BYTES:
            raise ImageError(
                "too-large", "the picture is too large for a progressive JPEG; save it as a baseline JPEG"
            )
    else:
        check_size(picture.width, picture.height, MAX_PIXELS)
    if cost(picture, scans) > MAX_PIXELS:
        raise ImageError("too-large", "decoding the picture takes too much work; save it as a baseline JPEG")


def cost(picture: ImageFile.ImageFile, scans: int) -> int:
    """Return the work of decoding a picture, in pixels of a PNG: some 30 ns of CPU time each at worst."""
    pixels = picture.width * picture.height
    tags = getattr(picture, "tag_v2", {})
    width, height = tags.get(TILE_WIDTH), tags.get(TILE_LENGTH)
    if isinstance(width, int) and isinstance(height, int) and min(width, height) > 0:
        # The tiles of a TIFF are decoded whole, and may be larger than the picture.
        pixels = -(-picture.width // width) * -(-picture.height // height) * width * height
    if isinstance(picture, JpegImagePlugin.JpegImageFile):
        return pixels * scans // SCANS_PER_PIXEL
    if picture.format == "BMP" and picture.info.get("compression") in RUN_LENGTHS:
        return pixels * RUN_LENGTH_COST
    return max(pixels * max(1, scans // SCANS_PER_PIXEL), (len(picture.tile) - 1) * TILE_COST)


def _coefficient_bytes(jpeg: JpegImagePlugin.JpegImageFile) -> int:
    """Return the memory of a JPEG's coefficients, by the sampling factors of its components."""
    components = [(across, down) for _, across, down, _ in jpeg.layer]
    samples = sum(across * down for across, down in components)
    block = max(across for across, _ in components) * max(down for _, down in components)
    coefficients = jpeg.width * jpeg.height * samples // max(block, 1)
    return 2 * coefficients
