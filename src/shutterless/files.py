"""Outputs that appear whole or not at all, and that replace nothing but what shutterless wrote itself.

Every command follows one convention. A bundle, a report, an inspection or a build context, which can be
made again from what it was made of, replaces an earlier one if that holds nothing else. Runs and photos
are never replaced. No output may lie among the photos it is made from.
"""

import errno
import os
import re
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from shutterless.errors import OutputError, cannot_write

# What a draft is called: the name of its output, hidden, with a random token.
DRAFT = re.compile(r"\.(.+)\.[0-9a-f]{8}\.part", re.DOTALL)
NEW, OLD = "new", "old"
# Of renameat2(2): paths are relative to the working folder; both names change places.
AT_FDCWD, RENAME_EXCHANGE = -100, 2
NOT_SUPPORTED = (errno.ENOSYS, errno.EINVAL, errno.EXDEV, errno.ENOTSUP, errno.EPERM)
# A recipe, a description or a price table is a few kilobytes.
MAX_TEXT_BYTES = 10_000_000
# A list of a million photos with long names, or the confusions of a thousand labels, is larger.
MAX_TABLE_BYTES = 300_000_000
# A mark stands in the head of a page.
HEAD_BYTES = 2000


@dataclass(frozen=True)
class Output:
    """A kind of folder that shutterless writes.

    required: the files by which it is recognised. optional: other files that belong to it.
    marks: file → a text near its beginning, for files that anybody might call by that name.
    """

    name: str
    required: frozenset[str]
    optional: frozenset[str] = frozenset()
    marks: tuple[tuple[str, bytes], ...] = ()

    def matches(self, folder: Path) -> bool:
        """Tell whether `folder` is such an output, whatever else it holds."""
        return all((folder / name).is_file() for name in self.required) and all(
            has_mark(folder / name, mark) for name, mark in self.marks
        )


REPORT_MARK = b'<meta name="generator" content="shutterless report">'
INSPECTION_MARK = b'<meta name="generator" content="shutterless dataset inspect">'
# In a report's folder of figures: the names of the figures, one a line.
FIGURES_LIST = ".shutterless-figures"

RUN = Output("a run", frozenset({"recipe.toml", "split.csv"}))
BUNDLE = Output(
    "a bundle",
    frozenset({"bundle.json", "model.tflite"}),
    frozenset({"training_photos.txt"}),
    (("bundle.json", b'"format_version"'),),
)
REPORT = Output("a report", frozenset({"report.html"}), marks=(("report.html", REPORT_MARK),))
FIGURES = Output("a report's figures", frozenset({FIGURES_LIST}))
INSPECTION = Output(
    "an inspection",
    frozenset({"index.html"}),
    frozenset({"counts.png", "samples.png"}),
    (("index.html", INSPECTION_MARK),),
)
CONTEXT = Output(
    "a build context",
    frozenset({"Dockerfile", "dependencies.tar", "runtime.tar", "bundle.tar"}),
    frozenset({"README.md"}),
)
OUTPUTS = (RUN, BUNDLE, REPORT, FIGURES, INSPECTION, CONTEXT)


def recognise_output(folder: Path) -> Output | None:
    """Return which of shutterless's outputs `folder` is, or None."""
    return next((output for output in OUTPUTS if output.matches(folder)), None)


def ensure_writable(output: Path) -> None:
    """Raise ShutterlessError if nothing can be written to `output`, a file or folder that may be new."""
    place = next(path for path in (output.absolute(), *output.absolute().parents) if path.exists())
    if place == output.absolute() and not place.is_dir():
        place = place.parent
    if not place.is_dir():
        raise OutputError(
            "cannot-write", f"Cannot write {output}: {place} is a file", "Choose another folder."
        )
    if not os.access(place, os.W_OK | os.X_OK):
        raise cannot_write(output, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))


def ensure_empty(folder: Path) -> None:
    """Raise ShutterlessError if `folder` is a file or holds anything but leftovers of ours.

    So it does if it cannot be written.
    """
    ensure_writable(folder)
    if folder.exists() and (not folder.is_dir() or entries(folder)):
        raise OutputError(
            "not-empty",
            f"{folder} already exists and is not empty",
            "Choose a new folder, or empty this one first.",
        )


def ensure_replaceable(folder: Path, output: Output) -> None:
    """Raise ShutterlessError unless `folder` is missing, empty, or such an output and nothing else.

    So it does if it cannot be written.
    """
    ensure_writable(folder)
    if not folder.exists() or (folder.is_dir() and not entries(folder)):
        return
    if not folder.is_dir() or not _is_wholly(folder, output):
        raise OutputError(
            "not-ours",
            f"{folder} already exists and is not just {output.name}",
            "Choose a new or empty folder.",
        )


def ensure_outside(folder: Path, photos: Path) -> None:
    """Raise ShutterlessError if the output `folder` lies in the folder `photos`, or is it.

    It would be one of the labels next time.
    """
    if folder.resolve().is_relative_to(photos.resolve()):
        raise OutputError(
            "output-inside-photos",
            f"The output {folder} lies in the folder of photos {photos}",
            "Choose a folder outside it: whatever lies among the photos counts as photos.",
        )


