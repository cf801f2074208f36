"""Whether a training may start in a folder, or go on with the run that is there."""

from collections.abc import Collection
from pathlib import Path

from shutterless.artifacts.lock import LOCK
from shutterless.artifacts.run_files import METRICS, SPLIT
from shutterless.dataset import Dataset, Photo
from shutterless.errors import OutputError, RunError
from shutterless.files import entries
from shutterless.training.callbacks.checkpoint import CHECKPOINT
from shutterless.training.run import Run, load_run
from shutterless.utils.messages import shortened


def require_unused(run: Path) -> None:
    """Raise ShutterlessError if the folder `run` holds anything."""
    if entries(run) - {LOCK}:
        raise OutputError(
            "not-empty",
            f"{run} already exists and is not empty",
            "Choose another folder. If it is a run, add --resume to continue its training.",
        )


def find_earlier(run: Path) -> Run | None:
    """Return the run to resume, or None where a training was stopped before it wrote its recipe."""
    if entries(run) <= {SPLIT, LOCK}:
        return None
    return load_run(run)


def is_finished(run: Path) -> bool:
    """Tell whether the training of `run` has come to its end."""
    return (run / METRICS).is_file() and not (run / CHECKPOINT).exists()


def require_same_photos(dataset: Dataset, earlier: Run) -> None:
    """Raise ShutterlessError, with what has changed, unless `earlier` was started with these photos."""
    if dataset.fingerprint == earlier.settings.dataset_fingerprint:
        return
    changes = describe_changes(earlier.photos, dataset.photos)
    raise RunError(
        "changed-photos",
        f"The photos in {dataset.root} have changed since {earlier.path} was started: {changes}",
        "Restore them to continue, or train on the new photos from the start, into another folder.",
    )


def describe_changes(before: Collection[Photo], after: Collection[Photo]) -> str:
    """Return how two lists of photos differ: how many were added, removed and changed, with three names.

    A photo has changed if its path is the same and its label, split or content is not.
    """
    old, new = ({photo.path: photo for photo in photos} for photos in (before, after))
    changed = [path for path in old.keys() & new.keys() if _differ(old[path], new[path])]
    kinds = {"added": new.keys() - old.keys(), "removed": old.keys() - new.keys(), "changed": changed}
    counted = [
        f"{len(paths):,} {kind} ({shortened(sorted(paths))})" for kind, paths in kinds.items() if paths
    ]
    return ", ".join(counted) or "their contents differ"


def _differ(one: Photo, other: Photo) -> bool:
    contents = {photo.sha256 for photo in (one, other)} - {""}  # an older run recorded none
    return (one.label, one.split) != (other.label, other.split) or len(contents) > 1
