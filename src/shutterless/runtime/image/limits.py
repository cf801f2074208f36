"""What decoding a picture may take, judged by its header before anything is decoded."""

from PIL import ImageFile, JpegImagePlugin

from shutterless.runtime.problems import ImageError

# A phone's photo has 12 to 50 megapixels; 50 take 0.2 GB of memory, with transparency 0.4, as WebP 1.
MAX_PIXELS = 50_000_000
# libjpeg decodes a large JPEG at a half or less, in a fraction of the time and memory. Phones have up to 200.
MAX_JPEG_PIXELS = 200_000_000
# As JPEG has it. A picture of one column takes 40 bytes of memory a pixel.
MAX_SIDE = 65_535
# A JPEG of several scans keeps all its coefficients in memory, two bytes each.
MAX_COEFFICIENT_BYTES = 400_000_000

# What a pixel costs beside one of a PNG: a JPEG's at each scan a twentieth, a run-length BMP's, which Pillow
# unpacks in Python at some 7 megapixels a second, twelve times as much.
SCANS_PER_PIXEL = 20
RUN_LENGTH_COST = 12
# Pillow reads each further strip or tile of a TIFF in Python, in 8 µs however small it is.
TILE_COST = 250
# BMP's compressions by run length.
RUN_LENGTHS = (1, 2)
TILE_WIDTH, TILE_LENGTH = 322, 323


def check_size(width: int, height: int, most: int) -> None:
    """Raise the `Problem` of a picture with too many pixels in all or on a side."""
    if width * height > most or max(width, height) > MAX_SIDE:
        limits = f"{most:,} in all and {MAX_SIDE:,} on a side are permitted"
        raise ImageError("too-large", f"the picture has {width}×{height} pixels; {limits}")


def check_work(picture: ImageFile.ImageFile, scans: int) -> None:
    """Raise the `Problem` of a picture that is too much to decode.

    Args:
        picture: opened, not decoded.
        scans: passes over the pixels of a JPEG, 0 where there is none.
    """
    if isinstance(picture, JpegImagePlugin.JpegImageFile):
        check_size(picture.width, picture.height, MAX_JPEG_PIXELS)
        if scans > 1 and _coefficient_bytes(picture.size, picture.layer) > MAX_COEFFICIENT_BYTES:
            raise ImageError("too-large", "the picture is too large for a progressive JPEG")
    else:
        check_size(picture.width, picture.height, MAX_PIXELS)
    if cost(picture, scans) > MAX_PIXELS:
        raise ImageError("too-large", "the picture takes more work to decode than is permitted")


def cost(picture: ImageFile.ImageFile, scans: int) -> int:
    """Return what decoding takes, in pixels of a PNG: some 30 ns of processor time each at worst."""
    pixels = _decoded_pixels(picture)
    if isinstance(picture, JpegImagePlugin.JpegImageFile):
        return pixels * scans // SCANS_PER_PIXEL
    if picture.format == "BMP" and picture.info.get("compression") in RUN_LENGTHS:
        return pixels * RUN_LENGTH_COST
    return max(pixels * max(1, scans // SCANS_PER_PIXEL), (len(picture.tile) - 1) * TILE_COST)


def _decoded_pixels(picture: ImageFile.ImageFile) -> int:
    """Return the pixels of all tiles of a tiled TIFF, which may be larger than it, or else its own."""
    tags = getattr(picture, "tag_v2", {})
    width, height = tags.get(TILE_WIDTH), tags.get(TILE_LENGTH)
    if not (isinstance(width, int) and isinstance(height, int) and min(width, height) > 0):
        return picture.width * picture.height
    return -(-picture.width // width) * -(-picture.height // height) * width * height


def _coefficient_bytes(size: tuple[int, int], components: list[tuple[int, int, int, int]]) -> int:
    """Return what a JPEG's coefficients take, by the sampling factors of its components."""
    samples = sum(across * down for _, across, down, _ in components)
    block = max(across for _, across, _, _ in components) * max(down for _, _, down, _ in components)
    return 2 * size[0] * size[1] * samples // max(block, 1)
