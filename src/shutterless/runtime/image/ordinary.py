"""Decode a stranger's picture in this process if it is an ordinary photo.

Ordinary is what phones, cameras and web sites make, by what its header says that decoding it takes. Anything
else is decoded in a child process, see `isolation.py`.
"""

from collections.abc import Callable

from PIL import Image

from shutterless.runtime.host_resources import available_memory
from shutterless.runtime.image.budget import MAX_CHILD_MEMORY, Budget
from shutterless.runtime.image.decoder import InputSpec, PreparedPicture
from shutterless.runtime.image.opener import detect_format, open_file, strip_metadata, too_much_memory
from shutterless.runtime.image.work import Work, exceeds

FORMATS = ("JPEG", "PNG", "WEBP")
MAX_WORK = Work(seconds=0.55, memory=230_000_000)
MAX_PIECES = 5000  # a PNG of 20 MB has 2,400 chunks
SMALL_MEMORY = 32_000_000  # for which there is always room


def decode_ordinary(
    data: bytes,
    spec: InputSpec,
    budget: Budget,
    use_photo: Callable[[Image.Image], None] | None = None,
) -> Image.Image | None:
    """Decode a picture file as `decoder.decode` does, if it is an ordinary photo.

    Args:
        data: The whole file.
        spec: The size of the result, and how it is reached.
        budget: What the picture may take; what it takes is subtracted.
        use_photo: Called with the upright RGB picture that is resized to the input.

    Returns:
        The picture, or None if it is unusual.

    Raises:
        ImageError: As `decoder.decode` does.
        Problem: `too-large` if the budget does not suffice.
    """
    try:
        with budget.measured():
            kind = detect_format(data)
            if kind not in FORMATS:
                return None
            file = strip_metadata(kind, data)
            if file.pieces > MAX_PIECES:
                return None
            picture = PreparedPicture(open_file(kind, file), spec)
            del file
            if picture.work.memory > MAX_CHILD_MEMORY:
                raise too_much_memory()
            if exceeds(picture.work, MAX_WORK):
                return None
            budget.require(picture.work.seconds)
            if picture.work.memory > SMALL_MEMORY and picture.work.memory > available_memory():
                raise too_much_memory()
            return picture.decode(use_photo)
    except MemoryError as error:
        raise too_much_memory() from error
