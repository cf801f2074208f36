"""Plan a fix: check every accepted finding, and choose where each photo goes, before anything is changed."""

import os
import stat
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from functools import cache, partial
from itertools import chain, count
from pathlib import Path, PurePosixPath

from shutterless.curation.fixes.accepted import AcceptedFinding
from shutterless.curation.fixes.journal import REMOVED, FixStep, Journal
from shutterless.curation.fixes.problems import FixProblem
from shutterless.dataset.layout import find_photos, unwrap
from shutterless.dataset.types import OTHER
from shutterless.utils.hashing import file_hash
from shutterless.utils.messages import did_you_mean
from shutterless.utils.parallel import map_in_threads
from shutterless.utils.progress import Progress, silent

ACTIONS = ("move", "rename", "remove")
MAX_NAME_BYTES = 255  # of one file name, on nearly every file system
# Characters that some system does not allow in a file name.
SPECIAL = frozenset('/\\:*?"<>|')


class _RefusedError(Exception):
    """A finding cannot be applied; the arguments are the code and the reason of its `FixProblem`."""


@dataclass(frozen=True)
class FixPlan:
    """What a fix would do.

    Attributes:
        steps: In the order of the findings. They do not depend on each other.
        folders: Folders that it would create, relative to the data set's, outermost first.
        already_applied: Number of findings that an earlier fix has applied.
        problems: Findings that cannot be applied, in the order of their rows.
    """

    steps: tuple[FixStep, ...]
    folders: tuple[str, ...]
    already_applied: int
    problems: tuple[FixProblem, ...]


def plan_fix(
    root: Path,
    findings: Sequence[AcceptedFinding],
    journal: Journal,
    progress: Progress,
    new_labels: Set[str] = frozenset(),
) -> FixPlan:
    """Check every finding, and plan the steps. Nothing is changed.

    Args:
        root: The data set's folder.
        findings: What is to be done.
        journal: The data set's journal.
        progress: Called while photos are checked.
        new_labels: Labels that photos may be moved to although they have no folder yet.

    Raises:
        DatasetError: The folder cannot be opened, or its layout is unclear; see `find_photos`.
    """
    tree = Tree(root, journal, new_labels)
    problems = _contradictions(findings)
    rows = {problem.row for problem in problems}
    distinct = {(each.path, each.action, each.target): each for each in reversed(findings)}
    candidates = [each for each in reversed(distinct.values()) if each.row not in rows]
    pending = [each for each in candidates if not tree.has_applied(each)]
    readable = [each.path for each in pending if each.path in tree.photos]
    hashes = map_in_threads(
        lambda path: hash_file(root / path),
        readable,
        progress=progress if readable else silent,
        what="checking findings",
    )
    sha256s = dict(zip(readable, hashes, strict=True))
    steps = []
    for finding in pending:
        try:
            steps.append(tree.plan_step(finding, sha256s.get(finding.path) or ""))
        except _RefusedError as refusal:
            code, reason = refusal.args
            problems.append(FixProblem(code, finding.path, reason, finding.row))
    return tree.make_plan(steps, len(candidates) - len(pending), problems)


def hash_file(file: Path) -> str | None:
    """Return the SHA-256 of a file in hex, None if nothing is there, and "" for anything else."""
    try:
        if not stat.S_ISREG(file.lstat().st_mode):  # reading a pipe or a device might never end
            return ""
        return file_hash(file)
    except FileNotFoundError:
        return None
    except OSError:
        return ""


def find_link(root: Path, path: PurePosixPath) -> str:
    """Return the first part of a path below `root` that is a symbolic link; "" if none is."""
    parts = (*reversed(path.parents), path)
    return next((str(part) for part in parts if str(part) != "." and (root / part).is_symlink()), "")


def find_folder_problem(root: Path, folder: PurePosixPath) -> str:
    """Return why a folder's names cannot be changed; "" if they can, also if it does not exist yet."""
    while not os.path.lexists(root / folder):
        folder = folder.parent
    if link := find_link(root, folder):
        return f"{link} is a symbolic link"
    if not (root / folder).is_dir():
        return f"{folder} is not a folder"
    return "" if os.access(root / folder, os.W_OK | os.X_OK) else f"the folder {folder} is read-only"


