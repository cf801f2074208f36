"""Bytes to pixels: the one place where pictures are decoded, in training and in serving alike."""

import functools
import importlib
import io
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageFile, JpegImagePlugin

from shutterless.errors import InputError
from shutterless.runtime.image import limits, metadata
from shutterless.runtime.image.bit_depth import Depth, check_range, depth, to_8_bits
from shutterless.runtime.image.heic import HEIC, heif_opener, is_heic
from shutterless.runtime.image.metadata import PictureFile, exif_orientation
from shutterless.runtime.problems import ImageError, Problem

Resize = Literal["stretch", "crop", "pad"]
Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos"]

# What people photograph and save with. Everything else that Pillow can open (EPS runs Ghostscript,
# PDF, FLI, PSD …) is a wider door for strangers than a classifier needs. Each by its plug-in, because
# Pillow otherwise imports all it has on the first picture. MPO, a phone's two photos in one, opens as JPEG.
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

# A JPEG of 50 megapixels at high quality.
MAX_BYTES = 20_000_000
# How each format is freed of its metadata. BMP has none, and of a WebP the decoder only cuts it out. HEIC is
# turned upright by its decoder.
STRIPPERS: dict[str, Callable[[bytes], PictureFile]] = {
    JPEG: metadata.strip_jpeg,
    "PNG": metadata.strip_png,
    "GIF": metadata.strip_gif,
    "TIFF": metadata.strip_tiff,
    "AVIF": metadata.strip_avif,
}
# Pixels on a side of what is converted at once.
TILE = 1024

# What turns a picture upright, for each EXIF orientation but the upright one.
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
SIDEWAYS = (5, 6, 7, 8)


class Header(NamedTuple):
    """What a picture file says of itself: format, and width and height in pixels once it stands upright."""

    format: str
    width: int
    height: int


@dataclass(frozen=True)
class InputSpec:
    """How a picture becomes a network's input.

    height, width: pixels. resize: `stretch` fills the input and ignores the proportions, `crop` keeps
    the middle, `pad` keeps everything and fills with black. Raises `ShutterlessError` if invalid.
    """

    height: int
    width: int
    resize: Resize = "stretch"
    interpolation: Interpolation = "bilinear"

    def __post_init__(self) -> None:
        if not (1 <= self.height <= 4096 and 1 <= self.width <= 4096):
            raise InputError(
                "invalid-input-size",
                f"An input of {self.height}×{self.width} pixels is not possible",
                "Use 1 to 4096 pixels.",
            )
        for value, known in ((self.resize, get_args(Resize)), (self.interpolation, get_args(Interpolation))):
            if value not in known:
                raise InputError(
                    "unknown-resize", f"{value!r} is no way to resize", f"Choose one of: {', '.join(known)}."
                )


def decode(data: bytes, spec: InputSpec) -> npt.NDArray[np.uint8]:
    """Decode a picture file to RGB pixels uint8[height, width, 3].

    The first frame, turned as its EXIF orientation says, on white where it is transparent, resized once
    with antialiasing. Colour profiles are ignored.

    Args:
        data: the whole file.
        spec: the size that comes out, and how it is reached.

    Raises:
        Problem: with the code too-large, unsupported-format or unreadable-image. No other error is the
            picture's fault.
    """
    try:
        opened = _open(data)
        picture = opened.picture
        levels = depth(picture)
        _shrink_while_decoding(picture, spec)
        with _blaming_the_picture():
            picture.load()
        check_range(picture, levels)
        return np.asarray(_fit(_to_rgb(_upright(picture, opened.orientation), levels), spec))
    except MemoryError as error:
        raise _too_much_memory() from error


def fit(picture: Image.Image, spec: InputSpec) -> npt.NDArray[np.uint8]:
    """Turn a picture in memory into RGB pixels uint8[height, width, 3], as `decode` does with a file.

    Raises `Problem` for grey of more than 8 bits, of which only a file says what is white.
    """
    if picture.mode.startswith(("I", "F")):
        raise ImageError("unsupported-format", f"a picture of the mode {picture.mode} has no stated white")
    orientation = picture.getexif().get(ExifTags.Base.Orientation, 1)
    return np.asarray(_fit(_to_rgb(_upright(picture, orientation), Depth(255, deep=False)), spec))


