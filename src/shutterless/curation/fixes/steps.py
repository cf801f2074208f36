"""Take the steps of a fix or an undo, and tell how far they are after an interruption."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from enum import Enum
from functools import cache, partial
from pathlib import Path, PurePosixPath

from shutterless.curation.fixes.group_rows import move_groups
from shutterless.curation.fixes.journal import FixStep, Journal, Record
from shutterless.curation.fixes.plan import find_folder_problem, find_link, hash_file
from shutterless.curation.fixes.problems import FixProblem
from shutterless.errors import OutputError
from shutterless.files import move_file, sync_folder
from shutterless.utils.parallel import map_in_threads
from shutterless.utils.progress import Progress


class State(Enum):
    """How far a step is: not begun, interrupted with the photo at both paths, or complete."""

    PENDING = "pending"
    HALF = "half"
    COMPLETE = "complete"


def check_steps(
    root: Path, steps: Sequence[FixStep], progress: Progress
) -> tuple[dict[FixStep, State], list[FixProblem]]:
    """Return how far each step is, and a problem for each whose photo is no longer as the journal has it."""
    folder_problem = cache(partial(find_folder_problem, root))

    def check(step: FixStep) -> State | FixProblem:
        paths = tuple(map(PurePosixPath, step.paths))
        if link := next(filter(None, (find_link(root, path) for path in paths)), ""):
            return FixProblem("linked-photo", step.path, f"{link} is a symbolic link")
        if reason := next(filter(None, (folder_problem(path.parent) for path in paths)), ""):
            return FixProblem("unwritable-folder", step.path, reason)
        return _state_of(root, step)

    states, problems = {}, []
    results = map_in_threads(check, steps, progress=progress, what="checking photos")
    for step, result in zip(steps, results, strict=True):
        if isinstance(result, State):
            states[step] = result
        else:
            problems.append(result)
    return states, problems


def both_exist(step: FixStep) -> FixProblem:
    """Return the problem that the photo of a step is at both of its paths."""
    return FixProblem("photo-exists", step.path, f"{step.new_path} exists, too")


def _state_of(root: Path, step: FixStep) -> State | FixProblem:
    """Tell by the contents at both paths of a step how far it is."""
    source, target = root / step.path, root / step.new_path
    match hash_file(source), hash_file(target):
        case step.sha256, None:
            return State.PENDING
        case None, step.sha256:
            return State.COMPLETE
        # On a file system that ignores case, two paths may be one name; then nothing may be removed.
        case step.sha256, step.sha256 if not source.samefile(target) or source.stat().st_nlink > 1:
            return State.HALF
        case None, _:
            return FixProblem("missing-photo", step.path, "no longer exists")
        case step.sha256, _:
            return FixProblem("photo-exists", step.path, f"{step.new_path} is another file by now")
        case _:
            return FixProblem("changed-photo", step.path, "has changed since the fix")


def carry_out(journal: Journal, record: Record, states: Mapping[FixStep, State], progress: Progress) -> None:
    """Take the steps of a record that are not complete, and write down that all of them are.

    Raises:
        OutputError: A photo cannot be moved (`fix-interrupted`), or the journal cannot be written
            (`cannot-write`).
    """
    root = journal.root
    for number, (step, state) in enumerate(states.items(), start=1):
        try:
            _take(root, step, state)
        except OSError as error:
            raise OutputError(
                "fix-interrupted",
                f"Cannot move {root / step.path} to {step.new_path}: {error.strerror or error}",
                "Put this right and run the same command again, or take everything back with --undo.",
            ) from error
        progress("moving photos", number, len(states))
    if record.undoes is not None:
        for path in reversed(journal.records[record.undoes].folders):
            with suppress(OSError):  # not empty: something else is in it by now
                (root / path).rmdir()
    move_groups(root, record.steps)
    for folder in {(root / path).parent for step in record.steps for path in step.paths}:
        sync_folder(folder)
    journal.end(record)


def _take(root: Path, step: FixStep, state: State) -> None:
    """Move a photo, or remove the rest of an interrupted move."""
    source, target = root / step.path, root / step.new_path
    if state is State.PENDING:
        move_file(source, target)
    elif state is State.HALF and hash_file(target) == step.sha256:
        source.unlink()
