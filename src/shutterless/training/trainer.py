"""Train a classifier on a folder of labelled photos by transfer learning."""

import importlib.metadata
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import cast

from shutterless.artifacts.history import Epoch
from shutterless.artifacts.lock import locked
from shutterless.artifacts.metrics import RunMetrics, SplitMetrics, write_metrics
from shutterless.artifacts.run_files import METRICS, RECIPE, SPLIT, is_run
from shutterless.artifacts.split import write_split
from shutterless.dataset import SPLITS, Dataset, Photo, load_dataset
from shutterless.errors import cannot_write
from shutterless.evaluation import ConditionMetrics, Predictions, calibrate, predict_labelled
from shutterless.evaluation.robustness import measure_robustness
from shutterless.files import ensure_outside, ensure_writable
from shutterless.training.callbacks.checkpoint import CHECKPOINT
from shutterless.training.callbacks.run_callbacks import OnEpoch
from shutterless.training.config import Paths, TrainingConfig, make_config, require_same
from shutterless.training.distillation.teacher import Teacher, make_teacher, write_teacher
from shutterless.training.model import TransferModel, build_model
from shutterless.training.optimization.seeding import seeded
from shutterless.training.phases import train_phases
from shutterless.training.planning.minutes import limit_time, plan_time
from shutterless.training.planning.plan import plan_copies
from shutterless.training.recipe import ModelPhase
from shutterless.training.report import write_run_report
from shutterless.training.resume import (
    find_earlier,
    is_finished,
    require_same_photos,
    require_unused,
    seconds_of_epochs,
)
from shutterless.training.run import Run, load_run, write_recipe
from shutterless.training.warm_start.labels import (
    compare_labels,
    describe_changes,
    recorded_splits,
    require_same_splits,
)
from shutterless.training.warm_start.metrics import compare_with_earlier
from shutterless.training.warm_start.model import extend_model, load_earlier_run
from shutterless.utils.interrupt import check_interrupt, interruptible, interruptible_progress
from shutterless.utils.progress import Progress, automatic
from shutterless.utils.quiet import without_retracing_advice

OnStart = Callable[[TrainingConfig, Dataset], None]


