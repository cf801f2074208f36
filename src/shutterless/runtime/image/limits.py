"""Limits on a picture file and the size of its picture, checked before anything is decoded."""

from shutterless.runtime.problems import ImageError

# A JPEG of 50 megapixels at high quality.
MAX_BYTES = 20_000_000
# A phone's photo has 12 to 50 megapixels.
MAX_PIXELS = 50_000_000
# libjpeg decodes a large JPEG at a half or less, in a fraction of the time and memory. Phones have up to 200.
MAX_JPEG_PIXELS = 200_000_000
# JPEG's own limit. A picture of one column takes 40 bytes of memory per pixel.
MAX_SIDE = 65_535


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