def header(data: bytes) -> Header:
    """Return what a picture file says of itself, undecoded; raises `Problem` as `decode` does."""
    picture, orientation, _ = _open(data)
    width, height = reversed(picture.size) if orientation in SIDEWAYS else picture.size
    return Header(str(picture.format), width, height)


def cost(data: bytes) -> int:
    """Return the work that decoding a picture file takes, in pixels of a PNG, by its header.

    One is worth some 30 ns of processor time at worst; a JPEG's pixel is a twentieth of one for each scan.
    No picture that `decode` takes costs more than `limits.MAX_PIXELS`.

    Raises:
        Problem: as `decode` does.
    """
    opened = _open(data)
    return limits.cost(opened.picture, opened.scans)


def read(file: Path) -> bytes:
    """Return the bytes of a picture file, or of a larger file than is permitted just too many of them."""
    with file.open("rb") as stream:
        return stream.read(MAX_BYTES + 1)


def check(data: bytes) -> None:
    """Raise the `Problem` that decoding this picture would meet; return nothing if it can be decoded."""
    decode(data, InputSpec(32, 32))


class _Opened(NamedTuple):
    """A picture whose header is read; orientation and scans are those of `metadata.PictureFile`."""

    picture: ImageFile.ImageFile
    orientation: int
    scans: int


def _open(data: bytes) -> _Opened:
    """Read a picture's header; nothing is decoded yet, and nothing will be that is too much."""
    if not data:
        raise ImageError("unreadable-image", "the picture is empty")
    if len(data) > MAX_BYTES:
        raise ImageError("too-large", f"the picture has more than the {MAX_BYTES:,} bytes that are permitted")
    kind = _kind(data)
    file = STRIPPERS.get(kind, PictureFile)(data)
    with _blaming_the_picture():
        # As Image.open does it, which would first import five formats: 10 ms of the first answer.
        picture = _opener(kind)(_Pieces(file.data), "")
    if picture.mode == "LAB":  # what Pillow needs to convert it is not in the container image
        raise ImageError("unsupported-format", "pictures in LAB colours are not read; save it in RGB")
    limits.check_work(picture, file.scans)
    exif = picture.info.get("exif", b"") if kind in ("WEBP", "AVIF") else b""
    orientation = exif_orientation(exif) if exif else file.orientation
    return _Opened(picture, orientation, file.scans)


@contextmanager
def _blaming_the_picture() -> Iterator[None]:
    """Turn what Pillow raises over a file into the `Problem` that its sender is told.

    Around Pillow's opening and loading only: an error anywhere else is one of ours.
    """
    try:
        yield
    except Problem:
        raise
    except (Image.DecompressionBombError, MemoryError) as error:
        raise _too_much_memory() from error
    except SyntaxError as error:
        if str(error) == "unknown pixel mode":  # of a whole TIFF, of 64 bits for example
            raise ImageError(
                "unsupported-format", "this TIFF is not read; save it with 8 bits a channel"
            ) from error
        raise ImageError("unreadable-image", metadata.DAMAGED) from error
    except (IndexError, TypeError, struct.error) as error:
        raise ImageError("unreadable-image", metadata.DAMAGED) from error
    except Exception as error:  # its plug-ins raise what they like on malformed bytes
        raise ImageError("unreadable-image", f"the picture is damaged: {error}") from error


def _too_much_memory() -> Problem:
    return ImageError("too-large", "the picture needs more memory than is permitted")


def _kind(data: bytes) -> str:
    """Return the format by the file's signature."""
    if _begins_like(JPEG, data):
        return JPEG
    if is_heic(data):
        return HEIC
    for kind in _formats():
        if _begins_like(kind, data):
            return kind
    raise ImageError("unsupported-format", f"not a supported picture format ({', '.join(_formats())})")


