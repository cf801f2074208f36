"""Bytes to pixels: the one place where pictures are decoded, in training and in serving alike."""

import functools
import importlib
import io
import struct
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast, get_args

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageOps, JpegImagePlugin

from shutterless.errors import ShutterlessError
from shutterless.runtime.problem import Problem

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

# A phone's photo has 12 to 50 megapixels; 50 take 0.2 GB of memory, with transparency 0.4, as WebP 0.8.
MAX_PIXELS = 50_000_000
# A JPEG of that many pixels at high quality.
MAX_BYTES = 20_000_000

# A photo is read in some hundred pieces; a drawing in a run-length BMP in some ten thousand.
MAX_PIECES = 250_000
# As libtiff has it for the JPEGs within a TIFF. An encoder makes 10 to 20, and each takes time for every
# pixel, though it may be 10 bytes short.
MAX_SCANS = 100
# TIFF's types that Pillow keeps as they are: bytes, text, and what is not defined.
TIFF_BYTES = (1, 2, 7)
# Pillow unpacks a run-length BMP (compression 1 or 2) in Python, at some 7 megapixels a second.
RUN_LENGTHS = (1, 2)
MAX_RUN_PIXELS = 4_000_000
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

# Filters of warnings belong to the whole process, so no two threads may change them at once.
_OPENING = threading.Lock()


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
            raise ShutterlessError(
                f"An input of {self.height}×{self.width} pixels is not possible", "Use 1 to 4096 pixels."
            )
        for value, known in ((self.resize, get_args(Resize)), (self.interpolation, get_args(Interpolation))):
            if value not in known:
                raise ShutterlessError(
                    f"{value!r} is no way to resize", f"Choose one of: {', '.join(known)}."
                )


def decode(data: bytes, spec: InputSpec) -> npt.NDArray[np.uint8]:
    """Decode a picture file to RGB pixels uint8[height, width, 3].

    The first frame, turned as its EXIF orientation says, on white where it is transparent, resized once
    with antialiasing. Raises `Problem` with the code too-large, unsupported-format or unreadable-image.
    """
    with _telling_what_is_wrong(), _open(data) as picture:
        _shrink_while_decoding(picture, spec)
        picture.load()
        return np.asarray(_fit(_to_rgb(_upright(picture)), spec))


def header(data: bytes) -> Header:
    """Return what a picture file says of itself, undecoded; raises `Problem` as `decode` does."""
    with _telling_what_is_wrong(), _open(data) as picture:
        sideways = _orientation(picture) in SIDEWAYS
        width, height = reversed(picture.size) if sideways else picture.size
        return Header(str(picture.format), width, height)


def read(file: Path) -> bytes:
    """Return the bytes of a picture file, or of a larger file than is permitted just too many of them."""
    with file.open("rb") as stream:
        return stream.read(MAX_BYTES + 1)


def check(data: bytes) -> None:
    """Raise the `Problem` that decoding this picture would meet; return nothing if it can be decoded."""
    decode(data, InputSpec(32, 32))


@contextmanager
def _telling_what_is_wrong() -> Iterator[None]:
    """Turn whatever goes wrong with a picture into the `Problem` that its sender is told."""
    try:
        yield
    except Problem:
        raise
    except (Image.DecompressionBombError, MemoryError) as error:
        raise Problem("too-large", "the picture needs more memory than is permitted") from error
    except Exception as error:  # Pillow's plugins raise what they like on malformed bytes
        raise Problem("unreadable-image", f"the picture is damaged: {error}") from error


def _open(data: bytes) -> Image.Image:
    """Read a picture's header; nothing is decoded yet, and nothing will be that is too much."""
    if not data:
        raise Problem("unreadable-image", "the picture is empty")
    if len(data) > MAX_BYTES:
        raise Problem("too-large", f"the picture has more than the {MAX_BYTES:,} bytes that are permitted")
    if data.startswith((b"II", b"MM")) and _tag_values(data) > MAX_PIECES:
        raise Problem("unreadable-image", "the TIFF's tags hold absurdly many values")
    try:
        with _OPENING, warnings.catch_warnings():
            # Pillow only warns of a picture that is up to twice too large for it; ours is the lower limit.
            warnings.simplefilter("ignore")
            # As Image.open does it, which would first import five formats: 10 ms of the first answer.
            picture = Image.OPEN[_kind(data)][0](_Pieces(data), "")
    except (SyntaxError, IndexError, TypeError, struct.error) as error:
        raise Problem("unreadable-image", "the picture is damaged or cut short") from error
    _check_work(picture, data)
    if picture.format == "TIFF":
        cast(Any, picture).is_animated = True  # of a single page, Pillow would also read all the EXIF data
    return picture


def _kind(data: bytes) -> str:
    """Return the format by the file's signature."""
    kinds = [JPEG] if _begins_like(JPEG, data) else [kind for kind in _formats() if _begins_like(kind, data)]
    if not kinds:
        raise Problem(
            "unsupported-format", f"this is no picture in one of the formats {', '.join(_formats())}"
        )
    return kinds[0]


