"""The two ways of fitting: the head on features of a frozen backbone, or a network on augmented photos."""

import keras
import numpy as np

from shutterless.training.callbacks.checkpoint import Checkpoint
from shutterless.training.callbacks.journal import Journal
from shutterless.training.data import Batches, weighted
from shutterless.training.model import Network, freeze_first, set_batch_norm_momentum
from shutterless.training.optimization.precision import mixed_precision, xla
from shutterless.training.optimization.sam import SharpnessAware
from shutterless.training.recipe import HeadPhase, NetworkPhase, Phase
from shutterless.utils.progress import Progress

HEAD = "head"


def fit_head(
    network: Network,
    train: Batches,
    validation: Batches,
    phase: HeadPhase,
    journal: Journal,
    progress: Progress,
    class_weights: np.ndarray | None = None,
) -> None:
    """Train the head on what the frozen backbone makes of every photo, each looked at once.

    A checkpoint is left at the end only: the head takes seconds, and one that is trained again from its
    beginning, which the seed fixes, comes out the same.
    """
    features, targets = _features(network.features, train, phase.mirrored, progress)
    validation_data = _features(network.features, validation, False, progress)
    compile_for(network.head, phase, len(targets))
    journal.begin(HEAD, _steps(len(targets), phase), phase.epochs, patience=phase.patience, checkpoints=False)
    inputs, targets, *weights = weighted(features, targets, class_weights)
    network.head.fit(
        inputs,
        targets,
        sample_weight=weights[0] if weights else None,
        batch_size=phase.batch_size,
        epochs=phase.epochs,
        validation_data=validation_data,
        callbacks=[journal],
        verbose=0,
    )
    journal.keep(network.head)


def fit_network(
    network: Network,
    train: Batches,
    validation: Batches,
    phase: NetworkPhase,
    journal: Journal,
    *,
    name: str = "network",
    frozen: bool = False,
    checkpoint: Checkpoint | None = None,
) -> None:
    """Train the network on augmented photos: with `frozen` the head alone.

    name: what the phase is called in the history. checkpoint: where it stopped, if it is taken up again.
    Raises the reader's own error if a photo cannot be read in the middle.
    """
    network.features.trainable = not frozen
    if not frozen:
        freeze_first(network.features, phase.frozen_share)
    if phase.batch_norm_momentum is not None:
        set_batch_norm_momentum(network.features, phase.batch_norm_momentum)
    journal.begin(name, len(train), phase.epochs, patience=phase.patience)
    model = SharpnessAware(network.whole, phase.sharpness_radius) if phase.sharpness_radius else network.whole
    with mixed_precision(model):
        compile_for(model, phase, train.photos)
        if checkpoint is not None:
            checkpoint.restore(model)
            journal.mend(model)
        if len(journal.done(name)) < phase.epochs and not journal.stopped_early:
            _fit(model, train, validation, phase, journal, done=len(journal.done(name)))


def _fit(
    model: keras.Model,
    train: Batches,
    validation: Batches,
    phase: NetworkPhase,
    journal: Journal,
    done: int,
) -> None:
    """Train the epochs behind the `done` first ones."""
    train.epoch = validation.epoch = done
    try:
        model.fit(
            train,
            initial_epoch=done,
            epochs=phase.epochs,
            shuffle=False,
            validation_data=validation,
            callbacks=[journal],
            verbose=0,
        )
    except Exception as error:
        raise (train.error or validation.error or error) from error


def compile_for(model: keras.Model, phase: Phase, photos: int) -> None:
    """Give `model` the optimizer, the learning rate over the whole phase and the loss of `phase`."""
    average = getattr(phase, "weight_average", None)
    optimizers = {"adamw": keras.optimizers.AdamW, "adam": keras.optimizers.Adam}
    model.compile(
        optimizer=optimizers[phase.optimizer](
            _learning_rate(phase, _steps(photos, phase)),
            weight_decay=phase.weight_decay,
            use_ema=average is not None,
            ema_momentum=average or 0.0,
        ),
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=phase.label_smoothing),
        metrics=["accuracy", keras.metrics.CategoricalCrossentropy(name="log_loss")],
        jit_compile=xla(),
    )


def _learning_rate(phase: Phase, steps: int) -> float | keras.optimizers.schedules.LearningRateSchedule:
    """Return a constant rate, or a linear warm-up and a cosine decay to zero over `steps` a epoch."""
    if phase.schedule == "constant":
        return phase.learning_rate
    warmup = int(phase.warmup_epochs * steps)
    return keras.optimizers.schedules.CosineDecay(
        0.0 if warmup else phase.learning_rate,
        decay_steps=max(1, steps * phase.epochs - warmup),
        warmup_target=phase.learning_rate if warmup else None,
        warmup_steps=warmup,
    )


def _steps(photos: int, phase: Phase) -> int:
    return -(-photos // phase.batch_size)


def _features(
    model: keras.Model, batches: Batches, mirrored: bool, progress: Progress
) -> tuple[np.ndarray, np.ndarray]:
    """Return features float32[n, channels] and one-hot targets of every photo, mirror images behind."""
    features, mirror_images, targets = [], [], []
    for number in range(len(batches)):
        pixels, target = batches[number][:2]
        features.append(model.predict_on_batch(pixels))
        if mirrored:
            mirror_images.append(model.predict_on_batch(pixels[:, :, ::-1]))
        targets.append(target)
        progress("computing features", number + 1, len(batches))
    copies = targets * 2 if mirrored else targets
    return np.concatenate(features + mirror_images), np.concatenate(copies)
