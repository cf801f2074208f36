"""Transfer learning from a folder of labelled photos to a run folder."""

import importlib.metadata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import keras
import numpy as np

from shutterless.artifacts.history import Epoch
from shutterless.artifacts.lock import locked
from shutterless.artifacts.metrics import write_metrics
from shutterless.artifacts.run_files import METRICS, RECIPE, SPLIT
from shutterless.artifacts.split import write_split
from shutterless.dataset import SPLITS, Dataset, Photo, PhotoReader, label_indices, load_dataset
from shutterless.errors import cannot_write
from shutterless.evaluation import calibrate, predict_labelled
from shutterless.files import ensure_outside, ensure_writable
from shutterless.runtime.json_types import JsonObject
from shutterless.training.callbacks.checkpoint import CHECKPOINT, Checkpoint, read_checkpoint
from shutterless.training.callbacks.journal import Journal, OnEpoch
from shutterless.training.config import Plan, make_plan, require_same
from shutterless.training.data import Batches, balanced_weights
from shutterless.training.loop import HEAD, fit_head, fit_network
from shutterless.training.model import Network, build_network
from shutterless.training.optimization.seeding import seeded
from shutterless.training.recipe import HeadPhase, NetworkPhase, Phase
from shutterless.training.report import write_run_report
from shutterless.training.resume import find_earlier, is_finished, require_same_photos, require_unused
from shutterless.training.run import Run, load_run, write_recipe
from shutterless.utils.interrupt import check_interrupt, interruptible
from shutterless.utils.progress import Progress, automatic

OnStart = Callable[[Plan, Dataset], None]

# What each phase of a recipe is called in the history.
PHASE_NAMES = {
    "head_training": HEAD,
    "frozen_training": "frozen",
    "fine_tuning": "network",
    "from_scratch": "network",
}


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
    resume: bool = False,
    tensorboard: bool = False,
    report: bool = True,
    progress: Progress = automatic,
    on_start: OnStart = lambda plan, dataset: None,
    on_epoch: OnEpoch = lambda epoch: None,
    on_warning: Callable[[str], None] = lambda warning: None,
) -> Run:
    """Train a classifier on labelled photos.

    After an interruption, KeyboardInterrupt included, the run folder holds the best network so far.
    The caller's random generators (`random`, NumPy's, TensorFlow's seed) are left as they were.

    Args:
        photos: The folder of photos: one folder for each label, or train, validation and test with the
            labels below. Or a data set, whose splits are kept.
        run: The run folder to write.
        recipe: A shipped recipe's name, `quick` if it is not given, or a TOML file.
        backbone: See `training.catalogue`; the recipe's if it is not given.
        weights: `imagenet`, `none` or a file; `imagenet` where the backbone has them if it is not given.
        cut: The layer that the backbone ends at; the recipe's if it is not given.
        image_size: Side in pixels.
        epochs: Overrides those of the recipe's last phase.
        batch_size: Overrides that of the recipe's last phase.
        seed: For the split, the order and the first weights; 42 if it is not given.
        group_by: Which photos show one thing and stay in one split, see `load_dataset`; `auto` if it is
            not given.
        resume: Continue where a training into `run` ended, however it ended. Options that are not given
            are those that it was started with. If nothing has begun, the training begins; if it is
            finished, nothing happens.
        tensorboard: Also write event files for TensorBoard.
        report: Also write report.html and its figures.
        progress: Called with what is being done, how many steps are done and how many there are.
        on_start: Called with the plan and the photos once everything is checked, before it starts.
        on_epoch: Called with each finished epoch.
        on_warning: Called with what is odd about the photos.

    Returns:
        The finished run.

    Raises:
        ShutterlessError: The input is bad (nothing is written then), or the training cannot go on.
    """
    run = Path(run)
    ensure_writable(run)
    ensure_outside(run, photos.root if isinstance(photos, Dataset) else Path(photos))
    progress = _interruptible(progress)
    with interruptible(), locked(run):
        if not resume:
            require_unused(run)
        earlier = find_earlier(run) if resume else None
        options = (recipe, backbone, weights, cut, image_size, epochs, batch_size, seed, group_by)
        plan = make_plan(*options, earlier=earlier)
        if earlier is not None:
            require_same(plan, earlier)
        dataset = photos if isinstance(photos, Dataset) else _load(Path(photos), plan, progress)
        if earlier is not None:
            require_same_photos(dataset, earlier)
            if is_finished(run):
                on_warning(f"{run} is finished: there is nothing to resume")
                return earlier
        for warning in dataset.all_warnings():
            on_warning(warning)
        with seeded(plan.seed):
            network = _build(plan, len(dataset.labels))
            check_interrupt()
            on_start(plan, dataset)
            _start(run, dataset, plan)
            best = _train_phases(network, run, dataset, plan, progress, on_epoch, tensorboard)
        finished = load_run(run)
        _finish(finished, dataset, best, report, progress)
        if best and _learned_nothing(best, dataset.of("validation")):
            on_warning(
                "Nothing was learned: always answering with the commonest label is right as often on the "
                "validation photos. Check the labels, train for more epochs, or use a pretrained backbone."
            )
        (run / CHECKPOINT).unlink()
        return finished


def _load(photos: Path, plan: Plan, progress: Progress) -> Dataset:
    return load_dataset(photos, seed=plan.seed, group_by=plan.group_by, spec=plan.input, progress=progress)


def _learned_nothing(best: Epoch, photos: Sequence[Photo]) -> bool:
    """Tell whether always answering with the commonest label of `photos` is right as often."""
    commonest = Counter(photo.label for photo in photos).most_common(1)[0][1]
    return round(best.val_accuracy * len(photos)) <= commonest


def _interruptible(progress: Progress) -> Progress:
    """Return a `progress` that first raises a Ctrl-C that Keras or TensorFlow has swallowed."""

    def report(what: str, done: int, total: int) -> None:
        check_interrupt()
        progress(what, done, total)

    return report


def _build(plan: Plan, labels: int) -> Network:
    """Build the network; its first weights follow from the seed that is set."""
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


def _train_phases(
    network: Network,
    run: Path,
    dataset: Dataset,
    plan: Plan,
    progress: Progress,
    on_epoch: OnEpoch,
    tensorboard: bool,
) -> Epoch | None:
    """Train from the run's checkpoint on, if there is one, and return the best epoch."""
    checkpoint = read_checkpoint(run / CHECKPOINT)
    behind = checkpoint.epochs if checkpoint else ()
    journal = Journal(network, run, progress, on_epoch, behind, events=tensorboard)
    _fit(network, dataset, plan, journal, checkpoint, progress)
    return journal.best


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
        self._readers = {
            split: PhotoReader(
                dataset.root, dataset.of(split), plan.input, progress=progress, decoded=dataset.decoded
            )
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
            "skipped": [asdict(reason) for reason in dataset.skipped],
            "dataset_fingerprint": dataset.fingerprint,
            "made_with": {
                package: importlib.metadata.version(package) for package in ("shutterless", "keras", "numpy")
            },
        },
    )
    if report:
        write_run_report(run.path, predictions, run)


def _measure(run: Run, root: Path, photos: Sequence[Photo], progress: Progress) -> JsonObject:
    return predict_labelled(run, root, photos, progress=progress).measure().to_json()
