"""The run folder: what training leaves behind and every later stage reads."""

import tomllib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tomli_w

from shutterless.artifacts.metrics import read_metrics
from shutterless.artifacts.run_files import MODEL, RECIPE, SPLIT, is_run
from shutterless.artifacts.settings import Settings
from shutterless.artifacts.split import read_split
from shutterless.artifacts.training_record import TrainingRecord
from shutterless.dataset import Photo
from shutterless.errors import RunError, ShutterlessError
from shutterless.files import atomic_file, read_text
from shutterless.runtime.image.decoder import InputSpec
from shutterless.training.recipe import Recipe


@dataclass(frozen=True, repr=False)
class Run:
    """A finished or interrupted training run; its network is loaded when it is first asked for."""

    path: Path
    settings: Settings
    recipe: Recipe
    photos: tuple[Photo, ...]

    def __repr__(self) -> str:
        """Return what was trained and how good it is, on one line."""
        try:
            state = f"validation {self.metrics['validation']['accuracy']:.1%}"
        except (ShutterlessError, KeyError, TypeError):
            state = "unfinished"
        facts = (self.recipe.name, self.settings.backbone, f"{len(self.labels):,} labels", state)
        return f"Run('{self.path}': {', '.join(facts)})"

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels in output order: those of the training photos, sorted."""
        return tuple(sorted({photo.label for photo in self.photos if photo.split == "train"}))

    @property
    def input(self) -> InputSpec:
        """How a photo becomes the network's input."""
        image, size = self.recipe.image, self.settings.image_size
        return InputSpec(size, size, image.resize, image.interpolation)

    @cached_property
    def model(self) -> keras.Model:
        """The best network of the run; raises `ShutterlessError` if it does not load."""
        file = self.path / MODEL
        if not file.is_file():
            raise RunError(
                "unfinished-run",
                f"{self.path} has no {MODEL}",
                "Its training did not finish an epoch; train again.",
            )
        try:
            return keras.models.load_model(file, compile=False)
        except Exception as error:
            raise RunError("unreadable-model", f"{file} does not load: {error}", "Train again.") from error

    def probabilities(self, pixels: np.ndarray) -> np.ndarray:
        """Map uint8[n, height, width, 3] to probabilities float32[n, labels]."""
        scores = np.asarray(self.model.predict(pixels, batch_size=32, verbose=0), np.float32)
        if not np.isfinite(scores).all():
            raise RunError(
                "not-finite",
                f"The network in {self.path} gives scores that are not finite numbers",
                "Train again with a lower learning_rate in the recipe.",
            )
        return scores

    @property
    def metrics(self) -> dict[str, Any]:
        """What metrics.json says; raises `ShutterlessError` if the training was interrupted before it."""
        return read_metrics(self.path)

    @property
    def training_record(self) -> TrainingRecord:
        """Which photos the network was trained on, by their content."""
        return TrainingRecord.of(self.photos, self.settings.photos)

    def of(self, split: str) -> tuple[Photo, ...]:
        """Return the photos of one split, as they were recorded before training."""
        return tuple(photo for photo in self.photos if photo.split == split)


def load_run(path: str | Path) -> Run:
    """Read a run folder; raises `ShutterlessError` if it is none or has been tampered with."""
    path = Path(path)
    if not is_run(path):
        raise RunError(
            "not-a-run", f"{path} is not a run folder", "Give the folder that `shutterless train -o` wrote."
        )
    try:
        document = tomllib.loads(read_text(path / RECIPE))
        settings = Settings.model_validate(document.pop("run", {}))
        recipe = Recipe.model_validate(document)
    except (OSError, ValueError) as error:  # ValueError: no UTF-8, no TOML or no recipe
        raise RunError(
            "unreadable-run", f"{path / RECIPE} cannot be read: {error}", "Train again."
        ) from error
    return Run(path, settings, recipe, read_split(path / SPLIT))


def write_recipe(file: Path, recipe: Recipe, settings: Settings) -> None:
    """Write the recipe as it was run, with its settings in the table `run`, whole or not at all."""
    document = recipe.model_dump(mode="json", exclude_none=True)
    document["run"] = settings.model_dump(mode="json", exclude_none=True)
    with atomic_file(file) as draft:
        draft.write_text(tomli_w.dumps(document), "utf-8")
