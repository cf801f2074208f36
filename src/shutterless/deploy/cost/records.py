"""How many bytes records add to the log."""

from shutterless.runtime.settings import parse_kept_photos

# Bytes of a record with ten labels and an embedding of 64 numbers, and of a kept photo, measured on clothing
# photos of 400 x 533 pixels.
RECORD_BYTES, PHOTO_BYTES = 400, 40_000
# The share of the answers that a model doesn't accept; it depends on the model and on what it is sent.
REFUSED_SHARE = 0.1


def estimate_record_bytes(records: str, keep_photos: str = "off") -> int:
    """Return how many bytes the records add to the log line of a request with one picture.

    Args:
        records: `on` or `off`.
        keep_photos: Which photos are kept, see `KeptPhotos`.

    Raises:
        ShutterlessError: `keep_photos` is not valid.

    Example:
        >>> estimate_record_bytes("on", "sample:0.01")
        800
    """
    if records != "on":
        return 0
    kept = parse_kept_photos(keep_photos, "--keep-photos")
    refused = REFUSED_SHARE if kept.refused else 0.0
    return round(RECORD_BYTES + PHOTO_BYTES * (refused + (1 - refused) * kept.share))
