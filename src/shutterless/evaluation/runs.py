"""List training runs with their settings and metrics, from their folders; no model is loaded."""

import datetime
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import mean, stdev

from shutterless.artifacts.history import best_of, read_history
from shutterless.artifacts.metrics import read_metrics
from shutterless.artifacts.run_files import HISTORY, METRICS, RECIPE, SPLIT
from shutterless.artifacts.settings import Settings
from shutterless.artifacts.split import read_split
from shutterless.errors import InputError, RunError
from shutterless.evaluation.intervals import standard_error
from shutterless.runtime.json_types import JsonObject
from shutterless.text_files import parse_toml, read_text

MAX_DEPTH = 4  # folders below the one that is searched
STATES = ("finished", "unfinished", "damaged")


@dataclass(frozen=True)
class RunSummary:
    """A training run, as its folder describes it.

    Attributes:
        path: The run folder.
        state: `finished`, `unfinished` (interrupted or still training) or `damaged`.
        problem: What is wrong with a damaged run.
        finished: When its last file was written, ISO 8601 in UTC.
        recipe: Name of the recipe.
        backbone: Name of the network.
        image_size: Side of the model's input, in pixels.
        seed: Seed of the training.
        labels: Number of labels.
        photos: Number of training photos.
        dataset: Fingerprint of the photos, labels and splits, see `Dataset.fingerprint`.
        epochs: Number of finished epochs.
        seconds: Duration of the training; for an unfinished or older run, of its epochs.
        estimated_seconds: What was estimated before the training; None if it was not.
        parameters: Number of the model's parameters; None if it is not recorded.
        accuracy: On the validation photos; for an unfinished run, that of its best epoch.
        loss: Log loss on the validation photos, likewise.
        accuracy_error: Standard error of the accuracy, 0 to 1; None if the run is unfinished.
        loss_error: Standard error of the log loss; None if the run is unfinished.
        test_accuracy: On the test photos, if there are any.
        test_loss: Log loss on the test photos, if there are any.
    """

    path: str
    state: str
    problem: str = ""
    finished: str = ""
    recipe: str = ""
    backbone: str = ""
    image_size: int | None = None
    seed: int | None = None
    labels: int | None = None
    photos: int | None = None
    dataset: str = ""
    epochs: int = 0
    seconds: float | None = None
    estimated_seconds: float | None = None
    parameters: int | None = None
    accuracy: float | None = None
    loss: float | None = None
    accuracy_error: float | None = None
    loss_error: float | None = None
    test_accuracy: float | None = None
    test_loss: float | None = None

    def to_json(self) -> JsonObject:
        """Return the attributes as a JSON object."""
        return asdict(self)


@dataclass(frozen=True)
class RunGroup:
    """Finished runs that only differ in their seeds.

    Attributes:
        recipe: Name of the recipe.
        backbone: Name of the network.
        image_size: Side of the model's input, in pixels.
        runs: Number of runs.
        accuracy: Mean of the accuracies on the validation photos.
        accuracy_deviation: Their sample standard deviation.
        loss: Mean of the log losses.
        loss_deviation: Their sample standard deviation.
        seconds: Mean duration of the trainings; None if one is unknown.
    """

    recipe: str
    backbone: str
    image_size: int
    runs: int
    accuracy: float
    accuracy_deviation: float
    loss: float
    loss_deviation: float
    seconds: float | None

    def to_json(self) -> JsonObject:
        """Return the attributes as a JSON object."""
        return asdict(self)


def list_runs(*folders: str | Path) -> tuple[RunSummary, ...]:
    """List the training runs in and below folders, the best first.

    Args:
        folders: Run folders, or folders that are searched for them; the working folder by default.

    Returns:
        Finished runs by validation accuracy, then log loss; then unfinished ones, then damaged ones.

    Raises:
        InputError: A folder is missing (`missing-folder`), or there is no run in any (`no-runs`).

    Example:
        >>> import shutterless
        >>> runs = shutterless.list_runs(".")
        >>> best = runs[0].path
    """
    paths = find_runs(*folders)
    if not paths:
        raise InputError(
            "no-runs",
            f"There is no run in {', '.join(map(str, folders)) or 'this folder'}",
            "Give the folder that `shutterless train -o` wrote, or one above it.",
        )
    runs = map(read_run, paths)
    return tuple(
        sorted(
            runs,
            key=lambda run: (
                STATES.index(run.state),
                -(run.accuracy or 0),
                run.loss if run.loss is not None else float("inf"),
                run.path,
            ),
        )
    )


