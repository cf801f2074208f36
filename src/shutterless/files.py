"""Write files and folders atomically, and never replace anything but shutterless's own outputs.

All commands follow the same rules. A bundle, report, inspection or build context, which can be made again,
replaces an earlier one that contains nothing else. Runs and photos are never replaced. No output may be
inside the photos folder.
"""

import errno
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from shutterless.errors import OutputError, cannot_write
from shutterless.text_files import has_mark

# Name of a draft: the name of its output, hidden, with a random token.
DRAFT = re.compile(r"\.(.+)\.[0-9a-f]{8}\.part", re.DOTALL)
NEW, OLD = "new", "old"
# renameat2(2): paths are relative to the working folder; the two names are exchanged.
AT_FDCWD, RENAME_EXCHANGE = -100, 2
NOT_SUPPORTED = (errno.ENOSYS, errno.EINVAL, errno.EXDEV, errno.ENOTSUP, errno.EPERM)
# What a file system without hard links answers, or one where this file may not get another link.
NO_HARD_LINKS = (errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL, errno.EMLINK)


@dataclass(frozen=True)
class Output:
    """A kind of folder that shutterless writes.

    Attributes:
        name: What messages call it.
        required: Files by which it is recognised.
        optional: Other files that belong to it.
        marks: File and a text near its beginning, for file names that anyone might use.
    """

    name: str
    required: frozenset[str]
    optional: frozenset[str] = frozenset()
    marks: tuple[tuple[str, bytes], ...] = ()

    def matches(self, folder: Path) -> bool:
        """Tell whether `folder` is such an output, whatever else it contains."""
        return all((folder / name).is_file() for name in self.required) and all(
            has_mark(folder / name, mark) for name, mark in self.marks
        )


REPORT_MARK = b'<meta name="generator" content="shutterless report">'
COMPARISON_MARK = b'<meta name="generator" content="shutterless compare">'
DRIFT_MARK = b'<meta name="generator" content="shutterless drift">'
INSPECTION_MARK = b'<meta name="generator" content="shutterless dataset inspect">'
# The file in a report's folder of figures that lists the figures, one name per line.
FIGURES_LIST = ".shutterless-figures"

RUN = Output("a run", frozenset({"recipe.toml", "split.csv"}))
BUNDLE = Output(
    "a bundle",
    frozenset({"bundle.json", "model.tflite"}),
    frozenset({"training_photos.txt", "validation.npz"}),
    (("bundle.json", b'"format_version"'),),
)
REPORT = Output("a report", frozenset({"report.html"}), marks=(("report.html", REPORT_MARK),))
COMPARISON = Output(
    "a comparison", frozenset({"comparison.html"}), marks=(("comparison.html", COMPARISON_MARK),)
)
FIGURES = Output("a report's figures", frozenset({FIGURES_LIST}))
INSPECTION = Output(
    "an inspection",
    frozenset({"index.html"}),
    frozenset({"counts.png", "samples.png", "findings.csv"}),
    (("index.html", INSPECTION_MARK),),
)
CONTEXT = Output(
    "a build context",
    frozenset({"Dockerfile", "dependencies.tar", "runtime.tar", "bundle.tar"}),
    frozenset({"README.md"}),
)
OUTPUTS = (RUN, BUNDLE, REPORT, COMPARISON, FIGURES, INSPECTION, CONTEXT)


def recognise_output(folder: Path) -> Output | None:
    """Return which kind of output `folder` is, or None."""
    return next((output for output in OUTPUTS if output.matches(folder)), None)


def ensure_writable(output: Path) -> None:
    """Check that a file or folder, which may not exist yet, can be written.

    Raises:
        OutputError: It cannot be written (`cannot-write`).
    """
    path = output.absolute()
    folders = path.parents if path.exists() and not path.is_dir() else (path, *path.parents)
    parent = next(folder for folder in folders if folder.exists())
    if not parent.is_dir():
        raise OutputError(
            "cannot-write", f"Cannot write {output}: {parent} is a file", "Choose another folder."
        )
    if not os.access(parent, os.W_OK | os.X_OK):
        raise cannot_write(output, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))


def ensure_empty(folder: Path) -> None:
    """Check that a folder can be written and is new or empty, apart from leftovers of ours.

    Raises:
        OutputError: It is a file or not empty (`not-empty`), or cannot be written (`cannot-write`).
    """
    ensure_writable(folder)
    if folder.exists() and (not folder.is_dir() or entries(folder)):
        raise OutputError(
            "not-empty",
            f"{folder} already exists and is not empty",
            "Choose a new folder, or empty this one first.",
        )