def entries(folder: Path) -> set[str]:
    """Return the names in `folder`, without the drafts that writing leaves when its process is killed."""
    return {path.name for path in folder.iterdir() if not DRAFT.fullmatch(path.name)}


def has_mark(file: Path, mark: bytes) -> bool:
    """Tell whether `mark` stands near the beginning of a plain file that may be read."""
    try:
        return mark in read_head(file, HEAD_BYTES)
    except OSError:
        return False


def read_head(file: Path, size: int) -> bytes:
    """Return up to `size` bytes from the start of a plain file; raises OSError for a pipe or a device."""
    _require_plain(file)
    with file.open("rb", buffering=0) as stream:
        return stream.read(size)


def read_text(file: Path, limit: int = MAX_TEXT_BYTES) -> str:
    """Return the UTF-8 text of a plain file, with line ends as they are.

    Raises OSError if it is no plain file (reading a pipe or a device might never end), if it has more
    than `limit` bytes, or if it cannot be read; UnicodeDecodeError if it is not UTF-8.
    """
    _require_plain(file)
    with file.open("rb") as stream:
        data = stream.read(limit + 1)
    if len(data) > limit:
        raise OSError(errno.EFBIG, f"it has more than {limit:,} bytes", str(file))
    return data.decode("utf-8")


@contextmanager
def atomic_file(file: Path) -> Iterator[Path]:
    """Give a path to write to; what is there when the block ends without an error becomes `file`.

    Raises ShutterlessError in place of an OSError, as on a full disk.
    """
    try:
        with _draft(file) as draft:
            yield draft / file.name
            (draft / file.name).replace(file)
    except OSError as error:
        raise cannot_write(file, error) from error


@contextmanager
def atomic_directory(folder: Path, what: str) -> Iterator[Path]:
    """Give an empty folder; when the block ends without an error it takes the place of `folder`.

    What `folder` held is replaced, in one step where the system can: check it beforehand with
    `ensure_empty` or `ensure_replaceable`. The working folder and mount points, which cannot be replaced
    themselves, are filled entry by entry.

    what: is named in the error message. Raises ShutterlessError in place of an OSError.
    """
    try:
        target = folder.resolve()
        fixed = target.is_dir() and (os.path.ismount(target) or target.samefile("."))
        with _draft(target / "output" if fixed else target) as draft:
            new = draft / NEW
            new.mkdir()
            yield new
            if fixed:
                _refill(target, new)
            else:
                _put(new, target)
    except OSError as error:
        raise cannot_write(f"{what} to {folder}", error) from error


@contextmanager
def _draft(target: Path) -> Iterator[Path]:
    """Give an empty folder beside `target`, locked while this process lives, and remove it at the end."""
    import shutil  # which imports all kinds of archives, and which `--help` needs not

    target.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(target)
    draft = target.with_name(f".{target.name}.{os.urandom(4).hex()}.part")
    draft.mkdir()
    lock = _lock(draft)
    try:
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def _remove_leftovers(target: Path) -> None:
    """Remove drafts of `target` whose process was killed; put back an output that it had moved aside."""
    import shutil

    for leftover in target.parent.iterdir():
        match = DRAFT.fullmatch(leftover.name)
        if not match or match[1] != target.name or (lock := _lock(leftover)) is None:
            continue
        with suppress(OSError):
            if not target.exists():
                (leftover / OLD).rename(target)
        shutil.rmtree(leftover, ignore_errors=True)
        os.close(lock)


def _lock(folder: Path) -> int | None:
    """Lock a folder, which ends with the process; return None where another has it, or nobody can."""
    if sys.platform == "win32":
        return None
    import fcntl

    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _put(new: Path, target: Path) -> None:
    """Rename `new` to `target`; what is there goes into the draft around `new`, to be removed with it."""
    if not target.exists() or not any(target.iterdir()):
        new.replace(target)
    elif not _exchange(new, target):
        old = new.with_name(OLD)
        target.rename(old)
        try:
            new.rename(target)
        except BaseException:
            old.rename(target)
            raise


def _exchange(one: Path, other: Path) -> bool:
    """Let two folders change places in one step; return False where the system or the disk cannot."""
    import ctypes

    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError, TypeError):  # not Linux, or an old C library
        return False
    if rename(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in NOT_SUPPORTED:
        return False
    raise OSError(number, os.strerror(number), str(other))


def _refill(target: Path, new: Path) -> None:
    """Replace what is in `target` by what is in `new`, entry by entry."""
    import shutil

    for name in sorted(entries(target)):
        if (target / name).is_dir() and not (target / name).is_symlink():
            shutil.rmtree(target / name)
        elif not (new / name).is_file():
            (target / name).unlink()
    for entry in sorted(new.iterdir()):
        entry.replace(target / entry.name)


def _is_wholly(folder: Path, output: Output) -> bool:
    return output.matches(folder) and entries(folder) <= output.required | output.optional


def _require_plain(file: Path) -> None:
    mode = file.stat().st_mode
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(file))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "it is not a plain file", str(file))
