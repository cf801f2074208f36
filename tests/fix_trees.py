"""Small data sets, findings for them, and a machine that stops in the middle of a fix."""

import csv
import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from shutterless.curation.fixes.journal import FOLDER
from shutterless.files import DRAFT

Row = tuple[str, str, str]  # action, path, target
PHOTOS = tuple(
    f"{split}/{label}/{name}"
    for split in ("train", "validation")
    for label in ("hat", "shirt")
    for name in ("1.jpg", "2.jpg", "more/1.jpg")
)


def make_photos(root: Path, paths: tuple[str, ...] = PHOTOS) -> Path:
    """Write photos, each with content and a time of its own; nothing but their names is looked at."""
    for number, path in enumerate(paths):
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(f"photo {number}".encode())
        os.utime(file, ns=(0, 10**18 + number))
    return root


def write_findings(file: Path, *rows: Row, accept: str = "yes") -> Path:
    """Write findings.csv with these rows accepted."""
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("id", "action", "path", "target", "accept"))
        writer.writerows((f"id-{number}", *row, accept) for number, row in enumerate(rows))
    return file


def tree(root: Path) -> dict[str, tuple[bytes, int]]:
    """Return path → content and time of every file, path → nothing of every folder, without the journal's."""
    entries = {}
    for path in root.rglob("*"):
        relative = path.relative_to(root)
        if relative.parts[0] != FOLDER and not any(map(DRAFT.fullmatch, relative.parts)):
            content = (path.read_bytes(), path.stat().st_mtime_ns) if path.is_file() else (b"", 0)
            entries[relative.as_posix()] = content
    return entries


class StoppedError(BaseException):
    """The machine stops."""


@contextmanager
def machine(root: Path, file_system: str = "links", steps: int | None = None) -> Iterator[None]:
    """Run with a file system of some kind, on a machine that stops after a number of changes to it.

    Args:
        root: The folder on it; each of its folders is on a disk of its own if `file_system` is "disks".
        file_system: "links", "no links" or "disks".
        steps: After how many changes it stops; None for never.
    """
    left = steps

    def count() -> None:
        nonlocal left
        if left is not None:
            if left == 0:
                raise StoppedError
            left -= 1

    def counted(function):
        def call(path, *arguments, **options):
            if ".lock" not in str(path):
                count()
            return function(path, *arguments, **options)

        return call

    link = os.link

    def make_link(source, target, **options):
        if file_system == "no links":
            raise PermissionError(errno.EPERM, "no hard links")
        if file_system == "disks" and disk(source) != disk(target):
            raise OSError(errno.EXDEV, "another disk")
        link(source, target, **options)

    def disk(path) -> str:
        return Path(path).relative_to(root).parts[0]

    def copy(source, target):
        data = Path(source).read_bytes()
        Path(target).write_bytes(data[: len(data) // 2])
        count()
        Path(target).write_bytes(data)
        shutil.copystat(source, target)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "link", counted(make_link))
        patch.setattr(shutil, "copy2", copy)
        patch.setattr(os, "fsync", lambda descriptor: count())
        for name in ("mkdir", "rename", "rmdir", "unlink"):
            patch.setattr(os, name, counted(getattr(os, name)))
        yield
