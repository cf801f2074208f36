"""Train the phases of a recipe in order, each from the best model of the previous one."""

import functools
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import keras
import numpy as np

from shutterless.artifacts.history import Epoch, best_of, epochs_of
from shutterless.artifacts.run_files import MODEL
from shutterless.dataset import Dataset, PhotoReader, label_indices
from shutterless.features.embedding import embed
from shutterless.features.network import Network
from shutterless.training.activations.split import split_model
from shutterless.training.activations.store import ActivationStore
from shutterless.training.callbacks.checkpoint import CHECKPOINT, read_checkpoint
from shutterless.training.callbacks.run_callbacks import OnEpoch, RunCallbacks
from shutterless.training.config import TrainingConfig
from shutterless.training.data import Batch, Batches, balanced_weights, pixels_of, weighted
from shutterless.training.distillation.teacher import Teacher
from shutterless.training.loop import fit_head, fit_model
from shutterless.training.model import TransferModel
from shutterless.training.planning.plan import frozen_share
from shutterless.training.recipe import HeadPhase, ModelPhase
from shutterless.utils.progress import Progress


def train_phases(
    model: TransferModel,
    run: Path,
    dataset: Dataset,
    config: TrainingConfig,
    *,
    teacher: Teacher | None = None,
    progress: Progress,
    on_epoch: OnEpoch,
    tensorboard: bool,
    further: Sequence[keras.callbacks.Callback] = (),
) -> Epoch | None:
    """Train all phases of `config`, from the run's checkpoint if it has one.

    Args:
        model: The model to train.
        run: The run folder; it receives the best model, the history and the checkpoints.
        dataset: The photos, by split.
        config: What to train.
        teacher: What the model learns from besides the labels.
        progress: Called after each training step.
        on_epoch: Called with each epoch when all its files are written.
        tensorboard: Also write TensorBoard event files.
        further: Callbacks that are called after all others.

    Returns:
        The best epoch.

    Raises:
        ShutterlessError: A photo or the checkpoint cannot be read, a file cannot be written, or the
            training has diverged.
    """
    checkpoint = read_checkpoint(run / CHECKPOINT)
    callbacks = RunCallbacks(
        model.full,
        run,
        progress=progress,
        on_epoch=on_epoch,
        epochs=checkpoint.epochs if checkpoint else (),
        tensorboard=tensorboard,
        further=further,
    )
    photos = _Photos(dataset, config, progress, teacher)
    for number, (name, phase) in enumerate(config.phases.items()):
        resume_from = checkpoint if checkpoint and checkpoint.phase == name else None
        if resume_from is None and epochs_of(callbacks.epochs, name):
            continue  # finished before the checkpoint was written
        if number:
            model.full.load_weights(run / MODEL)
        if isinstance(phase, ModelPhase):
            store = photos.store(model, phase, run, name)
            train, validation = (photos.batches(split, phase, store) for split in ("train", "validation"))
            fit_model(
                model,
                train,
                validation,
                phase,
                callbacks,
                name=name,
                frozen=name == "frozen_training",
                checkpoint=resume_from,
                store=store,
                teacher=teacher,
                progress=progress,
            )
        elif resume_from is not None:
            resume_from.restore(model.head)  # a head's checkpoint is written at the end of its phase
        elif isinstance(phase, HeadPhase):
            network = Network(config.backbone.name, model.features, config.input)
            train_data = photos.features("train", network, mirrored=phase.mirrored)
            validation_data = photos.features("validation", network)
            fit_head(model.head, train_data, validation_data, phase, callbacks, teacher=teacher)
    return best_of(callbacks.epochs)


class _Photos:
    """The training and validation photos, as batches of pixels or stored activations, or as features."""

    def __init__(
        self, dataset: Dataset, config: TrainingConfig, progress: Progress, teacher: Teacher | None
    ) -> None:
        self._dataset, self._config, self._progress = dataset, config, progress
        self._targets = {
            split: keras.utils.to_categorical(
                label_indices(dataset.of(split), dataset.labels), len(dataset.labels)
            )
            for split in ("train", "validation")
        }
        self._class_weights: np.ndarray | None = (
            balanced_weights(self._targets["train"]) if config.recipe.class_weights else None
        )
        if teacher is not None:
            self._targets["train"] = teacher.targets(self._targets["train"])

    @cached_property
    def _readers(self) -> Mapping[str, PhotoReader]:
        return {
            split: PhotoReader(
                self._dataset.root,
                self._dataset.of(split),
                self._config.input,
                progress=self._progress,
                decoded=self._dataset.decoded,
            )
            for split in self._targets
        }

    def features(self, split: str, network: Network, *, mirrored: bool = False) -> Batch:
        """Return the features of one split's photos, and of their mirror images, with their targets."""
        features = embed(
            self._dataset.root,
            self._dataset.of(split),
            network,
            mirrored=mirrored,
            decoded=self._dataset.decoded,
            progress=self._progress,
        )
        targets = np.concatenate([self._targets[split]] * (2 if mirrored else 1))
        return weighted(features, targets, self._class_weights if split == "train" else None)

    def store(self, model: TransferModel, phase: ModelPhase, run: Path, name: str) -> ActivationStore | None:
        """Return the store of the frozen layers' output, not filled yet; None if `phase` has none."""
        split = split_model(model, frozen_share(name, phase)) if phase.stored_copies else None
        if split is None:
            return None
        fingerprint = f"{self._dataset.fingerprint} {self._config.input}"
        return ActivationStore(
            run, split, self._readers, phase, seed=self._config.seed, fingerprint=fingerprint
        )

    def batches(self, split: str, phase: ModelPhase, store: ActivationStore | None = None) -> Batches:
        """Return the batches of one split; training photos are augmented and mixed if `phase` says so."""
        training = phase if split == "train" else None
        reader = self._readers[split]
        return Batches(
            functools.partial(store.read, split)
            if store is not None
            else pixels_of(reader, training.augmentation if training else None),
            self._targets[split],
            batch_size=phase.batch_size,
            seed=self._config.seed,
            phase=training,
            class_weights=self._class_weights if training else None,
        )
