"""Cross-validation: train once for each fold of the photos, and measure each network on its own fold."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import keras

from shutterless.artifacts.run_files import FOLDS
from shutterless.dataset import Dataset, load_dataset
from shutterless.dataset.folds import split_into_folds
from shutterless.evaluation.intervals import wilson_interval
from shutterless.files import atomic_file, ensure_empty, ensure_outside
from shutterless.training.config import SEED
from shutterless.training.run import Run
from shutterless.training.trainer import train
from shutterless.utils.progress import Progress, automatic


@dataclass(frozen=True)
class Fold:
    """The figures of one network on the photos of its fold, which it was not trained on."""

    run: str
    photos: int
    right: int
    accuracy: float
    loss: float
    effective_photos: float


@dataclass(frozen=True)
class CrossValidation:
    """The figures of all folds.

    photos, right: of all folds together; every photo counts once. accuracy: `right` / `photos`.
    accuracy_interval: its 95 % interval. effective_photos: see `intervals.effective_photos`.
    mean, standard_deviation: of the folds' accuracies.
    loss: the mean of the folds' log losses.
    """

    folds: tuple[Fold, ...]
    photos: int
    right: int
    accuracy: float
    accuracy_interval: tuple[float, float]
    mean: float
    standard_deviation: float
    loss: float
    effective_photos: float

    def to_json(self) -> dict[str, Any]:
        """Return the figures as plain values for a JSON document."""
        return asdict(self)


def cross_validate(
    photos: str | Path,
    output: str | Path,
    *,
    folds: int = 5,
    seed: int = SEED,
    group_by: str | Path | None = None,
    resume: bool = False,
    progress: Progress = automatic,
    on_fold: Callable[[int, Fold], None] = lambda number, fold: None,
    on_warning: Callable[[str], None] = lambda warning: None,
    **options: Any,
) -> CrossValidation:
    """Train `folds` runs, each on all photos but one fold, and measure each on that fold.

    The folders' own splits are ignored: training, validation and test photos are shared out anew. The
    runs are `output`/fold-1 and so on, the figures are written to `output`/folds.json.

    Args:
        photos: The folder of photos, as for `train`.
        output: The folder to write.
        folds: The number of folds, 2 or more.
        seed: For the folds, and for each training.
        group_by: Which photos show one thing and stay in one fold, see `load_dataset`.
        resume: Continue where a cross-validation into `output` ended; its finished folds are kept.
        progress: Called as the work goes on.
        on_fold: Called with the number, from 1, and the figures of each finished fold.
        on_warning: Called with what is odd about the photos.
        **options: Further options of `train`.

    Returns:
        The figures of each fold, their spread, and the accuracy over all photos.

    Raises:
        ShutterlessError: The input is bad, or a training cannot go on.
    """
    photos, output = Path(photos), Path(output)
    ensure_outside(output, photos)
    if not resume:
        ensure_empty(output)
    dataset = load_dataset(photos, seed=seed, group_by=group_by or "auto", progress=progress)
    for warning in dataset.all_warnings():
        on_warning(warning)
    results = []
    for number, part in enumerate(split_into_folds(dataset, folds, seed=seed), start=1):
        run = output / f"fold-{number}"
        options |= {"seed": seed, "group_by": group_by, "resume": resume, "progress": progress}
        results.append(_measure(_train(part, run, options)))
        on_fold(number, results[-1])
    summary = summarize(results)
    with atomic_file(output / FOLDS) as draft:
        draft.write_text(json.dumps(summary.to_json(), indent=2) + "\n", "utf-8")
    return summary


def _train(dataset: Dataset, run: Path, options: dict[str, Any]) -> Run:
    keras.backend.clear_session()  # the networks of the folds before would stay in memory
    return train(dataset, run, **options)


def _measure(run: Run) -> Fold:
    test = run.metrics["test"]
    figures = (test[name] for name in ("photos", "right", "accuracy", "loss", "effective_photos"))
    return Fold(run.path.name, *figures)


def summarize(folds: list[Fold]) -> CrossValidation:
    """Return the spread of two or more folds' figures, and the accuracy over all their photos."""
    photos, right = sum(fold.photos for fold in folds), sum(fold.right for fold in folds)
    accuracies = [fold.accuracy for fold in folds]
    effective = sum(fold.effective_photos for fold in folds)
    return CrossValidation(
        folds=tuple(folds),
        photos=photos,
        right=right,
        accuracy=right / photos,
        accuracy_interval=wilson_interval(right / photos * effective, effective),
        mean=mean(accuracies),
        standard_deviation=stdev(accuracies),
        loss=mean(fold.loss for fold in folds),
        effective_photos=effective,
    )
