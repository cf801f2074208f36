"""Open a picture file: detect its format, remove its metadata, read its header and check the limits.

Nothing is decoded here, and nothing is opened that would take too much work to decode.
"""

import functools
import importlib
import io
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from PIL import Image, ImageFile, JpegImagePlugin

from shutterless.runtime.image import limits, metadata
from shutterless.runtime.image.heic import HEIC, heif_opener, is_heic
from shutterless.runtime.image.metadata import PictureFile, exif_orientation
from shutterless.runtime.image.work import OpenedPicture, check_work
from shutterless.runtime.problems import ImageError, Problem

# The formats that people take and save photos in. Everything else that Pillow can open (EPS runs Ghostscript,
# PDF, FLI, PSD …) is a larger attack surface than a classifier needs. Each by its plug-in, because Pillow
# otherwise imports all it has with the first picture. MPO, a phone's two photos in one, opens as JPEG.
JPEG = str(JpegImagePlugin.JpegImageFile.format)
PLUGINS = {
    JPEG: "JpegImagePlugin",
    "PNG": "PngImagePlugin",
    "WEBP": "WebPImagePlugin",
    "GIF": "GifImagePlugin",
    "BMP": "BmpImagePlugin",
    "TIFF": "TiffImagePlugin",
    "AVIF": "AvifImagePlugin",
}
# How the metadata of each format is removed. BMP has none, and the decoder of WebP skips it without parsing
# it. HEIC is turned upright by its decoder.
STRIPPERS: dict[str, Callable[[bytes], PictureFile]] = {
    JPEG: metadata.strip_jpeg,
    "PNG": metadata.strip_png,
    "GIF": metadata.strip_gif,
    "TIFF": metadata.strip_tiff,
    "AVIF": metadata.strip_avif,
}
SIGNATURE_BYTES = 16  # by which Pillow's plug-ins recognize a format

Opener = Callable[[io.BytesIO, str], ImageFile.ImageFile]


def open_picture(data: bytes) -> OpenedPicture:
    """Open a picture file without decoding it.

    Args:
        data: The whole file.

    Raises:
        ImageError: `unreadable-image`, `unsupported-format`, or `too-large` if decoding would take too much
            work.
    """
    kind = detect_format(data)
    return open_file(kind, strip_metadata(kind, data))


def strip_metadata(kind: str, data: bytes) -> PictureFile:
    """Remove the metadata of a file whose format is known.

    Raises:
        ImageError: `unreadable-image` or `unsupported-format`.
    """
    return STRIPPERS.get(kind, PictureFile)(data)


def open_file(kind: str, file: PictureFile) -> OpenedPicture:
    """Open a picture file whose metadata is removed; raises what `open_picture` does."""
    # As Image.open does it, which would first import five formats: 10 ms of the first answer.
    if kind == JPEG:
        opener: Opener = JpegImagePlugin.JpegImageFile  # Pillow's own would look for a phone's second photo
    else:
        opener = heif_opener() if kind == HEIC else Image.OPEN[kind][0]
    with as_problem():
        picture = opener(ReadLimitedFile(file.data), "")
    if picture.mode == "LAB":  # what Pillow needs to convert it is not in the container image
        raise ImageError("unsupported-format", "the LAB colour space is not supported; save it in RGB")
    exif = picture.info.get("exif", b"") if kind in ("WEBP", "AVIF") else b""
    orientation = exif_orientation(exif) if exif else file.orientation
    result = OpenedPicture(picture, orientation, len(file.data), file.scans, file.pieces)
    check_work(result)
    return result


def detect_format(data: bytes) -> str:
    """Return the format of a picture file, by its first bytes.

    Raises:
        ImageError: `unsupported-format`; `unreadable-image` for an empty file, `too-large` for a large one.
    """
    if not data:
        raise ImageError("unreadable-image", "the file is empty")
    if len(data) > limits.MAX_BYTES:
        raise ImageError("too-large", f"the file is larger than {limits.MAX_BYTES:,} bytes")
    if _has_signature(JPEG, data):
        return JPEG
    if is_heic(data):
        return HEIC
    for kind in supported_formats():
        if _has_signature(kind, data):
            return kind
    formats = ", ".join(supported_formats())
    raise ImageError("unsupported-format", f"not a supported picture format ({formats})")


@functools.cache
def supported_formats() -> tuple[str, ...]:
    """Return the formats that are opened.

    Their plug-ins are imported with the first call, not at import: most photos are JPEG, and AVIF alone
    takes 10 ms.
    """
    for plugin in PLUGINS.values():
        importlib.import_module(f"PIL.{plugin}")
    return tuple(kind for kind in PLUGINS if kind in Image.OPEN)  # Pillow can be built without libavif


def _has_signature(kind: str, data: bytes) -> bool:
    accept = Image.OPEN[kind][1]
    return accept is not None and accept(data[:SIGNATURE_BYTES]) is True


@contextmanager
def as_problem() -> Iterator[None]:
    """Turn what Pillow raises about a picture file into the `ImageError` that its sender sees.

    For Pillow's opening and loading only: an exception anywhere else is a bug of ours.
    """
    try:
        yield
    except Problem:
        raise
    except (Image.DecompressionBombError, MemoryError) as error:
        raise too_much_memory() from error
    except SyntaxError as error:
        if str(error) == "unknown pixel mode":  # of an intact TIFF, of 64 bits for example
            detail = "this kind of TIFF is not supported; save it with 8 bits per channel"
            raise ImageError("unsupported-format", detail) from error
        raise ImageError("unreadable-image", metadata.DAMAGED) from error
    except (IndexError, TypeError, struct.error) as error:
        raise ImageError("unreadable-image", metadata.DAMAGED) from error
    except Exception as error:  # its plug-ins raise what they like on malformed bytes
        raise ImageError("unreadable-image", f"the picture is damaged: {error}") from error


def too_much_memory() -> ImageError:
    """Return the error of a picture that does not fit into memory."""
    return ImageError("too-large", "the picture needs too much memory")


class ReadLimitedFile(io.BytesIO):
    """A file that may be read a limited number of times.

    Pillow's parsers take a microsecond or more, and some memory, for each strip or run, however small. All
    of them are read through here.
    """

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._remaining_reads = metadata.MAX_PIECES

    def read(self, size: int | None = -1, /) -> bytes:
        """Read the next bytes; raises `ImageError` if there have been too many reads."""
        self._remaining_reads -= 1
        if self._remaining_reads < 0:
            raise metadata.too_many_pieces()
        return super().read(size)
