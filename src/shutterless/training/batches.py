"""Photos as batches that Keras can train on."""

import math

import keras
import numpy as np

from shutterless.dataset import PhotoReader
from shutterless.training.augmentation import augment
from shutterless.training.recipe import Augmentation


class Batches(keras.utils.PyDataset):
    """Batches of (uint8[n, height, width, 3], one-hot float32[n, labels]) in a new order every epoch.

    Order and augmentation depend on `seed`, the epoch and the batch alone, never on what was drawn
    before. Without `augmentation` the photos come as they are.
    """

    def __init__(
        self,
        reader: PhotoReader,
        targets: np.ndarray,
        *,
        batch_size: int,
        seed: int,
        augmentation: Augmentation | None = None,
    ) -> None:
        super().__init__(workers=1, use_multiprocessing=False, max_queue_size=4)
        self._reader = reader
        self._targets = targets
        self._batch_size = batch_size
        self._seed = seed
        self._augmentation = augmentation
        self._epoch = 0
        self.error: Exception | None = None

    @property
    def photos(self) -> int:
        """The number of photos in an epoch."""
        return len(self._targets)

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return math.ceil(len(self._targets) / self._batch_size)

    def __getitem__(self, batch: int) -> tuple[np.ndarray, np.ndarray]:
        """Return one batch; what goes wrong is also kept in `error`, because Keras hides its type."""
        order = np.random.default_rng([self._seed, self._epoch]).permutation(len(self._targets))
        chosen = order[batch * self._batch_size : (batch + 1) * self._batch_size]
        try:
            pixels = self._reader[chosen]
        except Exception as error:
            self.error = error
            raise
        if self._augmentation is not None:
            rng = np.random.default_rng([self._seed, self._epoch, batch])
            pixels = augment(pixels, self._augmentation, rng)
        return pixels, self._targets[chosen]

    def on_epoch_end(self) -> None:
        """Shuffle anew."""
        self._epoch += 1
