"""Add photos from elsewhere to a data set, in its journal, so that `undo_fixes` can take them out again."""

import shutil
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from shutterless.curation.fixes.fix import DatasetFix, apply_plan
from shutterless.curation.fixes.journal import FOLDER, FixStep, Journal
from shutterless.curation.fixes.plan import FixPlan, Tree, hash_file
from shutterless.curation.fixes.problems import FixProblem
from shutterless.files import atomic_file
from shutterless.utils.progress import Progress, automatic

ADDED = f"{FOLDER}/added"  # copies of photos that have no place in the data set yet


@dataclass(frozen=True)
class Addition:
    """A photo that is to be added to a data set.

    Attributes:
        file: The photo's file, which stays as it is.
        label: Its label, or `_other`.
    """

    file: Path
    label: str


def add_photos(
    root: Path, additions: Sequence[Addition], *, dry_run: bool = False, progress: Progress = automatic
) -> DatasetFix:
    """Copy photos into a data set, below the folders of their labels, which are made where they are new.

    A photo that an earlier call added under another label is moved. A photo that the data set has from
    elsewhere is left as it is. Where folders divide the data set, a tenth goes to `validation`.

    Args:
        root: The data set's folder.
        additions: The photos.
        dry_run: Only return what would happen.
        progress: Called while photos are copied and moved.

    Returns:
        The photos that were added or moved.

    Raises:
        ShutterlessError: As `fix_dataset` raises it.
    """
    return apply_plan(
        root,
        lambda journal: _plan(root, additions, journal, dry_run=dry_run, progress=progress),
        dry_run=dry_run,
        progress=progress,
    )


def _plan(
    root: Path, additions: Sequence[Addition], journal: Journal, *, dry_run: bool, progress: Progress
) -> FixPlan:
    target = _Target(root, journal, {addition.label for addition in additions})
    steps: list[FixStep] = []
    problems: list[FixProblem] = []
    for number, addition in enumerate(additions, start=1):
        progress("copying photos", number, len(additions))
        match target.place(addition):
            case FixStep() as step:
                if step.path.startswith(ADDED) and not dry_run:
                    _stage(addition.file, root / step.path)
                steps.append(step)
            case FixProblem() as problem:
                problems.append(problem)
    return target.tree.make_plan(steps, len(additions) - len(steps) - len(problems), problems)


class _Target:
    """The data set that photos are added to, with those that it has."""

    def __init__(self, root: Path, journal: Journal, labels: set[str]) -> None:
        self.tree = Tree(root, journal, labels)
        self._root = root
        self._added = {
            step.sha256: step for fix in journal.fixes for step in fix.steps if step.action == "add"
        }
        self._paths: defaultdict[int, list[str]] = defaultdict(list)  # size of a photo → paths
        for path in self.tree.photos:
            self._paths[(root / path).stat().st_size].append(path)
        self._hashes: set[str] = set()  # of the photos that were given a place

    def place(self, addition: Addition) -> FixStep | FixProblem | None:
        """Return the step that gives a photo its place, why there is none, or None if it has its place."""
        sha256 = hash_file(addition.file)
        if not sha256:
            reason = "no longer exists" if sha256 is None else "is not a regular file that can be read"
            return FixProblem("unreadable-photo", str(addition.file), reason)
        if sha256 in self._hashes:
            return None
        self._hashes.add(sha256)
        if earlier := self._added.get(sha256):
            is_there = hash_file(self._root / earlier.new_path) == sha256
            if earlier.target == addition.label or not is_there:
                return None
            name = Path(earlier.new_path).name
            return self.tree.plan_addition(earlier.new_path, name, addition.label, sha256)
        if self._has(sha256, addition.file.stat().st_size):
            return None
        path = f"{ADDED}/{sha256}{addition.file.suffix.lower()}"
        return self.tree.plan_addition(path, addition.file.name, addition.label, sha256)

    def _has(self, sha256: str, size: int) -> bool:
        return any(hash_file(self._root / path) == sha256 for path in self._paths[size])


def _stage(file: Path, copy: Path) -> None:
    """Copy a photo into the data set's hidden folder; its name is its content, so nothing is replaced."""
    copy.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(copy) as draft:
        shutil.copyfile(file, draft)
