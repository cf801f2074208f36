"""Predict the CPU time and the memory that decoding a picture takes, from its header."""

from PIL import ImageFile, JpegImagePlugin

from shutterless.runtime.image import limits
from shutterless.runtime.problems import ImageError

# CPU time at worst, in nanoseconds, as scripts/measure_pictures.py measures it: of a codec for each pixel and
# for each byte of the file, and of what comes after it for each pixel.
PIXEL_NS = {"PNG": 8, "GIF": 12, "BMP": 6, "TIFF": 8, "WEBP": 35, "AVIF": 40, "HEIF": 40}
BYTE_NS = {"PNG": 12, "GIF": 20, "BMP": 1, "TIFF": 12, "WEBP": 25, "AVIF": 120, "HEIF": 180}
SAMPLE_BYTE_NS = 5  # a byte of samples in a PNG or TIFF
RUN_LENGTH_NS = 150  # a pixel of a BMP that Pillow unpacks in Python
PIECE_NS = 9_000  # a segment, chunk, strip or tile, which Pillow reads in Python
CONVERT_NS, TURN_NS = 14, 7
# A byte of a JPEG with one scan and with several, a sample in each scan, and a pixel of the result.
BASELINE_BYTE_NS, SCAN_BYTE_NS, SCAN_SAMPLE_NS, JPEG_PIXEL_NS = 18, 70, 1.0, 14

# Bytes of a pixel in Pillow's memory; in all other modes it has four.
PIXEL_BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2, "I;16N": 2}
# Bytes that a codec needs for each pixel while it decodes, in addition to the result.
CODEC_BYTES = {"WEBP": 12, "AVIF": 7, "HEIF": 7}
HEIF_ALPHA_BYTES = 2
OVERHEAD = 1.06  # of the memory for pixels
COEFFICIENT_BYTES = 2  # a JPEG of several scans is held in memory as a whole

RUN_LENGTHS = (1, 2)  # compressions of a BMP
BITS_PER_SAMPLE, SAMPLES_PER_PIXEL, TILE_WIDTH, TILE_LENGTH = 258, 277, 322, 323  # tags of a TIFF


class Work:
    """What decoding a picture takes at most.

    Attributes:
        seconds: CPU time, on the machine of the table in docs/security.md.
        memory: Bytes in addition to the process and to the file as it was sent.
    """

    __slots__ = ("memory", "seconds")

    def __init__(self, seconds: float, memory: int) -> None:
        self.seconds, self.memory = seconds, memory


# What any picture may take, your own included. A stranger's may take less, see `budget.py`.
MAX_WORK = Work(seconds=4.0, memory=1_400_000_000)


class OpenedPicture:
    """A picture whose header is read.

    Attributes:
        picture: Opened, not decoded.
        pixels: Width × height according to the header; `picture` may be set to be decoded at less.
        orientation: EXIF orientation, 1 to 8.
        file_size: Bytes of the file without metadata.
        scans: Passes over the pixels of a JPEG, 0 for other formats.
        pieces: Segments or chunks of the file without metadata.
    """

    __slots__ = ("file_size", "orientation", "picture", "pieces", "pixels", "scans")

    def __init__(
        self, picture: ImageFile.ImageFile, orientation: int, file_size: int, scans: int, pieces: int
    ) -> None:
        self.picture, self.orientation = picture, orientation
        self.pixels = picture.width * picture.height
        self.file_size, self.scans, self.pieces = file_size, scans, pieces


def check_work(opened: OpenedPicture) -> None:
    """Check a picture's size, and the work and the memory that decoding it takes.

    Raises:
        ImageError: `too-large`.
    """
    picture = opened.picture
    is_jpeg = isinstance(picture, JpegImagePlugin.JpegImageFile)
    max_pixels = limits.MAX_JPEG_PIXELS if is_jpeg else limits.MAX_PIXELS
    limits.check_size(picture.width, picture.height, max_pixels)
    if exceeds(estimate(opened), MAX_WORK):
        raise ImageError("too-large", "decoding the picture takes too much work; save it as a baseline JPEG")


def exceeds(work: Work, limit: Work) -> bool:
    """Tell whether some work takes more time or more memory than it may."""
    return work.seconds > limit.seconds or work.memory > limit.memory


