"""A folder that is filled beside its place and comes there whole, or not at all."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shutterless.errors import ShutterlessError, cannot_write


def require_empty(folder: Path) -> None:
    """Raise ShutterlessError if `folder` is a file or holds anything."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ShutterlessError(
            f"{folder} is there already and not empty", "Choose a new folder, or empty this one first."
        )


@contextmanager
def fresh_folder(folder: Path, what: str) -> Iterator[Path]:
    """Give a folder to fill; once the block has ended well, all that is in it stands in `folder`.

    Raises ShutterlessError if `folder` holds anything, or if it or `what` goes into it cannot be
    written; nothing half-written is left.
    """
    target = folder.absolute()
    beside = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        require_empty(folder)
        beside.mkdir(parents=True)
        yield beside
        target.mkdir(exist_ok=True)
        for entry in sorted(beside.iterdir()):  # an empty target is kept, as it may be the working folder
            entry.rename(target / entry.name)
    except OSError as error:
        raise cannot_write(f"{what} to {folder}", error) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
