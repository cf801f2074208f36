"""Read the pictures of a Teachable Machine project: a zip file with the suffix .tm.

Its format is not documented. `manifest.json` has the project's type; the pictures are members called
`<class>-!-<number>.jpg`. Other programs that read and write such files agree on that: cvtTMFile.py in
github.com/webduinoio/webai-train, for example. The names are only used as labels, never as paths.
"""

import json
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from shutterless.dataset.formats import SUFFIXES
from shutterless.dataset.sources.json_files import unreadable_export
from shutterless.dataset.sources.records import Records
from shutterless.runtime.image.limits import MAX_BYTES
from shutterless.utils.messages import shortened

TOOL = "Teachable Machine"
MANIFEST, SEPARATOR = "manifest.json", "-!-"
# A project is held in the memory of a browser.
MAX_MEMBERS, MAX_TOTAL_BYTES, MAX_MANIFEST_BYTES = 100_000, 4 << 30, 1 << 20
TOO_LARGE = f"larger than {MAX_BYTES:,} bytes"


def read_teachable_machine(file: Path, folder: Path) -> Records:
    """Unpack the pictures of a project, and return their labels.

    Args:
        file: The .tm file.
        folder: An empty folder to unpack to; the pictures get numbers for names.

    Raises:
        DatasetError: It is not an image project, or unpacks to more than any has (`unreadable-export`).
    """
    try:
        with zipfile.ZipFile(file) as archive:
            _require_image_project(file, archive)
            return _unpack(file, archive, folder)
    # zipfile raises all of these for damaged, encrypted or unknown members.
    except (OSError, EOFError, ValueError, RuntimeError, NotImplementedError, zipfile.BadZipFile) as error:
        raise unreadable_export(file, TOOL, str(error)) from error


def _require_image_project(file: Path, archive: zipfile.ZipFile) -> None:
    if len(archive.infolist()) > MAX_MEMBERS:
        raise unreadable_export(file, TOOL, f"it has {len(archive.infolist()):,} members")
    if MANIFEST not in archive.namelist():
        raise unreadable_export(file, TOOL, f"it has no {MANIFEST}")
    try:
        kind = json.loads(_read(archive, archive.getinfo(MANIFEST), MAX_MANIFEST_BYTES))["type"]
    except (TypeError, KeyError, RecursionError) as error:
        raise unreadable_export(file, TOOL, f"{MANIFEST} has no type") from error
    if kind != "image":
        raise unreadable_export(file, TOOL, f"it is a project of the type {str(kind)[:80]}, not image")


def _unpack(file: Path, archive: zipfile.ZipFile, folder: Path) -> Records:
    records, total = Records(folder), 0
    names: list[str] = []
    for member, label in _pictures(archive):
        data = _read(archive, member, MAX_BYTES)
        total += len(data)
        if total > MAX_TOTAL_BYTES:
            raise unreadable_export(file, TOOL, f"it unpacks to more than {MAX_TOTAL_BYTES:,} bytes")
        if len(data) > MAX_BYTES:
            records.skip(TOO_LARGE, member.filename)
            continue
        name = f"{len(names):06}{PurePosixPath(member.filename).suffix.lower()}"
        (folder / name).write_bytes(data)
        names.append(member.filename)
        records.add(name, label)
    if not names:
        raise unreadable_export(file, TOOL, f"it has only {shortened(archive.namelist(), 5)}")
    return records


def _pictures(archive: zipfile.ZipFile) -> Iterator[tuple[zipfile.ZipInfo, str]]:
    """Yield the members that are pictures, with the names of their classes; no links or folders."""
    for member in archive.infolist():
        label, separator, number = member.filename.rpartition(SEPARATOR)
        is_regular = stat.S_IFMT(member.external_attr >> 16) in (0, stat.S_IFREG)
        if separator and is_regular and PurePosixPath(number).suffix.lower() in SUFFIXES:
            yield member, label.strip()


def _read(archive: zipfile.ZipFile, member: zipfile.ZipInfo, limit: int) -> bytes:
    """Return the content of a member; of one that is too large only one byte too many."""
    with archive.open(member) as stream:
        return stream.read(limit + 1)
