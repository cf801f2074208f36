"""Photos as batches that Keras can train on."""

import math

import keras
import numpy as np

from shutterless.dataset import PhotoReader
from shutterless.training.augmentation import augment, cutmix, mixup
from shutterless.training.recipe import NetworkPhase

# Batches that are made at a time, and that may wait, while the network learns from another one. With one
# worker Keras has no queue.
WORKERS, QUEUE = 2, 4

Batch = tuple[np.ndarray, np.ndarray] | tuple[np.ndarray, np.ndarray, np.ndarray]


class Batches(keras.utils.PyDataset):
    """Batches of (uint8[n, height, width, 3], one-hot float32[n, labels]) in a new order every epoch.

    phase: whose augmentation and mixing the photos undergo; without one they come as they are.
    class_weights: float32[labels]; if given, each batch has a third part, a weight float32[n] per photo.
    workers: threads that make batches while the network learns.

    Order, augmentation and mixing depend on `seed`, the epoch and the batch alone, never on what was
    drawn before: a training that starts at `epoch` sees what one that came there by itself sees.
    """

    def __init__(
        self,
        reader: PhotoReader,
        targets: np.ndarray,
        *,
        batch_size: int,
        seed: int,
        phase: NetworkPhase | None = None,
        class_weights: np.ndarray | None = None,
        workers: int = WORKERS,
    ) -> None:
        super().__init__(workers=workers, use_multiprocessing=False, max_queue_size=QUEUE)
        self._reader = reader
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
        """Return one batch; what goes wrong is also kept in `error`, because Keras hides its type."""
        order = np.random.default_rng([self._seed, self.epoch]).permutation(len(self._targets))
        chosen = order[batch * self._batch_size : (batch + 1) * self._batch_size]
        try:
            pixels = self._reader[chosen]
        except Exception as error:
            self.error = error
            raise
        targets = self._targets[chosen]
        if self._phase is not None:
            rng = np.random.default_rng([self._seed, self.epoch, batch])
            pixels, targets = _vary(pixels, targets, self._phase, rng)
        return weighted(pixels, targets, self._class_weights)

    def on_epoch_end(self) -> None:
        """Shuffle anew."""
        self.epoch += 1


def _vary(
    pixels: np.ndarray, targets: np.ndarray, phase: NetworkPhase, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    pixels = augment(pixels, phase.augmentation, rng)
    if phase.mixup:
        return mixup(pixels, targets, phase.mixup, rng)
    if phase.cutmix:
        return cutmix(pixels, targets, phase.cutmix, rng)
    return pixels, targets


def weighted(inputs: np.ndarray, targets: np.ndarray, class_weights: np.ndarray | None) -> Batch:
    """Return what Keras trains on: with each target's weight as a third part, if labels have weights."""
    if class_weights is None:
        return inputs, targets
    return inputs, targets, targets @ class_weights


def balanced_weights(targets: np.ndarray) -> np.ndarray:
    """Return weights float32[labels] under which every label of the one-hot `targets` counts alike.

    A photo's weight is photos / (labels × photos of its label): 1 on average over the photos.
    """
    counts = targets.sum(axis=0)
    return (len(targets) / (len(counts) * counts)).astype(np.float32)
