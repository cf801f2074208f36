"""Train several recipes and seeds, one after the other, on the same photos."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import keras

from shutterless.artifacts.run_files import CURVES
from shutterless.dataset import Dataset, decode_once, load_dataset
from shutterless.errors import InputError
from shutterless.evaluation.learning_curves import MAX_CURVES, draw_curves
from shutterless.evaluation.runs import list_runs
from shutterless.files import ensure_empty, ensure_outside
from shutterless.training.callbacks.run_callbacks import OnEpoch
from shutterless.training.config import SEED, TrainingConfig, make_config
from shutterless.training.run import Run
from shutterless.training.series.options import ConfigOptions
from shutterless.training.trainer import OnStart, train
from shutterless.utils.progress import Progress, automatic

UNSAFE = re.compile(r"[^\w.-]+")  # what a recipe's name may have and a folder's should not


def train_series(
    photos: str | Path,
    output: str | Path,
    *,
    recipes: Sequence[str | Path] = ("quick",),
    seeds: Sequence[int] = (SEED,),
    backbone: str | None = None,
    weights: str | Path | None = None,
    cut: str | None = None,
    image_size: int | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    minutes: float | None = None,
    group_by: str | Path | None = None,
    resume: bool = False,
    tensorboard: bool = False,
    report: bool = True,
    progress: Progress = automatic,
    on_start: OnStart = lambda config, dataset: None,
    on_epoch: OnEpoch = lambda epoch: None,
    on_warning: Callable[[str], None] = lambda warning: None,
) -> tuple[Run, ...]:
    """Train a run for each recipe and seed, on the same photos and splits, to compare them.

    The photos are read once, and split by the first seed. The runs are written to `output`/RECIPE-SEED, and
    the learning curves of the best ones to `output`/curves.svg. `list_runs` and `group_runs` have the
    metrics, and their spread over the seeds.

    Args:
        photos: The photos, as for `train`.
        output: The folder to write.
        recipes: Names of shipped recipes, or TOML files.
        seeds: For the order of the photos, augmentation and the first weights. The first one is also that of
            the split.
        backbone: As for `train`.
        weights: As for `train`.
        cut: As for `train`.
        image_size: As for `train`.
        epochs: As for `train`.
        batch_size: As for `train`.
        minutes: How long each run may take, as for `train`.
        group_by: As for `train`.
        resume: Continue an interrupted series in `output`; finished runs are kept.
        tensorboard: As for `train`.
        report: Also write report.html and its figures for each run.
        progress: Called with what is being done, the number of finished steps and that of all steps.
        on_start: Called with the configuration and the photos of each run before it is trained.
        on_epoch: Called with each epoch when all its files are written.
        on_warning: Called with each warning about the photos or a training.

    Returns:
        The runs, by recipe and then by seed.

    Raises:
        InputError: Two recipes have the same name (`equal-recipe-names`).
        ShutterlessError: The input is wrong or a training cannot be finished, as for `train`.

    Example:
        >>> import shutterless
        >>> photos = shutterless.draw_sample("photos", per_label=6, size=32)
        >>> runs = shutterless.train_series(
        ...     photos, "series", seeds=[1, 2], backbone="tiny", image_size=32, epochs=1, report=False
        ... )
        >>> [run.path.name for run in runs]
        ['quick-1', 'quick-2']
    """
    photos, output, seeds = Path(photos), Path(output), tuple(dict.fromkeys(seeds))
    ensure_outside(output, photos)
    if not resume:
        ensure_empty(output)
    options: ConfigOptions = {
        "backbone": backbone,
        "weights": weights,
        "cut": cut,
        "image_size": image_size,
        "epochs": epochs,
        "batch_size": batch_size,
        "group_by": group_by,
    }
    configs = {
        (recipe, seed): make_config(recipe, minutes=minutes, seed=seed, **options)
        for recipe in dict.fromkeys(map(str, recipes))
        for seed in seeds
    }
    folders = _folders(output, configs.values())
    first = next(iter(configs.values()))
    dataset = load_dataset(
        photos, seed=first.seed, group_by=first.group_by, spec=first.input, progress=progress
    )
    runs: list[Run] = []
    warnings: set[str] = set()

    def warn_once(warning: str) -> None:
        if warning not in warnings:
            warnings.add(warning)
            on_warning(warning)

    for ((recipe, seed), config), folder in zip(configs.items(), folders, strict=True):
        keras.backend.clear_session()  # the models of earlier runs would stay in memory
        dataset = _decoded_for(config, dataset)
        run = train(
            dataset,
            folder,
            recipe=recipe,
            minutes=minutes,
            seed=seed,
            resume=resume,
            tensorboard=tensorboard,
            report=report,
            progress=progress,
            on_start=on_start,
            on_epoch=on_epoch,
            on_warning=warn_once,
            **options,
        )
        runs.append(run)
    draw_curves(output / CURVES, *(run.path for run in list_runs(*folders)[:MAX_CURVES]))
    return tuple(runs)


def _folders(output: Path, configs: Iterable[TrainingConfig]) -> list[Path]:
    """Return the folder of each run: the file name that its recipe's name makes, and its seed."""
    names = [UNSAFE.sub("-", config.recipe.name) + f"-{config.seed}" for config in configs]
    if len({*names}) < len(names):
        raise InputError(
            "equal-recipe-names",
            f"Two recipes would be trained into one folder: {', '.join(names)}",
            "Give each recipe file another `name`.",
        )
    return [output / name for name in names]


def _decoded_for(config: TrainingConfig, dataset: Dataset) -> Dataset:
    """Return the data set with its photos decoded for the input of `config`, if they fit in memory."""
    if dataset.decoded.spec == config.input:
        return dataset
    return replace(dataset, decoded=decode_once(dataset.root, dataset.photos, config.input))