def train(
    photos: str | Path | Dataset,
    run: str | Path,
    *,
    recipe: str | Path | None = None,
    backbone: str | None = None,
    weights: str | Path | None = None,
    cut: str | None = None,
    image_size: int | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    seed: int | None = None,
    group_by: str | Path | None = None,
    minutes: float | None = None,
    from_run: str | Path | Run | None = None,
    budget: str | None = None,
    teacher: Paths = (),
    resume: bool = False,
    tensorboard: bool = False,
    report: bool = True,
    progress: Progress = automatic,
    on_start: OnStart = lambda config, dataset: None,
    on_epoch: OnEpoch = lambda epoch: None,
    on_warning: Callable[[str], None] = lambda warning: None,
) -> Run:
    """Train a classifier on labelled photos.

    If the training is interrupted, also by Ctrl-C, the run folder keeps the best model so far. The
    caller's random generators (`random`, NumPy's, TensorFlow's seed) are left as they were.

    Args:
        photos: A folder with one folder of photos for each label, or with `train`, `validation` and `test`
            that hold such folders. Or a table of photos, see `load_dataset`. Or a data set, whose splits
            are kept.
        run: The run folder to write.
        recipe: Name of a shipped recipe, or a TOML file; `quick` by default.
        backbone: Name in the catalogue, or `MODULE:VARIABLE` for one of your own, see `register_backbone`;
            the recipe's by default. `auto` is the one with the highest accuracy on ImageNet within `budget`.
        weights: `imagenet`, `none`, or a file of Keras weights; `imagenet` by default if the backbone has
            such weights.
        cut: Name of the layer that the backbone ends at; the recipe's by default.
        image_size: Side of the model's square input, in pixels; the recipe's or the backbone's by default.
        epochs: Epochs of the recipe's last phase.
        batch_size: Photos in a step of the recipe's last phase.
        seed: For the split, the order of the photos, augmentation and the first weights; 42 by default.
        group_by: Which photos show one thing and stay in one split, see `load_dataset`; `auto` by default.
        minutes: How long the training may take, with reading the photos and the report. The epochs of the
            last phase are reduced so that it fits, by an estimate from a few measured steps.
        from_run: A finished run to continue from, when labels or photos were added: its weights are kept, its
            network is used, the photos that it was not trained on stay apart, and fine-tuning takes a quarter
            of its epochs. Its recipe, seed and `group_by` are the defaults.
        budget: With the backbone `auto`, what the converted model may take, as measured on this machine with
            random weights: the time for a photo on one core, such as `8ms`, or the size, such as `4MB`. The
            chosen backbone is recorded in the run, so that `resume` and `from_run` do not measure again.
        teacher: One or more finished runs, or `.npz` files of scores, whose answers to the training photos
            the model learns from besides the labels (distillation); the recipe's by default.
        resume: Continue an interrupted training in `run`. Options that are not given are those that it was
            started with. Without anything to resume, training starts from scratch; a finished run is
            returned as it is.
        tensorboard: Also write TensorBoard event files, to `run`/logs.
        report: Also write report.html and its figures, and measure the accuracy on blurred, noisy, dark,
            compressed, rotated and cropped validation photos.
        progress: Called with what is being done, the number of finished steps and that of all steps.
        on_start: Called with the configuration and the photos when everything is checked.
        on_epoch: Called with each epoch when all its files are written.
        on_warning: Called with each warning about the photos or the training.

    Returns:
        The finished run.

    Raises:
        DatasetError: The photos cannot be used. Nothing is written, as for the next three.
        RecipeError: The recipe, the backbone or an option is wrong.
        InputError: The seed is out of range, `minutes` are too few, an option asks for another network than
            that of `from_run`, nothing is within the budget, or a teacher does not fit the photos.
        OutputError: `run` holds other files, lies among the photos, or cannot be written.
        RunError: The run cannot be resumed, `from_run` is not a run or is damaged, another training is
            running in `run`, or the loss is no longer finite.

    Example:
        >>> import shutterless
        >>> photos = shutterless.draw_sample("photos", per_label=10, size=32)
        >>> run = shutterless.train(photos, "run", backbone="tiny", image_size=32, epochs=1)
        >>> len(run.labels)
        10
    """
    start_time = time.monotonic()
    run = Path(run)
    ensure_writable(run)
    ensure_outside(run, photos.source if isinstance(photos, Dataset) else Path(photos))
    progress = interruptible_progress(progress)
    with interruptible(), without_retracing_advice(), locked(run):
        if not resume:
            require_unused(run)
        earlier = find_earlier(run) if resume else None
        source = from_run or (earlier and earlier.settings.from_run)
        if earlier is not None and is_finished(run) and _is_gone(earlier.settings.from_run):
            on_warning(f"{run} is finished: there is nothing to resume")
            return earlier  # its photos and settings are only comparable with the run that it continued
        base = load_earlier_run(source) if source else None
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
            minutes=minutes,
            teacher=teacher,
            earlier=earlier,
            from_run=base,
            budget=budget,
            progress=progress,
        )
        dataset = _load(photos, config, earlier, base, progress)
        if earlier is not None and is_finished(run):
            on_warning(f"{run} is finished: there is nothing to resume")
            return earlier
        for warning in (*dataset.all_warnings(), *(describe_changes(dataset, base) if base else ())):
            on_warning(warning)
        with seeded(config.seed):
            loaded_teacher = make_teacher(config.recipe.teacher, dataset, run, progress)
        with seeded(config.seed):
            model = _initial_model(config, dataset, base)
            check_interrupt()
            if earlier is not None:
                plan, estimated_seconds = earlier.settings.plan, earlier.settings.estimated_seconds
                config = replace(config, plan=plan, estimated_seconds=estimated_seconds)
                start_time -= seconds_of_epochs(run)
            else:
                config = replace(config, plan=plan_copies(config, model, dataset, run, on_warning))
                config = plan_time(config, dataset, model, start_time, report=report, on_warning=on_warning)
            on_start(config, dataset)
            _start(run, dataset, config, loaded_teacher)
            best = train_phases(
                model,
                run,
                dataset,
                config,
                teacher=loaded_teacher,
                progress=progress,
                on_epoch=on_epoch,
                tensorboard=tensorboard,
                further=limit_time(config, start_time, on_warning),
            )
        result = load_run(run)
        _finish(result, dataset, best, start_time, report=report, progress=progress, on_warning=on_warning)
        return result


def _is_gone(run: Path | None) -> bool:
    """Tell whether the run that another one continued is no longer there."""
    return run is not None and not is_run(run)


def _load(
    photos: str | Path | Dataset,
    config: TrainingConfig,
    earlier: Run | None,
    base: Run | None,
    progress: Progress,
) -> Dataset:
    """Return the photos; refuse settings and photos that the run `earlier` was not started with.

    Photos that the run `base` had stay in their splits.
    """
    if earlier is not None:
        require_same(config, earlier)  # before the photos are read, which takes a while
    dataset = photos
    if not isinstance(dataset, Dataset):
        # A head needs the pixels only of photos whose features are not cached.
        is_pixel_training = any(isinstance(phase, ModelPhase) for phase in config.phases.values())
        dataset = load_dataset(
            dataset,
            seed=config.seed,
            group_by=config.group_by,
            spec=config.input if is_pixel_training else None,
            split_of=recorded_splits(base, Path(dataset)),
            progress=progress,
        )
    if earlier is not None:
        require_same_photos(dataset, earlier)
    if base is not None:
        require_same_splits(dataset, base)
    return dataset


