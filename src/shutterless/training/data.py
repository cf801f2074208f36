"""Feed photos to Keras in batches, in a new order every epoch."""

import math
from collections.abc import Callable

import keras
import numpy as np

from shutterless.dataset import PhotoReader
from shutterless.training.augmentation import augment, cutmix, mixup
from shutterless.training.recipe import Augmentation, ModelPhase

# Threads that prepare batches, and batches that may wait, during a training step. With one worker Keras has
# no queue.
WORKERS, QUEUE = 2, 4

Batch = tuple[np.ndarray, np.ndarray] | tuple[np.ndarray, np.ndarray, np.ndarray]
# Returns the model's input for photos by their numbers, int64[n], in an epoch, with all randomness from the
# generator.
Read = Callable[[np.ndarray, int, np.random.Generator], np.ndarray]


def pixels_of(reader: PhotoReader, augmentation: Augmentation | None = None) -> Read:
    """Return what reads the pixels of photos, uint8[n, height, width, 3], and augments them if asked to."""

    def read(photos: np.ndarray, epoch: int, rng: np.random.Generator) -> np.ndarray:
        pixels = reader[photos]
        return pixels if augmentation is None else augment(pixels, augmentation, rng)

    return read


class Batches(keras.utils.PyDataset):
    """Batches of (inputs, targets float32[n, labels or more]).

    Inputs are pixels uint8[n, height, width, 3], or stored activations float16[n, h, w, c].

    Order, augmentation and mixing depend only on the seed, the epoch and the number of the batch, so a
    training that is resumed at an epoch sees the same batches as one that was never interrupted.

    Args:
        read: Returns the inputs of photos.
        targets: float32[photos, labels], one-hot; with a teacher, its answers follow in further columns.
        batch_size: Photos in a batch; the last one of an epoch may have fewer.
        seed: For order, augmentation and mixing.
        phase: How inputs are mixed; None leaves them as they are.
        class_weights: float32[labels]. With it, each batch has a third part, the weight of each photo as
            float32[n].
        workers: Threads that prepare batches during a training step.

    Attributes:
        epoch: The epoch whose order is used, from 0.
        error: The last error of `read`, because Keras hides its type.
    """

    def __init__(
        self,
        read: Read,
        targets: np.ndarray,
        *,
        batch_size: int,
        seed: int,
        phase: ModelPhase | None = None,
        class_weights: np.ndarray | None = None,
        workers: int = WORKERS,
    ) -> None:
        super().__init__(workers=workers, use_multiprocessing=False, max_queue_size=QUEUE)
        self._read = read
        self._targets = targets
        self._batch_size = batch_size
        self._seed = seed
        self._phase = phase
        self._class_weights = class_weights
        self.epoch = 0
        self.error: Exception | None = None

    @property
    def photos(self) -> int:
        """The number of photos in an epoch."""
        return len(self._targets)

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return math.ceil(len(self._targets) / self._batch_size)

    def __getitem__(self, batch: int) -> Batch:
        """Return one batch by its number in the epoch."""
        order = np.random.default_rng([self._seed, self.epoch]).permutation(len(self._targets))
        numbers = order[batch * self._batch_size : (batch + 1) * self._batch_size]
        rng = np.random.default_rng([self._seed, self.epoch, batch])
        try:
            inputs = self._read(numbers, self.epoch, rng)
        except Exception as error:
            self.error = error
            raise
        inputs, targets = _mix(inputs, self._targets[numbers], self._phase, rng)
        return weighted(inputs, targets, self._class_weights)

    def on_epoch_end(self) -> None:
        """Switch to the order of the next epoch."""
        self.epoch += 1


def _mix(
    inputs: np.ndarray, targets: np.ndarray, phase: ModelPhase | None, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    if phase is not None and phase.mixup:
        return mixup(inputs, targets, phase.mixup, rng)
    if phase is not None and phase.cutmix:
        return cutmix(inputs, targets, phase.cutmix, rng)
    return inputs, targets


def weighted(inputs: np.ndarray, targets: np.ndarray, class_weights: np.ndarray | None) -> Batch:
    """Return inputs and targets, with the sample weights float32[n] if the labels have weights.

    The labels are the first columns of the targets.
    """
    if class_weights is None:
        return inputs, targets
    return inputs, targets, targets[:, : len(class_weights)] @ class_weights


def balanced_weights(targets: np.ndarray) -> np.ndarray:
    """Return weights float32[labels] that give every label the same influence on the loss.

    A photo's weight is photos / (labels × photos of its label), as in scikit-learn's
    `class_weight="balanced"`. The mean over all photos is 1.

    Args:
        targets: One-hot float32[photos, labels].
    """
    counts = targets.sum(axis=0)
    return (len(targets) / (len(counts) * counts)).astype(np.float32)
