"""The trials of a search, and what all of them share: the photos, and what each of them trains."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from shutterless.dataset import Dataset
from shutterless.dataset.types import NOTHING_DECODED, Decoded
from shutterless.runtime.image.decoder import InputSpec

# What a trial is stated to take: TensorFlow, a network with its gradients for 32 photos, and its data.
TRIAL_MEMORY = 2 << 30
FOLD = "fold"  # begins the names of repeats that are measured on a fold

Scalar = bool | int | float | str
Values = dict[str, Scalar]


@dataclass(frozen=True)
class Trial:
    """A recipe to try.

    Attributes:
        number: From 1.
        values: Field of the recipe → value, of the fields that the search varies or sets.
        recipe: The recipe with these values, as TOML; empty if they are not possible together.
        input: The input of its model; None likewise.
        problem: Why they are not.
    """

    number: int
    values: Values
    recipe: str = ""
    input: InputSpec | None = None
    problem: str = ""

    @property
    def name(self) -> str:
        """Name of its folder and its record."""
        return f"{self.number:04}"


@dataclass(frozen=True)
class Measurement:
    """The metrics of one training of a trial.

    Attributes:
        run: Name of the run.
        loss: Log loss on the fold, or without folds on the validation photos.
        accuracy: Likewise.
    """

    run: str
    loss: float
    accuracy: float


@dataclass(frozen=True)
class Repeat:
    """One of a trial's trainings.

    Attributes:
        name: Name of its run folder.
        seed: Its seed.
        dataset: Its photos, not decoded. With folds, the fold is the test split.
    """

    name: str
    seed: int
    dataset: Dataset


@dataclass(frozen=True)
class PixelFile:
    """Decoded photos in a file, which all processes of a machine share in memory.

    Attributes:
        file: A NumPy file with uint8[photos, height, width, 3].
        spec: The model's input.
        paths: The photos' paths, in the file's order.
    """

    file: Path
    spec: InputSpec
    paths: tuple[str, ...]

    def open(self) -> Decoded:
        """Return the photos, which are read when they are used; none if this machine lacks the file."""
        if not self.file.is_file():
            return NOTHING_DECODED
        return Decoded(self.spec, dict(zip(self.paths, np.load(self.file, mmap_mode="r"), strict=True)))


@dataclass(frozen=True)
class Study:
    """What all trials share.

    Attributes:
        runs: The folder for the trials' runs.
        repeats: What each trial trains.
        pixels: The photos, decoded for each input that trials have and that there is room for.
    """

    runs: Path
    repeats: tuple[Repeat, ...]
    pixels: tuple[PixelFile, ...] = ()

    def dataset_of(self, repeat: Repeat, spec: InputSpec | None) -> Dataset:
        """Return the photos of a repeat, with their pixels if they are decoded for `spec`."""
        pixels = next((file.open() for file in self.pixels if file.spec == spec), NOTHING_DECODED)
        return replace(repeat.dataset, decoded=pixels)
