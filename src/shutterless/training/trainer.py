"""Transfer learning from a folder of labelled photos to a run folder."""

import importlib.metadata
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras
import numpy as np

from shutterless.dataset import SPLITS, Dataset, Photo, PhotoReader, label_indices, load_dataset, write_split
from shutterless.errors import ShutterlessError, cannot_write
from shutterless.evaluation import calibrate, predict_labelled
from shutterless.evaluation.report import write_report
from shutterless.files import ensure_outside, ensure_writable, entries
from shutterless.progress import Progress, silent
from shutterless.runtime.pixels import InputSpec
from shutterless.training.batches import Batches, balanced_weights
from shutterless.training.checkpoint import CHECKPOINT, Checkpoint, read_checkpoint
from shutterless.training.examples import augmented_example
from shutterless.training.fit import HEAD, fit_head, fit_network
from shutterless.training.gradcam import GradCam
from shutterless.training.history import Epoch
from shutterless.training.journal import Journal, OnEpoch
from shutterless.training.network import Network, build_network
from shutterless.training.plan import Plan, make_plan, require_same
from shutterless.training.recipe import HeadPhase, NetworkPhase, Phase
from shutterless.training.run import (
    METRICS,
    RECIPE,
    SPLIT,
    Run,
    load_run,
    write_metrics,
    write_recipe,
)

# What each phase of a recipe is called in the history.
PHASE_NAMES = {
    "head_training": HEAD,
    "frozen_training": "frozen",
    "fine_tuning": "network",
    "from_scratch": "network",
}


def train(
    photos: Path,
    run: Path,
    *,
    recipe: str | Path | None = None,
    backbone: str | None = None,
    weights: str | None = None,
    cut: str | None = None,
    image_size: int | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    seed: int | None = None,
    resume: bool = False,
    tensorboard: bool = False,
    report: bool = True,
    progress: Progress = silent,
    on_epoch: OnEpoch = lambda epoch: None,
    on_warning: Callable[[str], None] = lambda warning: None,
) -> Run:
    """Train a classifier on the folder `photos` and write the run folder `run`.

    recipe: a shipped recipe's name, `quick` if it is not given, or a TOML file.
    backbone, cut: see `training.catalogue`; the recipe's if they are not given.
    weights: `imagenet`, `none` or a file; `imagenet` where the backbone has them if it is not given.
    image_size: side in pixels. epochs, batch_size: override those of the recipe's last phase.
    seed: for the split, the order and the first weights; 42 if it is not given.
    resume: go on where a training into `run` ended, however it ended; options that are not given are
    those that it was started with. Without one it begins, with one that is finished it does nothing.
    tensorboard: also write event files for TensorBoard. report: also write report.html and its figures.
    on_epoch: called with each finished epoch. on_warning: called with what is odd about the photos.

    After any interruption, KeyboardInterrupt included, `run` holds the best network so far.
    Raises `ShutterlessError` for bad input, before anything is written.
    """
    ensure_outside(run, photos)
    ensure_writable(run)
    if not resume:
        _refuse_used(run)
    earlier = _earlier(run) if resume else None
    plan = make_plan(recipe, backbone, weights, cut, image_size, epochs, batch_size, seed, earlier=earlier)
    if earlier is not None:
        require_same(plan, earlier)
        if (run / METRICS).is_file() and not (run / CHECKPOINT).exists():
            on_warning(f"{run} is finished: there is nothing to resume")
            return earlier
    dataset = load_dataset(photos, seed=plan.seed, progress=progress)
    for remark in dataset.remarks():
        on_warning(remark)
    _require_same_photos(dataset, earlier)
    network = _build(plan, len(dataset.labels))
    _start(run, dataset, plan)
    checkpoint = read_checkpoint(run / CHECKPOINT)
    behind = checkpoint.epochs if checkpoint else ()
    journal = Journal(network, run, progress, on_epoch, behind, events=tensorboard)
    _fit(network, dataset, plan, journal, checkpoint, progress)
    finished = load_run(run)
    _finish(finished, dataset, journal.best, report, progress)
    (run / CHECKPOINT).unlink()
    return finished


def _refuse_used(run: Path) -> None:
    if run.is_file() or (run.is_dir() and entries(run)):
        raise ShutterlessError(
            f"{run} already exists and is not empty",
            "Choose another folder, or add --resume to continue the training in this one.",
        )


def _earlier(run: Path) -> Run | None:
    """Return the run to resume, or None where a training ended before it had begun its run."""
    if not run.exists() or (run.is_dir() and entries(run) <= {SPLIT}):
        return None
    return load_run(run)