def _contradictions(findings: Iterable[AcceptedFinding]) -> list[FixProblem]:
    """Return a problem for every finding whose photo is to be treated in two ways."""
    by_path: dict[str, list[AcceptedFinding]] = defaultdict(list)
    for finding in findings:
        by_path[finding.path].append(finding)
    return [
        FixProblem(
            "contradiction",
            path,
            f"{each.action} contradicts another accepted row: keep one of them",
            each.row,
        )
        for path, group in by_path.items()
        if len({(each.action, each.target) for each in group}) > 1
        for each in group
    ]


class Tree:
    """The data set's folders and photos, with the names that the planned steps will add.

    Names that differ only in case or Unicode normal form count as the same one, so that a fix has the same
    result on every file system.
    """

    def __init__(self, root: Path, journal: Journal, new_labels: Set[str] = frozenset()) -> None:
        listing = find_photos(root)
        self.root = root
        self.photos = {photo.path: photo for photo in chain(listing.photos, listing.other)}
        self.labels = set(new_labels).union(*listing.labels.values())
        splits = listing.split_folders or dict.fromkeys(listing.labels, root)
        self._bases = {split: PurePosixPath(listing.relative(unwrap(each))) for split, each in splits.items()}
        self._applied = {
            (step.path, step.action, step.target): step for fix in journal.fixes for step in fix.steps
        }
        self._moved = {step.path: step.new_path for fix in journal.fixes for step in fix.steps}
        self._names: dict[PurePosixPath, set[str]] = {}
        self._folder_problem = cache(partial(find_folder_problem, root))

    def has_applied(self, finding: AcceptedFinding) -> bool:
        """Tell whether an earlier fix has applied a finding."""
        key = (finding.path, finding.action, finding.target)
        return key in self._applied and finding.path not in self.photos

    def plan_step(self, finding: AcceptedFinding, sha256: str) -> FixStep:
        """Return the step that applies a finding; raise _RefusedError if none may."""
        path = PurePosixPath(finding.path)
        self._require_unchanged(path, finding, sha256)
        if finding.action not in ACTIONS:
            raise _RefusedError(
                "unknown-action", f"the action '{finding.action}' is not one of {', '.join(ACTIONS)}"
            )
        wanted = self._wanted_path(path, finding)
        for folder in (path.parent, wanted.parent):
            if reason := self._folder_problem(folder):
                raise _RefusedError("unwritable-folder", reason)
        label = self.photos[finding.path].label or OTHER if finding.action == "move" else ""
        new_path = self._free_path(wanted, label)
        if len(os.fsencode(new_path.name)) > MAX_NAME_BYTES:
            raise _RefusedError("invalid-name", f"the name '{new_path.name}' would be too long")
        is_identical = new_path != wanted and hash_file(self.root / wanted) == sha256
        return FixStep(
            finding.action,
            finding.path,
            str(new_path),
            sha256,
            finding.target,
            str(wanted) if is_identical else "",
        )

    def plan_addition(self, staged_path: str, name: str, label: str, sha256: str) -> FixStep | FixProblem:
        """Return the step that gives a photo from elsewhere its place, or why it cannot have one.

        Args:
            staged_path: Where the photo is, relative to the data set's folder.
            name: The file name that it should have.
            label: Its label, which may be new, or `_other`.
            sha256: SHA-256 of its content, in hex.
        """
        folder = self._bases[self._split_of_addition(sha256)] / label
        if reason := self._folder_problem(folder):
            return FixProblem("unwritable-folder", staged_path, reason)
        return FixStep("add", staged_path, str(self._free_path(folder / name, "")), sha256, label)

    def make_plan(
        self, steps: Sequence[FixStep], already_applied: int, problems: Sequence[FixProblem]
    ) -> FixPlan:
        """Return the plan of these steps, with the folders that they need."""
        folders = {
            folder for step in steps for folder in self._new_folders(PurePosixPath(step.new_path).parent)
        }
        return FixPlan(
            tuple(steps),
            tuple(sorted(folders, key=lambda folder: (folder.count("/"), folder))),
            already_applied,
            tuple(sorted(problems, key=lambda problem: problem.row or 0)),
        )

    def _split_of_addition(self, sha256: str) -> str:
        """Return the split of a new photo: where folders divide the photos, a tenth is for validation."""
        is_tenth = int(sha256[:8], 16) % 10 == 0
        splits = (*(("validation",) if is_tenth else ()), "train", *self._bases)
        return next(split for split in splits if split in self._bases)

    def _new_folders(self, folder: PurePosixPath) -> Iterator[str]:
        """Yield a folder and those around it that do not exist yet."""
        while not (self.root / folder).exists():
            yield str(folder)
            folder = folder.parent

    def _require_unchanged(self, path: PurePosixPath, finding: AcceptedFinding, sha256: str) -> None:
        if finding.path not in self.photos:
            new_path = self._moved.get(finding.path)
            reason = f"was moved to {new_path} by a fix: inspect again" if new_path else "not in the data set"
            raise _RefusedError("not-a-photo", reason)
        if link := find_link(self.root, path):
            raise _RefusedError("linked-photo", f"{link} is a symbolic link")
        if not sha256:
            raise _RefusedError("unreadable-photo", "is not a regular file that can be read")
        if finding.sha256 not in ("", sha256):
            raise _RefusedError("changed-photo", "has changed since the inspection")

    def _wanted_path(self, path: PurePosixPath, finding: AcceptedFinding) -> PurePosixPath:
        """Return where a finding wants its photo, whether the name is free there or not."""
        if finding.action == "remove":
            return REMOVED / path
        if finding.action == "rename":
            _require_usable_name(path.name, finding.target)
            return path.with_name(finding.target)
        photo = self.photos[finding.path]
        if finding.target not in self.labels | {OTHER}:
            hint = did_you_mean(finding.target, self.labels) or "Make its folder first, if it is new"
            raise _RefusedError("unknown-label", f"there is no label '{finding.target}'. {hint.strip()}")
        if finding.target == (photo.label or OTHER):
            raise _RefusedError("same-label", f"is under {finding.target} already")
        if photo.split not in self._bases:
            raise _RefusedError("no-split", "is in no split: move it by hand")
        base = self._bases[photo.split]
        # The path below the folder of the label, or of those without one.
        depth = len((base / photo.label).parts) if photo.label else path.parts.index(OTHER) + 1
        return base / finding.target / PurePosixPath(*path.parts[depth:])

    def _free_path(self, wanted: PurePosixPath, old_label: str) -> PurePosixPath:
        """Return a path with a name that nothing has; the label in it tells where a photo came from.

        A number alone would make it one of a series of photos of the same thing.
        """
        if (folder := wanted.parent) not in self._names:
            files = (self.root / folder).iterdir() if (self.root / folder).is_dir() else ()
            self._names[folder] = {_fold(file.name) for file in files}
        names = self._names[folder]
        stem, suffix = wanted.stem, wanted.suffix
        origin = f"{stem}-from-{old_label}" if old_label else stem
        candidates = chain(
            (wanted.name, f"{origin}{suffix}"), (f"{origin}-{number}{suffix}" for number in count(2))
        )
        name = next(name for name in candidates if _fold(name) not in names)
        names.add(_fold(name))
        return wanted.with_name(name)


def _require_usable_name(name: str, new_name: str) -> None:
    if not new_name.isprintable() or SPECIAL & set(new_name) or new_name.startswith(".") or not new_name:
        raise _RefusedError("invalid-name", f"'{new_name}' is not a file name")
    if PurePosixPath(new_name).suffix.lower() != PurePosixPath(name).suffix.lower():
        raise _RefusedError("invalid-name", f"'{new_name}' has another suffix than the photo")
    if _fold(new_name) == _fold(name):
        raise _RefusedError("invalid-name", f"'{new_name}' differs in nothing but its case")


def _fold(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
