"""Bytes to pixels: the one place where pictures are decoded, in training and in serving alike."""

import io
import threading
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    ExifTags,
    GifImagePlugin,
    Image,
    ImageOps,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from shutterless.errors import ShutterlessError
from shutterless.runtime.problem import Problem

Resize = Literal["stretch", "crop", "pad"]
Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos"]

# What people photograph and save with. Everything else that Pillow can open (EPS runs Ghostscript,
# PDF, FLI, PSD …) is a wider door for strangers than a classifier needs. Named by their plug-ins, because
# Pillow otherwise imports all it has on the first picture. MPO, a phone's two photos in one, opens as JPEG.
FORMATS = tuple(
    str(plugin.format)
    for plugin in (
        JpegImagePlugin.JpegImageFile,
        PngImagePlugin.PngImageFile,
        WebPImagePlugin.WebPImageFile,
        GifImagePlugin.GifImageFile,
        BmpImagePlugin.BmpImageFile,
        TiffImagePlugin.TiffImageFile,
        AvifImagePlugin.AvifImageFile,
    )
    if plugin.format in Image.OPEN  # a Pillow built without libavif knows AVIF, but not how to open it
)

# A phone's photo has 12 to 50 megapixels; decoded, 50 take 150 MB of a function's memory.
MAX_PIXELS = 50_000_000
# A JPEG of that many pixels at high quality.
MAX_BYTES = 20_000_000

# EXIF orientations that lay a picture on its side.
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
    try:
        with _open(data) as picture:
            _shrink_while_decoding(picture, spec)
            upright = ImageOps.exif_transpose(picture)
            return np.asarray(_fit(_to_rgb(upright), spec))
    except (Problem, MemoryError):
        raise
    except Exception as error:  # Pillow's plugins raise what they like on malformed bytes
        raise Problem("unreadable-image", f"the picture is damaged: {error}") from error


def header(data: bytes) -> Header:
    """Return what a picture file says of itself, undecoded; raises `Problem` as `decode` does."""
    with _open(data) as picture:
        try:
            sideways = picture.getexif().get(ExifTags.Base.Orientation) in SIDEWAYS
        except Exception as error:  # as in `decode`
            raise Problem("unreadable-image", f"the picture is damaged: {error}") from error
        width, height = reversed(picture.size) if sideways else picture.size
        return Header(str(picture.format), width, height)


def read(file: Path) -> bytes:
    """Return the bytes of a picture file, or of a larger file than is permitted just too many of them."""
    with file.open("rb") as stream:
        return stream.read(MAX_BYTES + 1)


def check(data: bytes) -> None:
    """Raise the `Problem` that decoding this picture would meet; return nothing if it can be decoded."""
    decode(data, InputSpec(32, 32))


def _open(data: bytes) -> Image.Image:
    if not data:
        raise Problem("unreadable-image", "the picture is empty")
    if len(data) > MAX_BYTES:
        raise Problem("too-large", f"the picture has more than the {MAX_BYTES:,} bytes that are permitted")
    try:
        with _OPENING, warnings.catch_warnings():
            # Pillow only warns of a picture that is up to twice too large for it; ours is the lower limit.
            warnings.simplefilter("ignore")
            picture = Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError as error:
        raise Problem(
            "unsupported-format", f"this is no picture in one of the formats {', '.join(FORMATS)}"
        ) from error
    except Image.DecompressionBombError as error:
        raise Problem("too-large", f"the picture has more than {MAX_PIXELS:,} pixels") from error
    if picture.width * picture.height > MAX_PIXELS:
        raise Problem(
            "too-large",
            f"the picture has {picture.width}×{picture.height} pixels; {MAX_PIXELS:,} in all are permitted",
        )
    return picture


def _shrink_while_decoding(picture: Image.Image, spec: InputSpec) -> None:
    """Let libjpeg decode a large photo at 1/2, 1/4 or 1/8, never below twice the input's longer side.

    A 12-megapixel photo then takes a fraction of the time and memory. Training and serving both come
    through here, so their pixels stay equal. Other formats ignore it.
    """
    side = 2 * max(spec.height, spec.width)
    picture.draft(None, (side, side))


def _to_rgb(picture: Image.Image) -> Image.Image:
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