def _require_same_photos(dataset: Dataset, earlier: Run | None) -> None:
    if earlier is not None and dataset.fingerprint != earlier.settings.dataset_fingerprint:
        raise ShutterlessError(
            f"The photos in {dataset.root} are not those that {earlier.path} was started with",
            "Restore them, or train into another folder.",
        )


def _build(plan: Plan, labels: int) -> Network:
    """Build the network with the first weights that the seed gives."""
    keras.utils.set_random_seed(plan.seed)
    return build_network(
        plan.backbone,
        plan.recipe.head,
        labels=labels,
        image_size=plan.image_size,
        weights=plan.weights,
        cut=plan.recipe.backbone.cut,
        scaling=plan.recipe.backbone.scaling,
    )


def _start(run: Path, dataset: Dataset, plan: Plan) -> None:
    """Write the split and then the recipe, by which a folder is a run."""
    try:
        run.mkdir(parents=True, exist_ok=True)
        write_split(dataset, run / SPLIT)
        write_recipe(run / RECIPE, plan.recipe, plan.settings(dataset))
    except OSError as error:
        raise cannot_write(run, error) from error


def _fit(
    network: Network,
    dataset: Dataset,
    plan: Plan,
    journal: Journal,
    checkpoint: Checkpoint | None,
    progress: Progress,
) -> None:
    """Train phase after phase, each from the best network of the one before.

    Phases that are behind the checkpoint are left out, the one that it is in is taken up.
    """
    photos = _Photos(dataset, plan, progress)
    for number, (field, phase) in enumerate(plan.phases.items()):
        name = PHASE_NAMES[field]
        reached = checkpoint if checkpoint and checkpoint.phase == name else None
        if journal.done(name) and reached is None:
            continue
        if number and reached is None:
            network.whole.load_weights(journal.model_file)
        train, validation = photos.batches("train", phase), photos.batches("validation", phase)
        if isinstance(phase, NetworkPhase):
            frozen = field == "frozen_training"
            fit_network(
                network, train, validation, phase, journal, name=name, frozen=frozen, checkpoint=reached
            )
        elif reached is not None:
            reached.restore(network.head)
        elif isinstance(phase, HeadPhase):
            fit_head(network, train, validation, phase, journal, progress, photos.class_weights)


class _Photos:
    """The photos of the splits that are trained on, as batches."""

    def __init__(self, dataset: Dataset, plan: Plan, progress: Progress) -> None:
        image, size = plan.recipe.image, plan.image_size
        spec = InputSpec(size, size, image.resize, image.interpolation)
        self._readers = {
            split: PhotoReader(dataset.root, dataset.of(split), spec, progress=progress)
            for split in ("train", "validation")
        }
        self._targets = {
            split: keras.utils.to_categorical(
                label_indices(dataset.of(split), dataset.labels), len(dataset.labels)
            )
            for split in self._readers
        }
        self._seed = plan.seed
        self.class_weights: np.ndarray | None = (
            balanced_weights(self._targets["train"]) if plan.recipe.class_weights else None
        )

    def batches(self, split: str, phase: Phase) -> Batches:
        """Return the photos of one split as `phase` sees them."""
        varying = phase if split == "train" and isinstance(phase, NetworkPhase) else None
        return Batches(
            self._readers[split],
            self._targets[split],
            batch_size=phase.batch_size,
            seed=self._seed,
            phase=varying,
            class_weights=self.class_weights if varying else None,
        )


def _finish(run: Run, dataset: Dataset, best: Epoch | None, report: bool, progress: Progress) -> None:
    """Measure the network as it was saved, not as it is in memory: metrics.json and the report."""
    predictions = predict_labelled(run, dataset.root, dataset.of("validation"), progress=progress)
    test = dataset.of("test")
    write_metrics(
        run.path / METRICS,
        {
            "validation": predictions.measure().to_json(),
            **({"test": _measure(run, dataset.root, test, progress)} if test else {}),
            "calibration": calibrate(predictions.truth, predictions.probabilities).to_json(),
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
    if report:
        augmented = augmented_example(run, predictions.root, predictions.photos[0])
        write_report(run.path, predictions, run.path, augmented=augmented, heat_map=GradCam(run.model))


def _measure(run: Run, root: Path, photos: Sequence[Photo], progress: Progress) -> dict[str, Any]:
    return predict_labelled(run, root, photos, progress=progress).measure().to_json()
