"""Fit one phase: the head on features of the frozen backbone, or the model on augmented photos."""

import keras

from shutterless.artifacts.history import epochs_of
from shutterless.training.activations.split import SplitModel
from shutterless.training.activations.store import ActivationStore
from shutterless.training.callbacks.checkpoint import Checkpoint
from shutterless.training.callbacks.early_stopping import is_out_of_patience
from shutterless.training.callbacks.run_callbacks import RunCallbacks
from shutterless.training.data import Batch, Batches
from shutterless.training.distillation.teacher import Teacher
from shutterless.training.model import TransferModel, freeze_first, set_batch_norm_momentum, standardize
from shutterless.training.optimization.precision import mixed_precision, xla
from shutterless.training.optimization.sam import SharpnessAware
from shutterless.training.recipe import HeadPhase, ModelPhase, Phase
from shutterless.utils.progress import Progress, silent


def fit_head(
    head: keras.Model,
    train: Batch,
    validation: Batch,
    phase: HeadPhase,
    callbacks: RunCallbacks,
    *,
    name: str = "head_training",
    teacher: Teacher | None = None,
) -> None:
    """Train the head on the features that the frozen backbone gives to the photos.

    There is only one checkpoint, at the end: training takes seconds, and the seed makes a second one come
    out the same.

    Args:
        head: The head to train.
        train: Features float32[n, d] of the training photos, one-hot targets float32[n, labels] and, if the
            labels have weights, a weight float32[n] for each photo.
        validation: Features and targets of the validation photos.
        phase: The phase's settings.
        callbacks: Callbacks of the run.
        name: What the phase is called in the history.
        teacher: Whose answers follow the labels in the targets of `train`.
    """
    features, targets, *weights = train
    phase = phase.for_photos(len(targets))
    standardize(head, features)
    student = teacher.student(head, learns_features=False) if teacher is not None else head
    compile_for(student, phase, len(targets), teacher)
    student.fit(
        features,
        targets,
        sample_weight=weights[0] if weights else None,
        batch_size=phase.batch_size,
        epochs=phase.epochs,
        validation_data=validation,
        callbacks=callbacks.for_phase(
            name,
            epochs=phase.epochs,
            steps=_steps(len(targets), phase),
            patience=phase.patience,
            checkpoint_every_epoch=False,
        ),
        verbose=0,
    )


def fit_model(
    model: TransferModel,
    train: Batches,
    validation: Batches,
    phase: ModelPhase,
    callbacks: RunCallbacks,
    *,
    name: str = "fine_tuning",
    frozen: bool = False,
    checkpoint: Checkpoint | None = None,
    store: ActivationStore | None = None,
    teacher: Teacher | None = None,
    progress: Progress = silent,
) -> None:
    """Train the model on augmented photos, or its last layers on the stored output of the others.

    Args:
        model: The model to train.
        train: The training photos; of `store`, if there is one.
        validation: The validation photos, likewise.
        phase: The phase's settings.
        callbacks: Callbacks of the run.
        name: What the phase is called in the history.
        frozen: Train only the head.
        checkpoint: Where to continue this phase.
        store: Where the output of the frozen layers is stored; it is filled first, and removed at the end.
        teacher: Whose answers follow the labels in the targets of `train`.
        progress: Called while the store is filled.

    Raises:
        ShutterlessError: A photo cannot be read any more, or the training has diverged.
    """
    split = store.model if store else None
    trained_model = trained_part(model, phase, frozen=frozen, split=split, teacher=teacher)
    with mixed_precision(trained_model):
        compile_for(trained_model, phase, train.photos, teacher)
        if checkpoint is not None:
            checkpoint.restore(trained_model)
            callbacks.best_model.save(trained_model)  # the training may have ended just before it was saved
        epochs = epochs_of(callbacks.epochs, name)
        if len(epochs) < phase.epochs and not is_out_of_patience(epochs, phase.patience):
            if store is not None:
                store.fill(progress)
            _fit(trained_model, train, validation, phase, callbacks, name, initial_epoch=len(epochs))
    if store is not None:
        store.remove()


def trained_part(
    model: TransferModel,
    phase: ModelPhase,
    *,
    frozen: bool,
    split: SplitModel | None,
    teacher: Teacher | None = None,
) -> keras.Model:
    """Return the model that a phase trains, with the other layers frozen; it is not compiled.

    Args:
        model: The whole model.
        phase: The phase's settings.
        frozen: Train only the head.
        split: The model in two parts, if the output of the first one is stored.
        teacher: Whose features the model learns, besides its scores.
    """
    model.features.trainable = not frozen
    if split is not None:
        split.frozen.trainable = False
    elif not frozen:
        freeze_first(model.features, phase.frozen_share)
    if phase.batch_norm_momentum is not None:
        set_batch_norm_momentum(model.features, phase.batch_norm_momentum)
    network = split.trained if split is not None else model.full
    if teacher is not None:
        network = teacher.student(network, learns_features=not frozen)
    if phase.sharpness_radius:
        return SharpnessAware(network, phase.sharpness_radius, phase.sharpness_share)
    return network


def _fit(
    model: keras.Model,
    train: Batches,
    validation: Batches,
    phase: ModelPhase,
    callbacks: RunCallbacks,
    name: str,
    initial_epoch: int,
) -> None:
    train.epoch = validation.epoch = initial_epoch
    try:
        model.fit(
            train,
            initial_epoch=initial_epoch,
            epochs=phase.epochs,
            shuffle=False,
            validation_data=validation,
            callbacks=callbacks.for_phase(
                name, epochs=phase.epochs, steps=len(train), patience=phase.patience
            ),
            verbose=0,
        )
    except Exception as error:
        raise (train.error or validation.error or error) from error


def compile_for(model: keras.Model, phase: Phase, photos: int, teacher: Teacher | None = None) -> None:
    """Compile `model` with the optimizer, the learning rate schedule and the loss of `phase`.

    Args:
        model: The model to compile.
        phase: The phase's settings.
        photos: Number of training photos, which the length of the schedule depends on.
        teacher: Whose answers follow the labels in the targets.
    """
    average = getattr(phase, "weight_average", None)
    optimizers = {"adamw": keras.optimizers.AdamW, "adam": keras.optimizers.Adam}
    model.compile(
        optimizer=optimizers[phase.optimizer](
            _learning_rate(phase, _steps(photos, phase)),
            weight_decay=phase.weight_decay,
            use_ema=average is not None,
            ema_momentum=average or 0.0,
        ),
        loss=teacher.loss(phase.label_smoothing)
        if teacher is not None
        else keras.losses.CategoricalCrossentropy(label_smoothing=phase.label_smoothing),
        metrics=teacher.metrics()
        if teacher is not None
        else ["accuracy", keras.metrics.CategoricalCrossentropy(name="log_loss")],
        jit_compile=xla(),
    )


def _learning_rate(phase: Phase, steps: int) -> float | keras.optimizers.schedules.LearningRateSchedule:
    """Return a constant rate, or a linear warm-up and a cosine decay to 0, for epochs of `steps` steps.

    The cosine decay is that of Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm
    Restarts" (2017), without restarts.
    """
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