@functools.cache
def _formats() -> tuple[str, ...]:
    """Return what is opened. Not at import, because photos are JPEG as a rule: AVIF alone takes 10 ms."""
    for plugin in PLUGINS.values():
        importlib.import_module(f"PIL.{plugin}")
    return tuple(kind for kind in PLUGINS if kind in Image.OPEN)  # Pillow can be built without libavif


def _begins_like(kind: str, data: bytes) -> bool:
    """Tell whether a file has the signature of a format; 16 bytes are what Pillow judges by."""
    accept = Image.OPEN[kind][1]
    return accept is not None and accept(data[:16]) is True


def _opener(kind: str) -> Callable[..., Any]:
    if kind == JPEG:
        return JpegImagePlugin.JpegImageFile  # Pillow's own would look for a phone's second photo
    return heif_opener() if kind == HEIC else Image.OPEN[kind][0]


class _Pieces(io.BytesIO):
    """A file that may be read in so many pieces only.

    Pillow's parsers take a microsecond or more, and some memory, for each strip or run, however small. All
    of them come through here.
    """

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._left = metadata.MAX_PIECES

    def read(self, size: int | None = -1, /) -> bytes:
        """Read the next piece; raises `Problem` if there have been too many."""
        self._left -= 1
        if self._left < 0:
            raise metadata.too_many_pieces()
        return super().read(size)


def _shrink_while_decoding(picture: Image.Image, spec: InputSpec) -> None:
    """Let libjpeg decode a large photo at 1/2, 1/4 or 1/8, never below twice the input's longer side.

    A 12-megapixel photo then takes a fraction of the time and memory. What is larger than any other format
    may be is decoded at 1/2 at least. Training and serving both come through here, so their pixels stay
    equal.
    """
    if not isinstance(picture, JpegImagePlugin.JpegImageFile):
        return
    side = 2 * max(spec.height, spec.width)
    huge = picture.width * picture.height > limits.MAX_PIXELS
    half = (picture.width // 2, picture.height // 2) if huge else (side, side)
    picture.draft(None, (min(side, half[0]), min(side, half[1])))


def _upright(picture: Image.Image, orientation: int) -> Image.Image:
    turn = TURNS.get(orientation)
    return picture if turn is None else picture.transpose(turn)


def _to_rgb(picture: Image.Image, levels: Depth) -> Image.Image:
    """Convert tile by tile, because some modes need five times the picture's memory on the way."""
    if picture.mode == "RGB" and not picture.has_transparency_data:
        return picture
    rgb = Image.new("RGB", picture.size)
    for top in range(0, picture.height, TILE):
        for left in range(0, picture.width, TILE):
            box = (left, top, min(left + TILE, picture.width), min(top + TILE, picture.height))
            rgb.paste(_tile_to_rgb(picture.crop(box), levels), box)
    return rgb


def _tile_to_rgb(picture: Image.Image, levels: Depth) -> Image.Image:
    if picture.mode.startswith(("I", "F")):
        return Image.fromarray(to_8_bits(np.asarray(picture), levels)).convert("RGB")
    if picture.has_transparency_data:
        rgba = picture.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return picture.convert("RGB")


def _fit(picture: Image.Image, spec: InputSpec) -> Image.Image:
    size = (spec.width, spec.height)
    method = Image.Resampling[spec.interpolation.upper()]
    if spec.resize == "crop":
        from PIL import ImageOps  # 1.4 ms of an import that no other way to resize needs

        return ImageOps.fit(picture, size, method)
    if spec.resize == "pad":
        return _pad(picture, size, method)
    return picture.resize(size, method)


def _pad(picture: Image.Image, size: tuple[int, int], method: Image.Resampling) -> Image.Image:
    # Not ImageOps.pad: it rounds the short side of a very thin picture to nothing, and all is black.
    scale = min(size[0] / picture.width, size[1] / picture.height)
    inner = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    padded = Image.new("RGB", size, "black")
    padded.paste(picture.resize(inner, method), ((size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2))
    return padded
