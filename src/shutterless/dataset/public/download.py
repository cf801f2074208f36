"""Download a public data set, and verify that it is what was published."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from shutterless.dataset.layout import find_pictures, subfolders
from shutterless.dataset.public.archive import unpack
from shutterless.dataset.public.transfer import discard, download_file
from shutterless.errors import DatasetError, InputError
from shutterless.files import atomic_directory, ensure_empty
from shutterless.utils.progress import Progress, automatic


@dataclass(frozen=True)
class PublicDataset:
    """Where a data set is, and what it contains.

    Attributes:
        url: A .tar.gz of a Git repository at one commit.
        photos: Split → number of photos.
        trees: Split → the id that Git gives the split's folder, a SHA-1 over every name and byte in it.
        size: Approximate bytes of the archive; one twice as large is refused.
    """

    url: str
    photos: Mapping[str, int]
    trees: Mapping[str, str]
    size: int


# "Clothing dataset (small)", CC0, by Alexey Grigorev and the people who gave their photos. The commit is the
# one that holds the photos in an index of public repositories; the ids are computed from copies of the
# train and validation photos. No copy of the test photos was available, so they are only counted.
PUBLIC_DATASETS = {
    "clothing": PublicDataset(
        url="https://codeload.github.com/alexeygrigorev/clothing-dataset-small/tar.gz/"
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
    """Download a public data set, verify it, and put it into a folder by split and label.

    Until it is complete, the archive is next to the folder as <folder>.tar.gz.part. If the connection is
    lost, the next attempt continues from there if the server supports it.

    Args:
        name: Name of the data set: `clothing`.
        folder: A new or empty folder.
        progress: Called during the download, in kilobytes.

    Returns:
        The folder.

    Raises:
        InputError: There is no data set of this name (`unknown-dataset`).
        OutputError: The folder is not empty (`not-empty`) or cannot be written (`cannot-write`).
        DatasetError: The download failed (`download-failed`, `download-interrupted`,
            `download-too-large`), or the result is not what was published (`archive-refused`,
            `download-differs`). The folder is then not created.

    Example:
        >>> import shutterless
        >>> shutterless.download_dataset("clothing", "clothing")  # doctest: +SKIP
        PosixPath('clothing')
    """
    folder = Path(folder)
    if name not in PUBLIC_DATASETS:
        raise InputError(
            "unknown-dataset",
            f"There is no data set {name!r}",
            f"Choose one of: {', '.join(PUBLIC_DATASETS)}.",
        )
    dataset = PUBLIC_DATASETS[name]
    ensure_empty(folder)
    archive = folder.absolute().with_name(f"{folder.absolute().name}.tar.gz.part")

    def report(size: int, total: int | None) -> None:
        progress("downloading, in kB", size // 1000, max(total or dataset.size, size) // 1000)

    with atomic_directory(folder, "the data set") as draft:
        download_file(dataset.url, archive, max_bytes=2 * dataset.size, report=report)
        try:
            unpack(archive, draft)
            _verify(draft, dataset)
        except DatasetError:
            discard(archive)  # continuing it would only give the same again
            raise
    discard(archive)
    return folder


def _verify(folder: Path, dataset: PublicDataset) -> None:
    for split, count in dataset.photos.items():
        photos, _ = find_pictures(folder / split)
        if len(photos) != count:
            raise _differs(f"{split} has {len(photos):,} photos instead of {count:,}")
    for split, expected_tree in dataset.trees.items():
        if (tree := git_tree(folder / split)) != expected_tree:
            raise _differs(f"{split} has the Git tree {tree} instead of {expected_tree}")


def git_tree(folder: Path) -> str:
    """Return the id, in hex, that Git gives a folder of plain files and folders, without hidden folders.

    Source: Git's object format; `git rev-parse HEAD:train` prints the same.
    """
    entries = [
        (f"{path.name}/", b"40000", path.name, bytes.fromhex(git_tree(path))) for path in subfolders(folder)
    ]
    entries += [
        (path.name, b"100644", path.name, _git_id("blob", path.read_bytes()))
        for path in folder.iterdir()
        if path.is_file()
    ]
    tree = b"".join(b"%s %s\0%s" % (mode, name.encode(), digest) for _, mode, name, digest in sorted(entries))
    return _git_id("tree", tree).hex()


def _git_id(kind: str, content: bytes) -> bytes:
    return hashlib.sha1(f"{kind} {len(content)}\0".encode() + content, usedforsecurity=False).digest()


def _differs(reason: str) -> DatasetError:
    return DatasetError(
        "download-differs",
        f"The download is not what was published: {reason}",
        "Nothing was kept. Run it again; if it fails again, look for a newer version of shutterless.",
    )
