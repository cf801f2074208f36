"""Fix a data set: apply the findings that were accepted, and undo that."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from shutterless.artifacts.lock import locked
from shutterless.curation.fixes.accepted import read_findings
from shutterless.curation.fixes.group_rows import check_groups
from shutterless.curation.fixes.journal import FOLDER, FixStep, Journal, Record, read_journal, refuse_links
from shutterless.curation.fixes.plan import FixPlan, plan_fix
from shutterless.curation.fixes.problems import FixProblem, FixRefusedError
from shutterless.curation.fixes.steps import State, both_exist, carry_out, check_steps
from shutterless.dataset.layout import subfolders
from shutterless.errors import DatasetError
from shutterless.runtime.json_types import JsonObject
from shutterless.utils.messages import plural
from shutterless.utils.progress import Progress, automatic


@dataclass(frozen=True)
class DatasetFix:
    """What `fix_dataset` or `undo_fixes` has done, or would do.

    Attributes:
        root: The data set's folder.
        steps: The photos that were moved.
        number: Number of the fix in the journal, for an undo that of the fix that was undone; None if
            nothing was moved.
        is_undo: Whether a fix was undone.
        is_dry_run: Whether nothing was changed.
        resumed: Number of an interrupted fix that was finished first; None if there was none.
        already_applied: Number of accepted findings that an earlier fix has applied.
        without_action: Number of accepted findings that have no action.
        skipped: Photos that an undo leaves as they are.
        fixes_left: Number of fixes that can still be undone.
    """

    root: Path
    steps: tuple[FixStep, ...] = ()
    number: int | None = None
    is_undo: bool = False
    is_dry_run: bool = False
    resumed: int | None = None
    already_applied: int = 0
    without_action: int = 0
    skipped: tuple[FixProblem, ...] = ()
    fixes_left: int = 0

    def to_json(self) -> JsonObject:
        """Return a JSON object; photos are named by their paths below the data set's folder."""
        return {
            "fix": self.number,
            "undo": self.is_undo,
            "dry_run": self.is_dry_run,
            "resumed": self.resumed,
            "already_applied": self.already_applied,
            "without_action": self.without_action,
            "fixes_left": self.fixes_left,
            "steps": [
                {
                    "action": step.action,
                    "path": step.path,
                    "new_path": step.new_path,
                    "identical_to": step.identical_to or None,
                }
                for step in self.steps
            ],
            "skipped": [problem.to_json() for problem in self.skipped],
        }


def fix_dataset(
    photos: str | Path, findings: str | Path, *, dry_run: bool = False, progress: Progress = automatic
) -> DatasetFix:
    """Move, rename and remove photos as the accepted findings of `dataset inspect --report` ask for.

    All findings are checked before the first change. No file is deleted or replaced: removed photos are in
    `.shutterless/removed` below the data set's folder, and a photo whose name is taken gets a new one. The
    journal `.shutterless/fixes.jsonl` has every move, so that `undo_fixes` can take it back. A fix that was
    interrupted is finished first.

    Args:
        photos: The folder of photos.
        findings: The file findings.csv, with `yes` in the column `accept` of each finding to apply.
            Findings that were applied before are left out.
        dry_run: Only return what would happen.
        progress: Called while photos are checked and moved.

    Returns:
        What was moved.

    Raises:
        FixRefusedError: Findings cannot be applied (`findings-refused`), or photos of an interrupted fix
            have changed since (`unfinished-fix`). Nothing was changed, and `problems` has all reasons.
        DatasetError: The findings or the journal cannot be read (`unreadable-findings`, `missing-column`,
            `unreadable-journal`), groups.csv cannot be read (`unreadable-groups`), another fix is running
            (`fix-in-progress`), or the folder cannot be opened or its layout is unclear (see
            `find_split_folders`).
        OutputError: The folder cannot be written (`cannot-write`), or a photo cannot be moved
            (`fix-interrupted`): the same call finishes the fix, and `undo_fixes` takes it back.

    Example:
        >>> from pathlib import Path
        >>> import shutterless
        >>> photos = shutterless.draw_sample("fix-dataset", per_label=10, size=32)
        >>> rows = "accept,action,path,target\\nyes,move,train/hat/hat-0001.jpg,shirt\\n"
        >>> _ = Path("findings.csv").write_text(rows, "utf-8")
        >>> shutterless.fix_dataset(photos, "findings.csv").steps[0].new_path
        'train/shirt/hat-0001.jpg'
        >>> shutterless.undo_fixes(photos).steps[0].new_path
        'train/hat/hat-0001.jpg'
    """
    table = read_findings(Path(findings))
    fix = apply_plan(
        Path(photos),
        lambda journal: plan_fix(Path(photos), table.accepted, journal, progress),
        problems=table.problems,
        dry_run=dry_run,
        progress=progress,
    )
    return replace(fix, without_action=table.without_action)