def ensure_replaceable(folder: Path, output: Output) -> None:
    """Check that a folder can be written and is new, empty, or such an output and nothing else.

    Raises:
        OutputError: It contains something else (`not-ours`), or cannot be written (`cannot-write`).
    """
    ensure_writable(folder)
    names = entries(folder) if folder.is_dir() else set()
    is_unused = not folder.exists() or (folder.is_dir() and not names)
    is_ours = output.matches(folder) and names <= output.required | output.optional
    if not is_unused and not is_ours:
        raise OutputError(
            "not-ours",
            f"{folder} already exists and is not just {output.name}",
            "Choose a new or empty folder.",
        )


def ensure_outside(folder: Path, photos: Path) -> None:
    """Check that an output is not inside the photos folder, where it would be a label next time.

    Raises:
        OutputError: It is inside, or the photos folder itself (`output-inside-photos`).
    """
    if folder.resolve().is_relative_to(photos.resolve()):
        raise OutputError(
            "output-inside-photos",
            f"The output {folder} is inside the photos folder {photos}",
            "Choose a folder outside it: everything inside the photos folder counts as photos.",
        )


def entries(folder: Path) -> set[str]:
    """Return the names in `folder`, without drafts that a killed process left behind."""
    return {path.name for path in folder.iterdir() if not DRAFT.fullmatch(path.name)}


@contextmanager
def atomic_file(file: Path) -> Iterator[Path]:
    """Write a file completely or not at all.

    Args:
        file: The file. It is written, or replaced, when the block ends without an exception.

    Yields:
        The path to write to.

    Raises:
        OutputError: The file cannot be written, as on a full disk (`cannot-write`); instead of any OSError.
    """
    try:
        with _draft(file) as draft:
            yield draft / file.name
            (draft / file.name).replace(file)
    except OSError as error:
        raise cannot_write(file, error) from error


@contextmanager
def atomic_directory(folder: Path, what: str) -> Iterator[Path]:
    """Write a folder completely or not at all.

    The folder is replaced in one step if the system can do that; check it before with `ensure_replaceable`.
    The working folder and mount points cannot be replaced themselves, so their entries are.

    Args:
        folder: The folder. It is written, or replaced, when the block ends without an exception.
        what: What is written, for the error message, such as "the report".

    Yields:
        An empty folder to write to.

    Raises:
        OutputError: The folder cannot be written, as on a full disk (`cannot-write`); instead of any OSError.
    """
    try:
        target = folder.resolve()
        in_place = target.is_dir() and (os.path.ismount(target) or target.samefile("."))
        with _draft(target / "output" if in_place else target) as draft:
            new = draft / NEW
            new.mkdir()
            yield new
            if in_place:
                _replace_entries(target, new)
            else:
                _replace(target, new)
    except OSError as error:
        raise cannot_write(f"{what} to {folder}", error) from error


def move_file(source: Path, target: Path) -> None:
    """Move a file, also to another file system, without ever replacing one.

    Its bytes and its modification time stay the same. An interruption leaves it at one of the two paths,
    or at both, but never nowhere or in part.

    Raises:
        OSError: `target` exists (FileExistsError), or the file cannot be moved.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)  # fails if the target exists, unlike a renaming
    except OSError as error:
        if error.errno == errno.EXDEV:
            _copy_file(source, target)
        elif error.errno in NO_HARD_LINKS:
            if os.path.lexists(target):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from error
            source.rename(target)
            return
        else:
            raise
    source.unlink()


def _copy_file(source: Path, target: Path) -> None:
    """Copy a file with its times; the target appears whole."""
    import shutil

    with _draft(target) as draft:
        copy = draft / target.name
        shutil.copy2(source, copy)
        with copy.open("rb+") as stream:
            os.fsync(stream.fileno())
        move_file(copy, target)
        sync_folder(target.parent)


def sync_folder(folder: Path) -> None:
    """Have the system write the names in a folder to the disk, where it can (Windows cannot)."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def _draft(target: Path) -> Iterator[Path]:
    """Yield an empty folder next to `target`, locked while this process lives, and remove it at the end."""
    import shutil  # slow to import, and not needed for `--help`

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
    """Remove drafts of `target` whose process was killed, and restore an output that it had moved away."""
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
    """Lock a folder until this process ends; return None if another process has it, or locks do not work."""
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


def _replace(target: Path, new: Path) -> None:
    """Rename `new` to `target`; an older output is moved into the draft around `new`, and removed with it."""
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
    """Exchange two folders in one step; return False if the system or the file system cannot."""
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


def _replace_entries(target: Path, new: Path) -> None:
    """Replace the entries of `target` by those of `new`, one by one."""
    import shutil

    for name in sorted(entries(target)):
        if (target / name).is_dir() and not (target / name).is_symlink():
            shutil.rmtree(target / name)
        elif not (new / name).is_file():
            (target / name).unlink()
    for entry in sorted(new.iterdir()):
        entry.replace(target / entry.name)