def find_runs(*folders: str | Path) -> list[Path]:
    """Return the runs in and below folders, by default the working folder, each once.

    Raises:
        InputError: There is no such folder (`missing-folder`).
    """
    return list(dict.fromkeys(path for folder in folders or (".",) for path in _runs_below(Path(folder))))


def _runs_below(folder: Path) -> Iterator[Path]:
    """Yield the runs in and below a folder, without looking into runs, hidden folders and links."""
    if not folder.is_dir():
        raise InputError("missing-folder", f"There is no folder {folder}", "Check the path.")
    for root, folders, files in os.walk(folder):
        path = Path(root)
        if {RECIPE, SPLIT} <= {*files} or (path == folder and RECIPE in files):
            folders.clear()
            yield path
        elif len(path.relative_to(folder).parts) >= MAX_DEPTH:
            folders.clear()
        folders[:] = sorted(name for name in folders if not name.startswith("."))


def read_run(path: Path) -> RunSummary:
    """Return the summary of a run folder, whatever state it is in."""
    try:
        return _read(path)
    except (RunError, OSError, ValueError, KeyError, TypeError) as error:
        return RunSummary(str(path), "damaged", " ".join(str(error).split())[:200])


def _read(path: Path) -> RunSummary:
    document = parse_toml(read_text(path / RECIPE))
    settings = Settings.model_validate(document.get("run", {}))
    photos = read_split(path / SPLIT)
    history = read_history(path / HISTORY)
    files = [path / name for name in (METRICS, HISTORY, RECIPE) if (path / name).is_file()]
    time = max(file.stat().st_mtime for file in files)
    base = RunSummary(
        path=str(path),
        state="unfinished",
        finished=datetime.datetime.fromtimestamp(time, datetime.UTC).isoformat(timespec="seconds"),
        recipe=str(document.get("name", "")),
        backbone=settings.backbone,
        image_size=settings.image_size,
        seed=settings.seed,
        labels=len({photo.label for photo in photos if photo.label and photo.split == "train"}),
        photos=sum(photo.split == "train" and bool(photo.label) for photo in photos),
        dataset=settings.dataset_fingerprint,
        epochs=len(history),
        seconds=sum(epoch.seconds for epoch in history) or None,
        estimated_seconds=sum(settings.estimated_seconds.values()) or None,
    )
    if (path / METRICS).is_file():
        return _with_metrics(base, path)
    best = best_of(history)
    return replace(base, accuracy=best.val_accuracy, loss=best.val_log_loss) if best else base


def _with_metrics(run: RunSummary, path: Path) -> RunSummary:
    metrics = read_metrics(path)
    validation, test = metrics["validation"], metrics.get("test")
    return replace(
        run,
        state="finished",
        seconds=metrics.get("seconds", run.seconds),
        parameters=metrics.get("parameters"),
        accuracy=float(validation["accuracy"]),
        loss=float(validation["loss"]),
        accuracy_error=standard_error(validation["right"], validation["photos"]),
        loss_error=float(validation["loss_error"]),
        test_accuracy=float(test["accuracy"]) if test else None,
        test_loss=float(test["loss"]) if test else None,
    )


def group_runs(runs: Sequence[RunSummary]) -> tuple[RunGroup, ...]:
    """Return mean and spread of the finished runs that only differ in their seeds.

    Args:
        runs: What `list_runs` returned.

    Returns:
        A group for each recipe, backbone and image size, on the same photos and splits, that has two runs
        or more; the best first.

    Example:
        >>> import shutterless
        >>> groups = shutterless.group_runs(shutterless.list_runs("."))
        >>> means = [group.accuracy for group in groups]
    """
    groups: dict[tuple[str, str, int | None, str], list[RunSummary]] = {}
    for run in runs:
        if run.state == "finished":
            groups.setdefault((run.recipe, run.backbone, run.image_size, run.dataset), []).append(run)
    summaries = (_summarize(members) for members in groups.values() if len(members) > 1)
    return tuple(sorted(summaries, key=lambda group: (-group.accuracy, group.loss)))


def _summarize(runs: Sequence[RunSummary]) -> RunGroup:
    accuracies, losses = [run.accuracy or 0.0 for run in runs], [run.loss or 0.0 for run in runs]
    seconds = [run.seconds for run in runs if run.seconds]
    return RunGroup(
        runs[0].recipe,
        runs[0].backbone,
        runs[0].image_size or 0,
        len(runs),
        mean(accuracies),
        stdev(accuracies),
        mean(losses),
        stdev(losses),
        mean(seconds) if len(seconds) == len(runs) else None,
    )