def apply_plan(
    root: Path,
    make_plan: Callable[[Journal], FixPlan],
    *,
    problems: Sequence[FixProblem] = (),
    dry_run: bool,
    progress: Progress,
) -> DatasetFix:
    """Carry out a plan as a whole, or nothing of it; a fix that was interrupted is finished first.

    Args:
        root: The data set's folder.
        make_plan: Returns the plan; called with the journal when no earlier fix is unfinished.
        problems: Why nothing may be changed, beside those of the plan.
        dry_run: Only return what would happen.
        progress: Called while photos are moved.

    Raises:
        ShutterlessError: As `fix_dataset` raises it.
    """
    with _open_journal(root, is_dry_run=dry_run) as journal:
        unfinished = journal.unfinished
        if unfinished:
            steps = _resume(journal, unfinished, dry_run=dry_run, progress=progress)
            if dry_run:
                return DatasetFix(root, steps, is_dry_run=True, resumed=unfinished.number)
        check_groups(root)
        plan = make_plan(journal)
        _refuse_findings(root, (*problems, *plan.problems))
        number = None
        if plan.steps and not dry_run:
            record = journal.begin(plan.steps, plan.folders)
            carry_out(journal, record, dict.fromkeys(plan.steps, State.PENDING), progress)
            number = record.number
        return DatasetFix(
            root,
            plan.steps,
            number,
            is_dry_run=dry_run,
            resumed=unfinished.number if unfinished else None,
            already_applied=plan.already_applied,
            fixes_left=len(journal.fixes),
        )


def undo_fixes(
    photos: str | Path, *, skip_changed: bool = False, dry_run: bool = False, progress: Progress = automatic
) -> DatasetFix:
    """Undo the last fix of a data set: every photo gets its path back. Call it again for the one before.

    Args:
        photos: The folder of photos.
        skip_changed: Leave photos that were changed, moved or replaced since the fix as they are.
        dry_run: Only return what would happen.
        progress: Called while photos are checked and moved.

    Returns:
        What was moved back.

    Raises:
        FixRefusedError: Photos were changed, moved or replaced since the fix (`undo-refused`). Nothing was
            changed, and `problems` has all reasons.
        DatasetError: There is no fix to undo (`nothing-to-undo`), another fix is running
            (`fix-in-progress`), or the journal cannot be read (`unreadable-journal`).
        OutputError: As `fix_dataset` raises it.

    Example:
        >>> import shutterless
        >>> photos = shutterless.draw_sample("undo-fixes", per_label=10, size=32)
        >>> try:
        ...     shutterless.undo_fixes(photos)
        ... except shutterless.DatasetError as error:
        ...     print(error.code)
        nothing-to-undo
    """
    root = Path(photos)
    with _open_journal(root, is_dry_run=dry_run) as journal:
        record = journal.unfinished or next(reversed(journal.fixes), None)
        if record is None:
            raise DatasetError("nothing-to-undo", f"No fix of {root} can be undone", "Nothing was fixed yet.")
        states, problems = _check_undo(root, record, progress)
        number = record.number if record.undoes is None else record.undoes
        if problems and not skip_changed:
            raise FixRefusedError(
                "undo-refused",
                f"{plural(len(problems), 'photo')} of fix {number} in {root} cannot be moved back, "
                "so nothing was changed",
                "Put them back as they were, or leave them as they are with --skip-changed.",
                problems,
            )
        steps = tuple(step for step, state in states.items() if state is not State.COMPLETE)
        if not dry_run:
            undo = record if record.undoes is not None else journal.begin(steps, undoes=number)
            carry_out(journal, undo, {step: states[step] for step in steps}, progress)
        return DatasetFix(
            root,
            steps,
            number,
            is_undo=True,
            is_dry_run=dry_run,
            skipped=tuple(problems),
            fixes_left=len(journal.fixes) - (dry_run and record.undoes is None),
        )


@contextmanager
def _open_journal(root: Path, *, is_dry_run: bool) -> Iterator[Journal]:
    """Yield the journal of a data set, locked unless nothing is to be changed."""
    subfolders(root)  # raises an error where there is no folder
    refuse_links(root)
    if is_dry_run:
        yield read_journal(root)
        return
    with locked(root / FOLDER, _fix_in_progress):
        yield read_journal(root)


def _fix_in_progress(folder: Path, process: str) -> DatasetError:
    return DatasetError(
        "fix-in-progress",
        f"Another fix is running in {folder.parent} (process {process})",
        "Wait until it ends.",
    )


def _refuse_findings(root: Path, problems: tuple[FixProblem, ...]) -> None:
    if problems:
        raise FixRefusedError(
            "findings-refused",
            f"{plural(len(problems), 'finding')} cannot be applied to {root}, so nothing was changed",
            "Correct these rows, or clear their column accept.",
            sorted(problems, key=lambda problem: problem.row or 0),
        )


def _resume(journal: Journal, record: Record, *, dry_run: bool, progress: Progress) -> tuple[FixStep, ...]:
    """Finish a fix or an undo that was interrupted, and return the steps that it lacked."""
    states, problems = check_steps(journal.root, record.steps, progress)
    if problems:
        raise FixRefusedError(
            "unfinished-fix",
            f"A fix of {journal.root} was interrupted, and {plural(len(problems), 'photo')} of it changed "
            "since, so nothing more was changed",
            "Take it back with --undo --skip-changed, or put these photos back as they were.",
            problems,
        )
    if not dry_run:
        carry_out(journal, record, states, progress)
    return tuple(step for step, state in states.items() if state is not State.COMPLETE)


def _check_undo(
    root: Path, record: Record, progress: Progress
) -> tuple[dict[FixStep, State], list[FixProblem]]:
    """Return the steps that undo a fix, or finish its undo, with their states, and why others cannot."""
    if record.undoes is not None:
        return check_steps(root, record.steps, progress)
    steps = [step.reversed() for step in reversed(record.steps)]
    states, problems = check_steps(root, steps, progress)
    # A photo at both paths is the work of an interruption, or of somebody who put it back.
    copies = {step: None for step, state in states.items() if state is State.HALF and record.is_complete}
    return (
        {step: state for step, state in states.items() if step not in copies},
        [*problems, *map(both_exist, copies)],
    )
