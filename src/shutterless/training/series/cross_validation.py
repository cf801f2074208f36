"""Cross-validation: train a model for each fold of the photos, and measure it on that fold."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, stdev

import keras

from shutterless.artifacts.run_files import FOLDS
from shutterless.dataset import load_dataset
from shutterless.dataset.folds import split_into_folds
from shutterless.evaluation.intervals import wilson_interval
from shutterless.files import atomic_file, ensure_empty, ensure_outside
from shutterless.runtime.json_types import JsonObject
from shutterless.training.callbacks.run_callbacks import OnEpoch
from shutterless.training.config import Paths, make_config
from shutterless.training.resume import find_earlier
from shutterless.training.run import Run
from shutterless.training.selection.budget import is_auto
from shutterless.training.trainer import OnStart, train
from shutterless.utils.progress import Progress, automatic


@dataclass(frozen=True)
class Fold:
    """The metrics of one fold's model on the photos of the fold, which it was not trained on.

    Attributes:
        run: Name of the model's run folder.
        photos: Number of photos in the fold.
        right: Number of photos whose most probable label is the true one.
        accuracy: `right` / `photos`.
        loss: Log loss: mean cross-entropy in nats.
        effective_photos: See `evaluation.intervals.effective_photos`.
    """

    run: str
    photos: int
    right: int
    accuracy: float
    loss: float
    effective_photos: float


@dataclass(frozen=True)
class CrossValidation:
    """The metrics of all folds.

    Attributes:
        folds: The metrics of each fold.
        photos: Number of photos of all folds; each counts once.
        right: Number of photos of all folds whose most probable label is the true one.
        accuracy: `right` / `photos`.
        accuracy_interval: The 95 % interval of `accuracy`.
        mean: Mean of the folds' accuracies.
        standard_deviation: Sample standard deviation of the folds' accuracies.
        loss: Mean of the folds' log losses.
        effective_photos: See `evaluation.intervals.effective_photos`.
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

    def to_json(self) -> JsonObject:
        """Return the metrics as a JSON object."""
        return asdict(self)


def cross_validate(
    photos: str | Path,
    output: str | Path,
    *,
    folds: int = 5,
    recipe: str | Path | None = None,
    backbone: str | None = None,
    weights: str | Path | None = None,
    cut: str | None = None,
    image_size: int | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    seed: int | None = None,
    group_by: str | Path | None = None,
    budget: str | None = None,
    teacher: Paths = (),
    resume: bool = False,
    tensorboard: bool = False,
    report: bool = True,
    progress: Progress = automatic,
    on_start: OnStart = lambda config, dataset: None,
    on_epoch: OnEpoch = lambda epoch: None,
    on_fold: Callable[[int, Fold], None] = lambda number, fold: None,
    on_warning: Callable[[str], None] = lambda warning: None,
) -> CrossValidation:
    """Train one run for each fold, on all photos outside the fold, and measure it on the fold.

    Splits that the folders define are ignored. The runs are written to `output`/fold-1, fold-2 …, and the
    metrics to `output`/folds.json.

    Args:
        photos: The folder of photos, as for `train`.
        output: The folder to write.
        folds: Number of folds, 2 or more.
        recipe: As for `train`.
        backbone: As for `train`.
        weights: As for `train`.
        cut: As for `train`.
        image_size: As for `train`.
        epochs: As for `train`.
        batch_size: As for `train`.
        seed: For the folds and for each training; 42 by default.
        group_by: Which photos show one thing and stay in one fold, see `load_dataset`; `auto` by default.
        budget: As for `train`; the backbone is chosen once, for all folds.
        teacher: As for `train`. A run that was trained on a fold's photos is refused.
        resume: Continue an interrupted cross-validation in `output`; finished folds are kept.
        tensorboard: As for `train`.
        report: Also write report.html and its figures for each fold.
        progress: Called with what is being done, the number of finished steps and that of all steps.
        on_start: Called with the configuration and the photos of each fold before it is trained.
        on_epoch: Called with each epoch when all its files are written.
        on_fold: Called with the number, from 1, and the metrics of each finished fold.
        on_warning: Called with each warning about the photos or a training.

    Returns:
        The metrics of each fold, their spread, and the accuracy over all photos.

    Raises:
        ShutterlessError: The input is wrong or a training cannot be finished, as for `train`.

    Example:
        >>> import shutterless
        >>> photos = shutterless.draw_sample("photos", per_label=6, size=32)
        >>> result = shutterless.cross_validate(
        ...     photos, "folds", folds=2, backbone="tiny", image_size=32, epochs=1, report=False
        ... )
        >>> len(result.folds)
        2
    """
    photos, output = Path(photos), Path(output)
    ensure_outside(output, photos)
    if not resume:
        ensure_empty(output)
    elif is_auto(backbone) and (first := find_earlier(output / "fold-1")):
        backbone, budget = first.settings.backbone, None
    config = make_config(
        recipe,
        backbone=backbone,
        weights=weights,
        cut=cut,
        image_size=image_size,
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
        group_by=group_by,
        budget=budget,
        progress=progress,
        teacher=teacher,
    )
    dataset = load_dataset(
        photos, seed=config.seed, group_by=config.group_by, spec=config.input, progress=progress
    )
    for warning in dataset.all_warnings():
        on_warning(warning)
    results = []
    for number, part in enumerate(split_into_folds(dataset, folds, seed=config.seed), start=1):
        keras.backend.clear_session()  # the models of earlier folds would stay in memory
        run = train(
            part,
            output / f"fold-{number}",
            recipe=recipe,
            backbone=config.backbone.name if config.selection else backbone,
            weights=weights,
            cut=cut,
            image_size=image_size,
            epochs=epochs,
            batch_size=batch_size,
            seed=config.seed,
            group_by=config.group_by,
            teacher=teacher,
            resume=resume,
            tensorboard=tensorboard,
            report=report,
            progress=progress,
            on_start=on_start,
            on_epoch=on_epoch,
            on_warning=on_warning,
        )
        results.append(_measure(run))
        on_fold(number, results[-1])
    summary = summarize(results)
    with atomic_file(output / FOLDS) as draft:
        draft.write_text(json.dumps(summary.to_json(), indent=2) + "\n", "utf-8")
    return summary


def _measure(run: Run) -> Fold:
    """Return the metrics of a run on its test split, which is the fold."""
    test = run.metrics["test"]
    return Fold(
        run.path.name, test["photos"], test["right"], test["accuracy"], test["loss"], test["effective_photos"]
    )


def summarize(folds: list[Fold]) -> CrossValidation:
    """Combine the metrics of two or more folds."""
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