def estimate(opened: OpenedPicture) -> Work:
    """Return what decoding an opened picture takes at most, including rotation and conversion."""
    picture, is_turned = opened.picture, opened.orientation != 1
    if isinstance(picture, JpegImagePlugin.JpegImageFile):
        pixels = min(picture.width * picture.height, limits.MAX_PIXELS)  # what is larger is decoded at a half
        nanoseconds, codec_memory = _jpeg_work(picture, opened, pixels)
    else:
        pixels = _stored_pixels(picture)
        nanoseconds, codec_memory = _work(picture, opened, pixels)
    is_converted = picture.mode != "RGB" or picture.has_transparency_data
    pixel_bytes = PIXEL_BYTES.get(picture.mode, 4)
    extra_bytes = max(pixel_bytes * is_turned, 4 * is_converted)
    nanoseconds += pixels * (TURN_NS * is_turned + CONVERT_NS * is_converted) + opened.pieces * PIECE_NS
    memory = pixels * (pixel_bytes + extra_bytes) + codec_memory
    return Work(nanoseconds / 1e9, opened.file_size + int(memory * OVERHEAD))


def _jpeg_work(jpeg: JpegImagePlugin.JpegImageFile, opened: OpenedPicture, pixels: int) -> tuple[float, int]:
    """Return the nanoseconds of decoding a JPEG, and the memory of its coefficients."""
    factors = [(across, down) for _, across, down, _ in jpeg.layer]
    block = max((across for across, _ in factors), default=1) * max((down for _, down in factors), default=1)
    samples = opened.pixels * sum(across * down for across, down in factors) // max(block, 1)
    byte_ns = BASELINE_BYTE_NS if opened.scans == 1 else SCAN_BYTE_NS
    nanoseconds = opened.file_size * byte_ns + samples * opened.scans * SCAN_SAMPLE_NS
    return nanoseconds + pixels * JPEG_PIXEL_NS, COEFFICIENT_BYTES * samples * (opened.scans > 1)


def _work(picture: ImageFile.ImageFile, opened: OpenedPicture, pixels: int) -> tuple[float, int]:
    """Return the nanoseconds of decoding any other format, and the memory that its codec needs."""
    kind = str(picture.format)
    is_run_length = kind == "BMP" and picture.info.get("compression") in RUN_LENGTHS
    pixel_ns: float = RUN_LENGTH_NS if is_run_length else PIXEL_NS[kind]
    if kind in ("PNG", "TIFF"):
        pixel_ns += SAMPLE_BYTE_NS * _bytes_per_pixel(picture)
    # A JPEG in a TIFF may have as many scans as libtiff allows.
    pixel_ns += opened.scans * 3 * SCAN_SAMPLE_NS
    nanoseconds = pixels * pixel_ns + opened.file_size * BYTE_NS[kind] + (len(picture.tile) - 1) * PIECE_NS
    return nanoseconds, pixels * _codec_bytes(picture, kind)


def _codec_bytes(picture: ImageFile.ImageFile, kind: str) -> int:
    """Return the bytes that a codec needs for each pixel; libheif decodes 10 bits into two bytes."""
    is_deep = picture.info.get("bit_depth", 8) > 8
    has_alpha = kind == "HEIF" and picture.has_transparency_data
    planes = CODEC_BYTES.get(kind, 0) + HEIF_ALPHA_BYTES * has_alpha
    return planes * (1 + is_deep)


def _bytes_per_pixel(picture: ImageFile.ImageFile) -> float:
    """Return the bytes of a PNG's or TIFF's samples for each pixel, not less than there are."""
    tags = getattr(picture, "tag_v2", {})
    if bits := tags.get(BITS_PER_SAMPLE):
        return max(bits) / 8 * max(len(bits), tags.get(SAMPLES_PER_PIXEL, 1))
    return len(picture.getbands()) * (2 if ";16" in str(picture.tile[:1]) else 1)


def _stored_pixels(picture: ImageFile.ImageFile) -> int:
    """Return how many pixels are decoded: a TIFF's tiles are decoded whole, and may exceed the picture."""
    tags = getattr(picture, "tag_v2", {})
    width, height = tags.get(TILE_WIDTH), tags.get(TILE_LENGTH)
    if isinstance(width, int) and isinstance(height, int) and min(width, height) > 0:
        return -(-picture.width // width) * -(-picture.height // height) * width * height
    return picture.width * picture.height
