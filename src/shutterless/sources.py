"""Find the pictures to classify: files, URLs, and every picture below a folder."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

from shutterless.errors import InputError
from shutterless.files import ensure_outside

StrPath = str | os.PathLike[str]
S3 = "s3://"  # how the address of an object begins


def is_url(source: str) -> bool:
    """Tell whether a source is an http or https URL."""
    return source.lower().startswith(("http://", "https://"))


def expand_sources(
    sources: StrPath | Iterable[StrPath],
    output: Path | None = None,
    on_note: Callable[[str], None] = lambda note: None,
) -> list[str] | Iterator[str]:
    """Replace every folder by the pictures below it, at any depth and sorted.

    Args:
        sources: A file, a folder or a URL, or several of them.
        output: The file that the answers will be written to; it must not be in one of the folders.
        on_note: Called with what is left out of a folder.

    Returns:
        Files and URLs. For one source or a sequence of them a list, in which every file exists; for any
        other iterable an iterator that reads it step by step, without checking files.

    Raises:
        InputError: A source is missing, empty or a folder without pictures.
        OutputError: `output` is in one of the folders.
    """

    def expand(source: str) -> Iterator[str]:
        if not source or is_url(source) or not Path(source).is_dir():
            yield source
            return
        from shutterless.dataset import find_pictures

        if output:
            ensure_outside(output, Path(source))
        pictures, left_out = find_pictures(Path(source))
        for reason in left_out:
            on_note(f"{source}: {reason}")
        if not pictures:
            raise InputError(
                "no-pictures", f"There are no pictures in {source}", "Give a folder with .jpg, .png … files."
            )
        yield from map(str, pictures)

    if isinstance(sources, str | os.PathLike):
        sources = [sources]
    names = (os.fspath(source) for source in sources)
    if isinstance(sources, Sequence):
        return list(chain.from_iterable(map(expand, [_check(name) for name in names])))
    return chain.from_iterable(map(expand, names))


def _check(source: str) -> str:
    """Return the name of a file, folder or URL; raise `InputError` for anything else."""
    if not source:  # pathlib takes it for the current folder
        raise InputError(
            "empty-name", "The name of a picture is empty", "Check that the shell variable is set."
        )
    if not (is_url(source) or Path(source).is_file() or Path(source).is_dir()):
        raise InputError(
            "not-found", f"There is no picture or folder {source}", "Give a file, a folder or a URL."
        )
    return source