@functools.cache
def _formats() -> tuple[str, ...]:
    """Return what is opened. Not at import, because photos are JPEG as a rule: AVIF alone takes 10 ms."""
    for plugin in PLUGINS.values():
        importlib.import_module(f"PIL.{plugin}")
    return tuple(kind for kind in PLUGINS if kind in Image.OPEN)  # Pillow can be built without libavif


def _check_work(picture: Image.Image, data: bytes) -> None:
    """Raise the `Problem` of a picture that is too much to decode, by what its header says."""
    most = MAX_RUN_PIXELS if _is_run_length(picture) else MAX_PIXELS
    if picture.width * picture.height > most:
        raise Problem(
            "too-large",
            f"the picture has {picture.width}×{picture.height} pixels; {most:,} in all are permitted",
        )
    if isinstance(picture, JpegImagePlugin.JpegImageFile) and data.count(b"\xff\xda\0") > MAX_SCANS:
        raise Problem("unreadable-image", f"the JPEG has more than {MAX_SCANS} scans")


def _is_run_length(picture: Image.Image) -> bool:
    return picture.format == "BMP" and picture.info.get("compression") in RUN_LENGTHS


class _Pieces(io.BytesIO):
    """A file that may be read in so many pieces only.

    Pillow's parsers take a microsecond or more, and some memory, for each segment, chunk, strip or run,
    however small. All of them come through here.
    """

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._left = MAX_PIECES

    def read(self, size: int | None = -1, /) -> bytes:
        """Read the next piece; raises `Problem` if there have been too many."""
        self._left -= 1
        if self._left < 0:
            raise Problem("unreadable-image", "the picture consists of absurdly many pieces")
        return super().read(size)


def _begins_like(kind: str, data: bytes) -> bool:
    """Tell whether a file has the signature of a format; 16 bytes are what Pillow judges by."""
    accept = Image.OPEN[kind][1]
    return accept is not None and accept(data[:16]) is True


def _tag_values(tiff: bytes) -> int:
    """Return how many numbers are in a TIFF's first directory; Pillow makes an object of each.

    A count that the file has no room for is left out, as Pillow leaves it. The layout is that of TIFF 6.0
    and of BigTIFF, whose version is 43.
    """
    order, big = "<" if tiff.startswith(b"II") else ">", tiff[2:3] == b"\x2b"
    entry = struct.Struct(order + ("HHQ8x" if big else "HHL4x"))
    try:
        (start,) = struct.unpack_from(order + ("Q" if big else "L"), tiff, 8 if big else 4)
        (listed,) = struct.unpack_from(order + ("Q" if big else "H"), tiff, start)
    except (struct.error, OverflowError):  # Pillow will say what is wrong
        return 0
    first = start + (8 if big else 2)
    last = min(first + listed * entry.size, len(tiff) - entry.size + 1)
    tags = (entry.unpack_from(tiff, at) for at in range(first, last, entry.size))
    return sum(count for _, kind, count in tags if kind not in TIFF_BYTES and count <= len(tiff))


def _shrink_while_decoding(picture: Image.Image, spec: InputSpec) -> None:
    """Let libjpeg decode a large photo at 1/2, 1/4 or 1/8, never below twice the input's longer side.

    A 12-megapixel photo then takes a fraction of the time and memory. Training and serving both come
    through here, so their pixels stay equal. Other formats ignore it.
    """
    side = 2 * max(spec.height, spec.width)
    picture.draft(None, (side, side))


def _orientation(picture: Image.Image) -> Any:
    try:
        return picture.getexif().get(ExifTags.Base.Orientation)
    except Problem:
        raise
    except Exception:  # a photo with damaged EXIF data is still a photo
        return None


def _upright(picture: Image.Image) -> Image.Image:
    # Not ImageOps.exif_transpose: it writes all the EXIF data anew, which can take half a minute.
    turn = TURNS.get(_orientation(picture))
    return picture if turn is None else picture.transpose(turn)


def _to_rgb(picture: Image.Image) -> Image.Image:
    """Convert tile by tile, because some modes need five times the picture's memory on the way."""
    if picture.mode == "RGB" and not picture.has_transparency_data:
        return picture
    rgb = Image.new("RGB", picture.size)
    for top in range(0, picture.height, TILE):
        for left in range(0, picture.width, TILE):
            box = (left, top, min(left + TILE, picture.width), min(top + TILE, picture.height))
            rgb.paste(_tile_to_rgb(picture.crop(box)), box)
    return rgb


def _tile_to_rgb(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith(("I", "F")):
        return Image.fromarray(_to_8_bits(np.asarray(picture))).convert("RGB")
    if picture.has_transparency_data:
        rgba = picture.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return picture.convert("RGB")


def _to_8_bits(grey: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Scale deep grey to 8 bits, where Pillow would clip it: integers from 16 bits, floats from 0 … 1."""
    full = 1.0 if grey.dtype.kind == "f" else 65_535.0
    return np.rint(np.nan_to_num(grey.astype(np.float32)).clip(0, full) * (255 / full)).astype(np.uint8)


def _fit(picture: Image.Image, spec: InputSpec) -> Image.Image:
    size = (spec.width, spec.height)
    method = Image.Resampling[spec.interpolation.upper()]
    if spec.resize == "crop":
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
