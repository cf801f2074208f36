"""Photos as a reviewer sees them."""

from shutterless.batch_jobs.worker.child import make_thumbnail
from shutterless.review.items import Item
from shutterless.runtime.image import decoder
from shutterless.runtime.problems import Problem


def show_photo(item: Item, side: int) -> bytes:
    """Return a photo as a JPEG in its own proportions.

    Args:
        item: The photo.
        side: Pixels of its longer side; smaller photos keep their size.

    Raises:
        Problem: It is not on this machine (`not-found`), or cannot be decoded.
    """
    if item.content is not None:
        return make_thumbnail(item.content, side)
    if item.file is None:
        raise Problem("not-found", f"{item.name} is not on this machine")
    try:
        return make_thumbnail(decoder.read(item.file), side)
    except OSError as error:
        raise Problem("not-found", f"{item.name}: {error.strerror or error}") from error
