"""Decode a picture file to pixels: the one decoder for training, evaluation and serving.

The results are Pillow's pictures, not arrays, because serving has no NumPy: `tobytes()` is what the model
takes, `np.asarray()` makes uint8[height, width, 3] of one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

from PIL import ExifTags, Image, JpegImagePlugin

from shutterless.errors import InputError
from shutterless.runtime.image import limits
from shutterless.runtime.image.bit_depth import Depth, check_range, read_depth, to_8_bits
from shutterless.runtime.image.opener import as_problem, open_picture, too_much_memory
from shutterless.runtime.image.work import MAX_WORK, OpenedPicture, estimate
from shutterless.runtime.problems import ImageError
from shutterless.runtime.record import Record

if TYPE_CHECKING:
    from pathlib import Path

Resize = Literal["stretch", "crop", "pad"]
Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos"]

MAX_INPUT_SIDE = 4096
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
    """Format of a picture file, and its width and height in pixels once it is upright."""

    format: str
    width: int
    height: int


class InputSpec(Record):
    """How a picture becomes a model's input.

    Attributes:
        height: Pixels, 1 to 4096.
        width: Pixels, 1 to 4096.
        resize: `stretch` fills the input and ignores the proportions, `crop` keeps the centre, `pad` keeps
            everything and fills up with black.
        interpolation: The filter of the resizing, with antialiasing.

    Raises:
        InputError: If a value is not possible.
    """

    height: int
    width: int
    resize: Resize = "stretch"
    interpolation: Interpolation = "bilinear"

    def __post_init__(self) -> None:
        if not (1 <= self.height <= MAX_INPUT_SIDE and 1 <= self.width <= MAX_INPUT_SIDE):
            raise InputError(
                "invalid-input-size",
                f"An input of {self.height}×{self.width} pixels is not possible",
                f"Use 1 to {MAX_INPUT_SIDE} pixels.",
            )
        for name, choices in (("resize", get_args(Resize)), ("interpolation", get_args(Interpolation))):
            if (value := getattr(self, name)) not in choices:
                raise InputError(
                    "unknown-resize", f"{name} is {value!r}", f"Choose one of: {', '.join(choices)}."
                )


def decode(data: bytes, spec: InputSpec, max_memory: int = MAX_WORK.memory) -> Image.Image:
    """Decode a picture file to a picture of the model's input size.

    The first frame, turned as its EXIF orientation says, on white where it is transparent, resized once
    with antialiasing. Colour profiles are ignored.

    Args:
        data: The whole file.
        spec: The size of the result, and how it is reached.
        max_memory: Bytes that decoding may take according to the header.

    Returns:
        An RGB picture of `spec.width` × `spec.height` pixels.

    Raises:
        ImageError: `too-large`, `unsupported-format` or `unreadable-image`. Any other exception is a bug.

    Example:
        >>> import io
        >>> from PIL import Image
        >>> file = io.BytesIO()
        >>> Image.new("RGB", (40, 30), "red").save(file, "PNG")
        >>> decode(file.getvalue(), InputSpec(height=2, width=1)).tobytes().hex(" ", 3)
        'ff0000 ff0000'
    """
    try:
        picture = PreparedPicture(open_picture(data), spec)
        if picture.work.memory > max_memory:
            raise too_much_memory()
        return picture.decode()
    except MemoryError as error:
        raise too_much_memory() from error


class PreparedPicture:
    """A picture whose header is read, ready to be decoded to a model's input.

    Attributes:
        work: What decoding it takes at most.
    """

    def __init__(self, opened: OpenedPicture, spec: InputSpec) -> None:
        """Let libjpeg shrink a large photo, as `decode` does.

        Raises:
            ImageError: `unsupported-format` for values that Pillow reads wrongly.
        """
        self._picture, self._orientation, self._spec = opened.picture, opened.orientation, spec
        self._depth = read_depth(opened.picture)
        _shrink_while_decoding(opened.picture, spec)
        self.work = estimate(opened)

    def decode(self, use_photo: Callable[[Image.Image], None] | None = None) -> Image.Image:
        """Return an RGB picture of the model's input size; works once.

        Args:
            use_photo: Called with the upright RGB picture that is resized to the input.

        Raises:
            ImageError: As `shutterless.runtime.image.decoder.decode` does.
        """
        picture: Image.Image = self._picture
        del self._picture  # so that each step may free what the one before it made
        with as_problem():
            picture.load()
        check_range(picture, self._depth)
        picture = _turn_upright(picture, self._orientation)
        picture = _to_rgb(picture, self._depth)
        if use_photo:
            use_photo(picture)
        return _resize(picture, self._spec)


def fit(picture: Image.Image, spec: InputSpec) -> Image.Image:
    """Turn a PIL picture into one of the model's input size, as `decode` does with a file.

    Args:
        picture: In any mode of 8 bits per channel.
        spec: The size of the result, and how it is reached.

    Returns:
        An RGB picture of `spec.width` × `spec.height` pixels.

    Raises:
        ImageError: `unsupported-format` for grey of more than 8 bits, of which only a file tells what is
            white.
    """
    if picture.mode.startswith(("I", "F")):
        raise ImageError(
            "unsupported-format", f"PIL's mode {picture.mode} is not supported; convert it to RGB or L"
        )
    orientation = picture.getexif().get(ExifTags.Base.Orientation, 1)
    return _resize(_to_rgb(_turn_upright(picture, orientation), Depth(255, is_deep=False)), spec)


def read_header(data: bytes) -> Header:
    """Return the format and the size of a picture file without decoding it.

    Raises:
        ImageError: As `decode` does.
    """
    header = open_picture(data)
    picture, is_sideways = header.picture, header.orientation in SIDEWAYS
    width, height = reversed(picture.size) if is_sideways else picture.size
    return Header(str(picture.format), width, height)


def read(file: Path) -> bytes:
    """Return the bytes of a picture file; of a file that is too large only one byte too many."""
    with file.open("rb") as stream:
        return stream.read(limits.MAX_BYTES + 1)


def check(data: bytes) -> None:
    """Raise the `ImageError` that decoding this picture file would raise."""
    decode(data, InputSpec(32, 32))


def _shrink_while_decoding(picture: Image.Image, spec: InputSpec) -> None:
    """Let libjpeg decode a large photo at 1/2, 1/4 or 1/8, never below twice the input's longer side.

    A 12-megapixel photo then takes a fraction of the time and memory. What is larger than any other format
    may be is decoded at 1/2 at least. Training and serving both use this function, so their pixels are
    equal.
    """
    if not isinstance(picture, JpegImagePlugin.JpegImageFile):
        return
    side = 2 * max(spec.height, spec.width)
    is_huge = picture.width * picture.height > limits.MAX_PIXELS
    half = (picture.width // 2, picture.height // 2) if is_huge else (side, side)
    picture.draft(None, (min(side, half[0]), min(side, half[1])))


def _turn_upright(picture: Image.Image, orientation: int) -> Image.Image:
    turn = TURNS.get(orientation)
    return picture if turn is None else picture.transpose(turn)


def _to_rgb(picture: Image.Image, depth: Depth) -> Image.Image:
    """Convert tile by tile, because some modes need five times the picture's memory on the way."""
    if picture.mode == "RGB" and not picture.has_transparency_data:
        return picture
    rgb = Image.new("RGB", picture.size)
    for y in range(0, picture.height, TILE):
        for x in range(0, picture.width, TILE):
            box = (x, y, min(x + TILE, picture.width), min(y + TILE, picture.height))
            rgb.paste(_tile_to_rgb(picture.crop(box), depth), box)
    return rgb


def _tile_to_rgb(picture: Image.Image, depth: Depth) -> Image.Image:
    if picture.mode.startswith(("I", "F")):
        return to_8_bits(picture, depth).convert("RGB")
    if picture.has_transparency_data:
        rgba = picture.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return picture.convert("RGB")


def _resize(picture: Image.Image, spec: InputSpec) -> Image.Image:
    size = (spec.width, spec.height)
    method = Image.Resampling[spec.interpolation.upper()]
    if spec.resize == "crop":
        from PIL import ImageOps  # 1.4 ms of an import that the other methods don't need

        return ImageOps.fit(picture, size, method)
    if spec.resize == "pad":
        return _pad(picture, size, method)
    return picture.resize(size, method)


def _pad(picture: Image.Image, size: tuple[int, int], method: Image.Resampling) -> Image.Image:
    # Not ImageOps.pad: it rounds the short side of a very thin picture to nothing, and all is black.
    scale = min(size[0] / picture.width, size[1] / picture.height)
    width, height = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    canvas = Image.new("RGB", size, "black")
    canvas.paste(picture.resize((width, height), method), ((size[0] - width) // 2, (size[1] - height) // 2))
    return canvas