def _initial_model(config: TrainingConfig, dataset: Dataset, base: Run | None) -> TransferModel:
    """Return the model to train: a new one, or that of the run to continue from."""
    if base is not None:
        return extend_model(base, dataset.labels, compare_labels(dataset, base).origins)
    return build_model(
        config.backbone,
        config.recipe.head,
        labels=len(dataset.labels),
        image_size=config.image_size,
        weights=config.weights,
        cut=config.recipe.backbone.cut,
        scaling=config.recipe.backbone.scaling,
    )


def _start(run: Path, dataset: Dataset, config: TrainingConfig, teacher: Teacher | None) -> None:
    """Write the split, the recipe and the teacher's answers; a folder with the first two is a run."""
    try:
        run.mkdir(parents=True, exist_ok=True)
        write_split(dataset, run / SPLIT)
        write_recipe(run / RECIPE, config.recipe, config.settings(dataset))
        if teacher is not None:
            write_teacher(teacher, run)
    except OSError as error:
        raise cannot_write(run, error) from error


def _finish(
    run: Run,
    dataset: Dataset,
    best: Epoch | None,
    start_time: float,
    *,
    report: bool,
    progress: Progress,
    on_warning: Callable[[str], None],
) -> None:
    """Measure the model as it was saved, write the report and metrics.json, and remove the checkpoint."""

    def predict(split: str) -> Predictions:
        return predict_labelled(
            model, dataset.root, dataset.of(split), decoded=dataset.decoded, progress=progress
        )

    model = run.predictor
    validation = predict("validation")
    test = predict("test") if dataset.of("test") else None
    robustness = measure_robustness(model, validation, progress=progress) if report else {}
    metrics = _metrics(dataset, best, validation, test, robustness)
    metrics["parameters"] = run.parameters
    if run.settings.from_run:
        base = load_earlier_run(run.settings.from_run)  # its weights as they were before this training
        predictions = (validation, test) if test else (validation,)
        metrics["from_run"] = compare_with_earlier(dataset, base, predictions, progress=progress)
    if report:
        write_run_report(run.path, validation, run, robustness=robustness)
    metrics["seconds"] = round(time.monotonic() - start_time, 2)
    if run.settings.estimated_seconds:
        metrics["estimated_seconds"] = round(sum(run.settings.estimated_seconds.values()), 2)
    write_metrics(run.path / METRICS, metrics)
    if best and not _beats_commonest_label(best, validation.photos):
        on_warning(
            "Nothing was learned: always answering with the commonest label is right as often on the "
            "validation photos. Check the labels, train for more epochs, or use a pretrained backbone."
        )
    (run.path / CHECKPOINT).unlink()


def _metrics(
    dataset: Dataset,
    best: Epoch | None,
    validation: Predictions,
    test: Predictions | None,
    robustness: Mapping[str, ConditionMetrics],
) -> RunMetrics:
    """Return the contents of metrics.json."""
    packages = ("shutterless", "keras", "numpy")
    metrics: RunMetrics = {
        "validation": _split_metrics(validation, robustness),
        "calibration": calibrate(validation.truth, validation.probabilities).to_json(),
        "best_epoch": asdict(best) if best else None,
        "labels": list(dataset.labels),
        "photos": {split: len(dataset.of(split)) for split in SPLITS},
        "unreadable": [asdict(file) for file in dataset.unreadable],
        "skipped": [asdict(reason) for reason in dataset.skipped],
        "dataset_fingerprint": dataset.fingerprint,
        "made_with": {package: importlib.metadata.version(package) for package in packages},
    }
    if test:
        metrics["test"] = _split_metrics(test, {})
    return metrics


def _split_metrics(predictions: Predictions, robustness: Mapping[str, ConditionMetrics]) -> SplitMetrics:
    metrics = replace(predictions.measure(), robustness=dict(robustness)).to_json()
    return cast(SplitMetrics, {name: metrics[name] for name in metrics if name != "confusion"})


def _beats_commonest_label(best: Epoch, validation: Sequence[Photo]) -> bool:
    """Tell whether the best epoch is right more often than always answering with the commonest label."""
    commonest = Counter(photo.label for photo in validation).most_common(1)[0][1]
    return round(best.val_accuracy * len(validation)) > commonest
