"""Check whether a training may start in a folder, or continue the run in it."""

from collections.abc import Collection
from pathlib import Path

from shutterless.artifacts.history import read_history
from shutterless.artifacts.lock import LOCK
from shutterless.artifacts.run_files import HISTORY, METRICS, SPLIT
from shutterless.dataset import Dataset, Photo
from shutterless.errors import OutputError, RunError
from shutterless.files import entries
from shutterless.training.callbacks.checkpoint import CHECKPOINT
from shutterless.training.run import Run, load_run
from shutterless.utils.messages import shortened


def require_unused(run: Path) -> None:
    """Refuse a folder that holds anything.

    Raises:
        OutputError: It does (`not-empty`).
    """
    if entries(run) - {LOCK}:
        raise OutputError(
            "not-empty",
            f"{run} already exists and is not empty",
            "Choose another folder. If it is a run, add --resume to continue its training.",
        )


def find_earlier(run: Path) -> Run | None:
    """Return the run to resume; None if its training was stopped before it wrote its recipe.

    Raises:
        RunError: The folder is not a run, or the run cannot be read.
    """
    if entries(run) <= {SPLIT, LOCK}:
        return None
    return load_run(run)


def is_finished(run: Path) -> bool:
    """Tell whether the training of a run folder is finished."""
    return (run / METRICS).is_file() and not (run / CHECKPOINT).exists()


def seconds_of_epochs(run: Path) -> float:
    """Return how long the finished epochs of a run took; 0 if its history cannot be read."""
    try:
        return sum(epoch.seconds for epoch in read_history(run / HISTORY))
    except (OSError, ValueError):
        return 0.0


def require_same_photos(dataset: Dataset, earlier: Run) -> None:
    """Refuse to resume a run with other photos than it was started with.

    Raises:
        RunError: The photos differ; the message says how (`changed-photos`).
    """
    if dataset.fingerprint == earlier.settings.dataset_fingerprint:
        return
    changes = describe_changes((*earlier.photos, *earlier.other), (*dataset.photos, *dataset.other))
    raise RunError(
        "changed-photos",
        f"The photos in {dataset.root} have changed since {earlier.path} was started: {changes}",
        "Restore them to continue, or train on the new photos from the start, into another folder.",
    )


def describe_changes(before: Collection[Photo], after: Collection[Photo]) -> str:
    """Describe how two lists of photos differ: the number of each kind of change, with three paths."""
    old, new = ({photo.path: photo for photo in photos} for photos in (before, after))
    pairs = {path: (old[path], new[path]) for path in sorted(old.keys() & new.keys())}
    kinds = {
        "added": new.keys() - old.keys(),
        "removed": old.keys() - new.keys(),
        "changed": [
            path  # an older run has no hashes
            for path, (one, other) in pairs.items()
            if one.sha256 != other.sha256 and one.sha256 and other.sha256
        ],
        "with another label": [path for path, (one, other) in pairs.items() if one.label != other.label],
        "in another split": [path for path, (one, other) in pairs.items() if one.split != other.split],
    }
    counts = [f"{len(paths):,} {kind} ({shortened(sorted(paths))})" for kind, paths in kinds.items() if paths]
    return ", ".join(counts) or "their contents differ"
