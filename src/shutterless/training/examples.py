"""What a run's augmentation does to a photo, to be looked at."""

from pathlib import Path

import numpy as np

from shutterless.dataset import Photo, read_pixels
from shutterless.training.augmentation import augmented_copies
from shutterless.training.run import Run


def augmented_example(run: Run, root: Path, photo: Photo) -> list[np.ndarray]:
    """Return ten copies uint8[height, width, 3] of a photo below `root`, as the run's last phase changed it.

    None if that phase changed nothing.
    """
    *_, last = run.recipe.phases(pretrained=run.settings.weights != "none").values()
    augmentation = getattr(last, "augmentation", None)
    if augmentation is None:
        return []
    (pixels,) = read_pixels(root, [photo], run.input)
    return list(augmented_copies(pixels, augmentation))
