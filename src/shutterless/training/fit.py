"""The two ways of fitting: the head on features of a frozen backbone, or the whole network."""

import csv
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import keras
import numpy as np

from shutterless.errors import ShutterlessError
from shutterless.progress import Progress
from shutterless.training.batches import Batches
from shutterless.training.network import Network, set_batch_norm_momentum
from shutterless.training.recipe import HeadPhase, NetworkPhase, Phase


@dataclass(frozen=True)
class Epoch:
    """One line of history.csv; `seconds` is the wall-clock time of this epoch."""

    phase: str
    epoch: int
    seconds: float
    learning_rate: float
    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float
    best: bool


OnEpoch = Callable[[Epoch], None]


class Journal(keras.callbacks.Callback):
    """Keeps the best network, the history and the progress bar over all phases of a run.

    The best epoch is the one with the highest validation accuracy, then the lowest validation loss.
    Its network is saved at once, beside and then renamed, so that whatever ends the training leaves a
    whole model behind.
    """

    def __init__(
        self, network: Network, model_file: Path, history_file: Path, progress: Progress, on_epoch: OnEpoch
    ) -> None:
        super().__init__()
        self._network = network
        self.model_file, self._history_file = model_file, history_file
        self._progress, self._on_epoch = progress, on_epoch
        self.best: Epoch | None = None
        self._phase = ""
        self._started = 0.0
        self._batches = self._batch = 0

    def begin(self, phase: str, batches: int) -> None:
        """Start a phase of `batches` training steps in all."""
        self._phase, self._batches, self._batch = phase, batches, 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Start the clock."""
        self._started = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Move the bar."""
        self._batch += 1
        self._progress(self._phase, self._batch, self._batches)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Record the epoch and keep its network if it is the best so far."""
        measured = {
            name: float((logs or {})[name]) for name in ("loss", "accuracy", "val_loss", "val_accuracy")
        }
        if not np.isfinite(measured["loss"]):
            raise ShutterlessError(
                f"The loss of epoch {epoch + 1} is not a number", "Lower the recipe's learning_rate."
            )
        rank = (measured["val_accuracy"], -measured["val_loss"])
        best = self.best is None or rank > (self.best.val_accuracy, -self.best.val_loss)
        line = Epoch(
            self._phase,
            epoch + 1,
            round(time.monotonic() - self._started, 2),
            float(self.model.optimizer.learning_rate),
            **measured,
            best=best,
        )
        if best:
            self.best = line
            save_model(self._network.whole, self.model_file)
        self._write(line)
        self._on_epoch(line)

    def _write(self, line: Epoch) -> None:
        new = not self._history_file.exists()
        with self._history_file.open("a", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, [field.name for field in fields(Epoch)], lineterminator="\n")
            if new:
                writer.writeheader()
            writer.writerow(asdict(line))


def save_model(model: keras.Model, file: Path) -> None:
    """Save `model` without its optimizer, whole or not at all.

    Raises ShutterlessError if it cannot be written, as on a full disk.
    """
    beside = file.with_name(f".{file.stem}.part{file.suffix}")
    try:
        model.save(beside, include_optimizer=False)
        beside.replace(file)
    except OSError as error:
        raise ShutterlessError(
            f"Cannot write {file}: {error.strerror or error}", "Choose a folder with room and write access."
        ) from error
    finally:
        beside.unlink(missing_ok=True)


def fit_head(
    network: Network,
    train: Batches,
    validation: Batches,
    phase: HeadPhase,
    journal: Journal,
    progress: Progress,
) -> None:
    """Train the head on what the frozen backbone makes of every photo, each looked at once."""
    features, targets = _features(network.features, train, phase.mirrored, progress)
    validation_data = _features(network.features, validation, False, progress)
    compile_for(network.head, phase, len(targets))
    journal.begin("head", _steps(len(targets), phase) * phase.epochs)
    network.head.fit(
        features,
        targets,
        batch_size=phase.batch_size,
        epochs=phase.epochs,
        validation_data=validation_data,
        callbacks=[journal, *_early_stop(phase)],
        verbose=0,
    )


def fit_network(
    network: Network, train: Batches, validation: Batches, phase: NetworkPhase, journal: Journal
) -> None:
    """Train every weight of the network on augmented photos.

    Raises the reader's own error if a photo cannot be read in the middle.
    """
    if phase.batch_norm_momentum is not None:
        set_batch_norm_momentum(network.features, phase.batch_norm_momentum)
    compile_for(network.whole, phase, train.photos)
    journal.begin("network", len(train) * phase.epochs)
    try:
        network.whole.fit(
            train,
            epochs=phase.epochs,
            shuffle=False,
            validation_data=validation,
            callbacks=[journal, *_early_stop(phase)],
            verbose=0,
        )
    except Exception as error:
        raise (train.error or validation.error or error) from error


def compile_for(model: keras.Model, phase: Phase, photos: int) -> None:
    """Give `model` AdamW with a linear warm-up and a cosine decay to zero over the whole phase."""
    steps = _steps(photos, phase)
    warmup = int(phase.warmup_epochs * steps)
    rate = keras.optimizers.schedules.CosineDecay(
        0.0 if warmup else phase.learning_rate,
        decay_steps=max(1, steps * phase.epochs - warmup),
        warmup_target=phase.learning_rate if warmup else None,
        warmup_steps=warmup,
    )
    model.compile(
        optimizer=keras.optimizers.AdamW(rate, weight_decay=phase.weight_decay),
        loss=keras.losses.CategoricalCrossentropy(label_smoothing=phase.label_smoothing),
        metrics=["accuracy"],
        jit_compile=False,  # on a CPU, XLA makes a step of MobileNetV2 eight times slower
    )


def _steps(photos: int, phase: Phase) -> int:
    return -(-photos // phase.batch_size)


def _early_stop(phase: Phase) -> list[keras.callbacks.Callback]:
    if phase.patience is None:
        return []
    return [keras.callbacks.EarlyStopping("val_accuracy", mode="max", patience=phase.patience)]


def _features(
    model: keras.Model, batches: Batches, mirrored: bool, progress: Progress
) -> tuple[np.ndarray, np.ndarray]:
    """Return features float32[n, channels] and one-hot targets of every photo, mirror images behind."""
    features, mirror_images, targets = [], [], []
    for number in range(len(batches)):
        pixels, target = batches[number]
        features.append(model.predict_on_batch(pixels))
        if mirrored:
            mirror_images.append(model.predict_on_batch(pixels[:, :, ::-1]))
        targets.append(target)
        progress("computing features", number + 1, len(batches))
    copies = targets * 2 if mirrored else targets
    return np.concatenate(features + mirror_images), np.concatenate(copies)
