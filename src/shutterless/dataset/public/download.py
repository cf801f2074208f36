"""Fetch a public data set from where it is published, and check that it is what was published."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from shutterless.dataset.layout import find_pictures, subfolders
from shutterless.dataset.public.archive import unpack
from shutterless.dataset.public.transfer import fetch, forget
from shutterless.errors import DatasetError, InputError, ShutterlessError
from shutterless.files import atomic_directory, ensure_empty
from shutterless.utils.progress import Progress, automatic


@dataclass(frozen=True)
class Published:
    """Where a data set is and what it holds.

    address: of a .tar.gz of a Git repository at one commit. photos: split → number. trees: split → the
    id that Git gives the split's folder, a SHA-1 of every name and byte in it; a split that has none is
    checked by its number. size: bytes of the archive, about; an archive twice as large is refused.
    """

    address: str
    photos: Mapping[str, int]
    trees: Mapping[str, str]
    size: int


# "Clothing dataset (small)", CC0, by Alexey Grigorev and the people who gave their photos. The commit is the
# one that holds the photos in an index of public repositories; the ids are computed from copies of the
# train and validation photos. No copy of the test photos was at hand: they are counted.
PUBLISHED = {
    "clothing": Published(
        address="https://codeload.github.com/alexeygrigorev/clothing-dataset-small/tar.gz/"
        "36364be1969242c019705255cd87aed00c73a939",
        photos={"train": 3068, "validation": 341, "test": 372},
        trees={
            "train": "cc90b85bb4b32560a4316e6f6031b73a17860e97",
            "validation": "d64391f0dd7a926616fd01c77a65d4b9d3fc78d9",
        },
        size=110_000_000,
    )
}


def download_dataset(name: str, folder: str | Path, *, progress: Progress = automatic) -> Path:
    """Fetch the data set `name`, check it and lay it out in `folder` by split and label; return `folder`.

    Until it is complete it is in the file <folder>.tar.gz.part beside, with which the next try goes on
    if the server permits.

    Raises ShutterlessError if the name is not known, `folder` holds anything, the network or the server
    fails, or what came is not what was published; no half-filled folder is left.
    """
    folder = Path(folder)
    if name not in PUBLISHED:
        raise InputError(
            "unknown-dataset", f"No data set is known as {name!r}", f"Known are: {', '.join(PUBLISHED)}."
        )
    published = PUBLISHED[name]
    ensure_empty(folder)
    target = folder.absolute()
    part = target.with_name(f"{target.name}.tar.gz.part")
    with atomic_directory(folder, "the data set") as fresh:
        _fetch(published, part, progress)
        try:
            unpack(part, fresh)
            verify(fresh, published)
        except ShutterlessError:
            forget(part)  # going on with it would only bring the same again
            raise
    forget(part)
    return folder


def _fetch(published: Published, part: Path, progress: Progress) -> None:
    def report(have: int, whole: int | None) -> None:
        total = max(whole or published.size, have)
        progress("downloading, in kB", have // 1000, total // 1000)

    fetch(published.address, part, most=2 * published.size, report=report)


def verify(folder: Path, published: Published) -> None:
    """Raise ShutterlessError if the photos in `folder` are not those that were published."""
    for split, number in published.photos.items():
        photos = len(find_pictures(folder / split)[0])
        if photos != number:
            raise _wrong(f"{split} has {photos:,} photos instead of {number:,}")
    for split, tree in published.trees.items():
        if (found := git_tree(folder / split)) != tree:
            raise _wrong(f"{split} has the Git tree {found} instead of {tree}")


def git_tree(folder: Path) -> str:
    """Return the id, in hex, that Git gives a folder of plain files and folders, hidden folders left out."""
    entries = [
        (f"{path.name}/", b"40000 " + path.name.encode() + b"\0" + bytes.fromhex(git_tree(path)))
        for path in subfolders(folder)
    ]
    entries += [
        (path.name, b"100644 " + path.name.encode() + b"\0" + _git_id("blob", path.read_bytes()))
        for path in folder.iterdir()
        if path.is_file()
    ]
    return _git_id("tree", b"".join(entry for _, entry in sorted(entries))).hex()


def _git_id(kind: str, content: bytes) -> bytes:
    return hashlib.sha1(f"{kind} {len(content)}\0".encode() + content, usedforsecurity=False).digest()


def _wrong(reason: str) -> ShutterlessError:
    return DatasetError(
        "download-differs",
        f"What was downloaded is not what was published: {reason}",
        "Nothing was kept. Run it again; if it stays so, look for a newer shutterless.",
    )
