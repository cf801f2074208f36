"""Hash files."""

import hashlib
from pathlib import Path


def file_hash(file: Path) -> str:
    """Return the SHA-256 of a file in hex, without reading all of it into memory.

    Raises:
        OSError: It cannot be read.
    """
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
