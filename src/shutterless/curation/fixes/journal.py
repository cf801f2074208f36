"""The journal of a data set's fixes: each is written down before its first change, so that none gets lost.

`PHOTOS/.shutterless/fixes.jsonl` has two lines for a fix. The first, which is on the disk before any photo is
moved, has every move. The second says that all of them are complete. An undo is written down like a fix, with
the moves back. If the last fix has no second line, it was interrupted.

The journal may come with photos of strangers, so no path in it may lead out of the data set.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from shutterless.artifacts.split import SHA256, leads_outside
from shutterless.errors import DatasetError, cannot_write
from shutterless.files import sync_folder
from shutterless.runtime.json_types import JsonObject
from shutterless.text_files import MAX_TABLE_BYTES, parse_json, read_bytes

FOLDER = ".shutterless"  # hidden: no photo below it belongs to the data set
JOURNAL = f"{FOLDER}/fixes.jsonl"
REMOVED = f"{FOLDER}/removed"


@dataclass(frozen=True)
class FixStep:
    """One photo that a fix, or its undo, moves.

    Attributes:
        action: `move` to another label, `rename` or `remove`.
        path: Where the photo was, relative to the data set's folder.
        new_path: Where it is now; below `.shutterless/removed` if it was removed.
        sha256: SHA-256 of its content, in hex.
        target: What the finding asked for: a label, `_other` or a file name.
        identical_to: Path of a photo with the same content whose name it could not have; empty if there is
            none.
    """

    action: str
    path: str
    new_path: str
    sha256: str
    target: str = ""
    identical_to: str = ""

    @property
    def paths(self) -> tuple[str, str]:
        """Return the old and the new path."""
        return self.path, self.new_path

    def reversed(self) -> "FixStep":
        """Return the step that undoes this one."""
        return replace(self, path=self.new_path, new_path=self.path, identical_to="")


@dataclass(frozen=True)
class Record:
    """A fix, or the undo of one.

    Attributes:
        number: Its number in the journal, from 1.
        steps: What it moves.
        folders: Folders that it creates, relative to the data set's, outermost first.
        undoes: Number of the fix that it undoes; None for a fix.
        time: When it began, in ISO 8601.
        is_complete: Whether all its steps were taken.
    """

    number: int
    steps: tuple[FixStep, ...]
    folders: tuple[str, ...] = ()
    undoes: int | None = None
    time: str = ""
    is_complete: bool = False


@dataclass
class Journal:
    """The journal of one data set.

    Attributes:
        root: The data set's folder.
        records: Number → fix or undo, in the order in which they were made.
    """

    root: Path
    records: dict[int, Record] = field(default_factory=dict)
    _size: int = 0  # in bytes, without a line that an interruption cut off

    @property
    def unfinished(self) -> Record | None:
        """Return the fix or undo that was interrupted, if one was."""
        last = next(reversed(self.records.values()), None)
        return last if last and not last.is_complete else None

    @property
    def fixes(self) -> tuple[Record, ...]:
        """Return the fixes that are not undone."""
        undone_numbers = {record.undoes for record in self.records.values()}
        return tuple(
            record
            for record in self.records.values()
            if record.undoes is None and record.number not in undone_numbers
        )

    def begin(
        self, steps: tuple[FixStep, ...], folders: tuple[str, ...] = (), undoes: int | None = None
    ) -> Record:
        """Write a fix or an undo down before its first step.

        Raises:
            OutputError: The journal cannot be written (`cannot-write`).
        """
        number = max(self.records, default=0) + 1
        record = Record(number, steps, folders, undoes, datetime.now(UTC).isoformat(timespec="seconds"))
        self._append(
            {
                "begin": number,
                "time": record.time,
                "undoes": undoes,
                "folders": list(folders),
                "steps": [asdict(step) for step in steps],
            }
        )
        self.records[number] = record
        return record

    def end(self, record: Record) -> None:
        """Write down that every step of a fix or an undo was taken.

        Raises:
            OutputError: The journal cannot be written (`cannot-write`).
        """
        self._append({"end": record.number})
        self.records[record.number] = replace(record, is_complete=True)

    def _append(self, document: JsonObject) -> None:
        line = (json.dumps(document) + "\n").encode()
        file = self.root / JOURNAL
        try:
            with file.open("r+b" if file.exists() else "xb") as stream:
                stream.truncate(self._size)
                stream.seek(self._size)
                stream.write(line)
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            raise cannot_write(file, error) from error
        sync_folder(file.parent)
        self._size += len(line)


def read_journal(root: Path) -> Journal:
    """Read the journal of a data set; it is empty if there is none.

    Raises:
        DatasetError: It is not one that shutterless has written (`unreadable-journal`).
    """
    file = root / JOURNAL
    refuse_links(root)
    try:
        data = read_bytes(file, MAX_TABLE_BYTES)
        lines = data[: data.rfind(b"\n") + 1].splitlines()
        journal = Journal(root, _size=data.rfind(b"\n") + 1)
        for line in lines:
            _add(journal.records, parse_json(line.decode("utf-8")))
    except FileNotFoundError:
        return Journal(root)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _unreadable(file, str(error)) from error
    return journal


def refuse_links(root: Path) -> None:
    """Check that nothing would be written outside the data set.

    Raises:
        DatasetError: The journal or its folder is a symbolic link (`unreadable-journal`).
    """
    for path in (root / FOLDER, root / JOURNAL):
        if path.is_symlink():
            raise _unreadable(root / JOURNAL, f"{path} is a symbolic link")


def _add(records: dict[int, Record], document: object) -> None:
    """Add what a line of the journal says; ValueError, KeyError or TypeError if it says anything else."""
    if not isinstance(document, dict):
        raise TypeError("a line is not a JSON object")
    last = next(reversed(records.values()), None)
    if "end" in document:
        if last is None or last.number != document["end"]:
            raise ValueError(f"fix {document['end']} ends before it begins")
        records[last.number] = replace(last, is_complete=True)
        return
    number, undoes = int(document["begin"]), document["undoes"]
    if number != len(records) + 1 or (undoes is not None and undoes not in records):
        raise ValueError(f"fix {number} is not the next one")
    folders = tuple(_inside(folder) for folder in document["folders"])
    steps = tuple(map(_parse_step, document["steps"]))
    records[number] = Record(number, steps, folders, undoes, str(document["time"]))


def _parse_step(document: Mapping[str, object]) -> FixStep:
    step = FixStep(**{name: str(value) for name, value in document.items()})
    if not SHA256.fullmatch(step.sha256):
        raise ValueError(f"{step.sha256[:80]} is not a SHA-256")
    _inside(step.path)
    _inside(step.new_path)
    return step


def _inside(path: str) -> str:
    """Return a relative path that stays in the data set, also on Windows; refuse any other."""
    if not path or "\0" in path or leads_outside(path):
        raise ValueError(f"{path!r} is not a path in the data set")
    return path


def _unreadable(file: Path, reason: str) -> DatasetError:
    return DatasetError(
        "unreadable-journal",
        f"Cannot read the journal {file}: {reason}",
        "Restore it from a backup. If the photos came with it from somebody else, delete it.",
    )
