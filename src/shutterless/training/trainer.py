"""Transfer learning from a folder of labelled photos to a run folder."""

import importlib.metadata
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import keras

from shutterless.dataset import SPLITS, Dataset, PhotoReader, label_indices, load_dataset, write_split
from shutterless.errors import ShutterlessError
from shutterless.evaluation import evaluate_photos
from shutterless.progress import Progress, silent
from shutterless.runtime.pixels import InputSpec
from shutterless.training.backbones import find_backbone
from shutterless.training.batches import Batches
from shutterless.training.fit import Epoch, Journal, OnEpoch, fit_head, fit_network
from shutterless.training.network import Network, build_network
from shutterless.training.recipe import Phase, Recipe, load_recipe
from shutterless.training.run import (
    HISTORY,
    METRICS,
    MODEL,
    RECIPE,
    SPLIT,
    Run,
    Settings,
    load_run,
    write_metrics,
    write_recipe,
)


def train(
    photos: Path,
    run: Path,
    *,
    recipe: str | Path = "quick",
    backbone: str = "mobilenetv2",
    weights: str | None = None,
    cut: str | None = None,
    image_size: int | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    seed: int = 42,
    progress: Progress = silent,
    on_epoch: OnEpoch = lambda epoch: None,
    on_warning: Callable[[str], None] = lambda warning: None,
) -> Run:
    """Train a classifier on the folder `photos` and write the run folder `run`.

    recipe: a shipped recipe's name or a TOML file. backbone, cut: see `training.backbones`.
    weights: `imagenet`, `none` or a file; `imagenet` where the backbone has them if it is not given.
    image_size: side in pixels. epochs, batch_size: override those of the recipe's last phase.
    on_epoch: called with each finished epoch. on_warning: called with what is odd about the photos.

    After any interruption, KeyboardInterrupt included, `run` holds the best network so far.
    Raises `ShutterlessError` for bad input, before anything is written.
    """
    chosen = _override(load_recipe(recipe), epochs, batch_size)
    entry = find_backbone(backbone)
    weights = weights or ("imagenet" if entry.pretrained else "none")
    size = image_size or chosen.image.size or entry.image_size
    _refuse_used(run)
    dataset = load_dataset(photos, seed=seed, progress=progress)
    for remark in dataset.remarks():
        on_warning(remark)
    settings = Settings(
        photos=photos.resolve(),
        dataset_fingerprint=dataset.fingerprint,
        backbone=entry.name,
        weights=weights if weights in ("imagenet", "none") else str(Path(weights).resolve()),
        cut=cut,
        image_size=size,
        seed=seed,
    )
    keras.utils.set_random_seed(seed)
    network = build_network(
        entry, chosen.head, labels=len(dataset.labels), image_size=size, weights=weights, cut=cut
    )
    _start(run, dataset, chosen, settings)
    spec = InputSpec(size, size, chosen.image.resize, chosen.image.interpolation)
    journal = Journal(network, run / MODEL, run / HISTORY, progress, on_epoch)
    _fit(network, dataset, spec, chosen, settings, journal, progress)
    finished = load_run(run)
    _finish(finished, dataset, journal.best, progress)
    return finished


def _override(recipe: Recipe, epochs: int | None, batch_size: int | None) -> Recipe:
    """Let the caller's figures replace those of the last phase, the one that decides."""
    changes = {
        name: value for name, value in (("epochs", epochs), ("batch_size", batch_size)) if value is not None
    }
    last = "fine_tuning" if recipe.fine_tuning else "head_training"
    phases = {name: getattr(recipe, name).model_copy(update=changes) for name in (last, "from_scratch")}
    return recipe.model_copy(update=phases)


def _refuse_used(run: Path) -> None:
    if run.is_file() or (run.is_dir() and any(run.iterdir())):
        raise ShutterlessError(
            f"{run} exists already and is not empty", "Choose another folder, or remove this one first."
        )


def _start(run: Path, dataset: Dataset, recipe: Recipe, settings: Settings) -> None:
    try:
        run.mkdir(parents=True, exist_ok=True)
        write_recipe(run / RECIPE, recipe, settings)
    except OSError as error:
        raise ShutterlessError(
            f"Cannot write {run}: {error.strerror or error}", "Choose a folder with room and write access."
        ) from error
    write_split(dataset, run / SPLIT)


def _fit(
    network: Network,
    dataset: Dataset,
    spec: InputSpec,
    recipe: Recipe,
    settings: Settings,
    journal: Journal,
    progress: Progress,
) -> None:
    readers = {
        split: PhotoReader(dataset.root, dataset.of(split), spec, progress=progress)
        for split in ("train", "validation")
    }

    def batches(split: str, phase: Phase) -> Batches:
        targets = keras.utils.to_categorical(
            label_indices(dataset.of(split), dataset.labels), len(dataset.labels)
        )
        augmentation = getattr(phase, "augmentation", None) if split == "train" else None
        return Batches(
            readers[split],
            targets,
            batch_size=phase.batch_size,
            seed=settings.seed,
            augmentation=augmentation,
        )

    if settings.weights == "none":
        phase = recipe.from_scratch
        fit_network(network, batches("train", phase), batches("validation", phase), phase, journal)
        return
    head = recipe.head_training
    fit_head(network, batches("train", head), batches("validation", head), head, journal, progress)
    if recipe.fine_tuning is not None:
        phase = recipe.fine_tuning
        network.whole.load_weights(journal.model_file)
        fit_network(network, batches("train", phase), batches("validation", phase), phase, journal)


def _finish(run: Run, dataset: Dataset, best: Epoch | None, progress: Progress) -> None:
    """Measure the network as it was saved, not as it is in memory, and write metrics.json."""
    evaluation = evaluate_photos(run, dataset.root, dataset.of("validation"), progress=progress)
    write_metrics(
        run.path / METRICS,
        {
            "validation": evaluation.to_json(),
            "best_epoch": asdict(best) if best else None,
            "labels": list(dataset.labels),
            "photos": {split: len(dataset.of(split)) for split in SPLITS},
            "unreadable": [asdict(file) for file in dataset.unreadable],
            "dataset_fingerprint": dataset.fingerprint,
            "made_with": {
                package: importlib.metadata.version(package) for package in ("shutterless", "keras", "numpy")
            },
        },
    )
