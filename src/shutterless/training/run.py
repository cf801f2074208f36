"""Load the run folder that a training has written."""

import zipfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import keras
import numpy as np
import tomli_w

from shutterless.artifacts.metrics import RunMetrics, read_metrics
from shutterless.artifacts.run_files import MODEL, RECIPE, SPLIT, is_run, suggest_run
from shutterless.artifacts.settings import Settings
from shutterless.artifacts.split import read_split
from shutterless.artifacts.training_record import TrainingRecord
from shutterless.dataset import Photo
from shutterless.errors import RunError, ShutterlessError
from shutterless.features.network import Network
from shutterless.features.predictor import CachedPredictor
from shutterless.files import atomic_file
from shutterless.runtime.image.decoder import InputSpec
from shutterless.text_files import parse_toml, read_text
from shutterless.training.model import HEAD, feature_maps, pool
from shutterless.training.recipe import HeadPhase, Recipe

# The largest networks of keras.applications have weights of 1 GB, and descriptions of 1 MB.
MAX_WEIGHTS_BYTES, MAX_CONFIG_BYTES = 8 << 30, 50 << 20


@dataclass(frozen=True, repr=False)
class Run:
    """A finished or interrupted training run. Its model is loaded when it is first used.

    Attributes:
        path: The run folder.
        settings: The settings in the table `run` of recipe.toml.
        recipe: The recipe as it was run.
        photos: The photos as split.csv recorded them before the training.
        other: The photos in `_other`, which fit no label, recorded likewise.
    """

    path: Path
    settings: Settings
    recipe: Recipe
    photos: tuple[Photo, ...]
    other: tuple[Photo, ...] = ()

    def __repr__(self) -> str:
        """Return recipe, backbone, number of labels and validation accuracy, on one line."""
        try:
            state = f"validation {self.metrics['validation']['accuracy']:.1%}"
        except (ShutterlessError, KeyError, TypeError, ValueError):
            state = "unfinished"
        facts = (self.recipe.name, self.settings.backbone, f"{len(self.labels):,} labels", state)
        return f"Run('{self.path}': {', '.join(facts)})"

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels in output order: those of the training photos, sorted."""
        return tuple(sorted({photo.label for photo in self.photos if photo.split == "train"}))

    @property
    def input(self) -> InputSpec:
        """How a photo becomes the model's input."""
        image, size = self.recipe.image, self.settings.image_size
        return InputSpec(size, size, image.resize, image.interpolation)

    @cached_property
    def model(self) -> keras.Model:
        """The best model of the run.

        Raises:
            RunError: No epoch was finished, or the file does not load.
        """
        file = self.path / MODEL
        if not file.is_file():
            raise RunError(
                "unfinished-run",
                f"{self.path} has no {MODEL}",
                "Its training did not finish an epoch; train again.",
            )
        try:
            _require_possible_sizes(file)
            return keras.models.load_model(file, compile=False)
        except Exception as error:
            raise RunError("unreadable-model", f"{file} does not load: {error}", "Train again.") from error

    @property
    def parameters(self) -> int:
        """Number of the model's parameters, frozen ones included."""
        return int(self.model.count_params())

    def probabilities(self, pixels: np.ndarray) -> np.ndarray:
        """Compute the probability of each label.

        Args:
            pixels: uint8[n, height, width, 3].

        Returns:
            float32[n, labels].

        Raises:
            RunError: The model does not load, or its scores are not finite.
        """
        scores = np.asarray(self.model.predict(pixels, batch_size=32, verbose=0), np.float32)
        if not np.isfinite(scores).all():
            raise RunError(
                "not-finite",
                f"The model in {self.path} gives scores that are not finite numbers",
                "Train again with a lower learning_rate in the recipe.",
            )
        return scores

    @property
    def predictor(self) -> "Run | CachedPredictor":
        """The run, or its head on cached features if its network was frozen.

        Raises:
            RunError: The model does not load.
        """
        phases = self.recipe.phases(pretrained=self.settings.weights != "none")
        if not all(isinstance(phase, HeadPhase) for phase in phases.values()):
            return self
        features = keras.Model(self.model.inputs[0], pool(self.model, feature_maps(self.model)))
        network = Network(f"the run {self.path}", features, self.input)
        return CachedPredictor(network, self.model.get_layer(HEAD), self.labels)

    @property
    def metrics(self) -> RunMetrics:
        """The contents of metrics.json.

        Raises:
            RunError: The training is not finished, or the file is broken.
        """
        return read_metrics(self.path)

    @property
    def training_record(self) -> TrainingRecord:
        """The photos of the run, those in `_other` included, by their content."""
        return TrainingRecord.of((*self.photos, *self.other), self.settings.photos)

    def of(self, split: str) -> tuple[Photo, ...]:
        """Return the photos of one split."""
        return tuple(photo for photo in self.photos if photo.split == split)


def load_run(path: str | Path) -> Run:
    """Load a run folder.

    Args:
        path: The folder that `train` wrote.

    Returns:
        The run; its model is loaded when it is first used.

    Raises:
        RunError: It is not a run folder, or a file in it was damaged.

    Example:
        >>> import shutterless
        >>> run = shutterless.load_run("run")
        >>> run.settings.backbone
        'tiny'
    """
    path = Path(path)
    if not is_run(path):
        raise RunError("not-a-run", f"{path} is not a run folder", suggest_run(path))
    try:
        document = parse_toml(read_text(path / RECIPE))
        settings = Settings.model_validate(document.pop("run", {}))
        recipe = Recipe.model_validate(document)
    except (OSError, ValueError) as error:  # ValueError: no UTF-8, no TOML or no recipe
        raise RunError(
            "unreadable-run", f"{path / RECIPE} cannot be read: {error}", "Train again."
        ) from error
    photos = read_split(path / SPLIT)
    labelled = tuple(photo for photo in photos if photo.label)
    return Run(path, settings, recipe, labelled, tuple(photo for photo in photos if not photo.label))


def _require_possible_sizes(file: Path) -> None:
    """Refuse a model file that unpacks to more than the largest network could need."""
    with zipfile.ZipFile(file) as archive:
        for entry in archive.infolist():
            limit = MAX_CONFIG_BYTES if entry.filename.endswith(".json") else MAX_WEIGHTS_BYTES
            if entry.file_size > limit:
                raise ValueError(f"{entry.filename} would have {entry.file_size:,} bytes")


def write_recipe(file: Path, recipe: Recipe, settings: Settings) -> None:
    """Write a recipe as it is run, with the settings in the table `run`, atomically."""
    document = recipe.model_dump(mode="json", exclude_none=True)
    document["run"] = settings.model_dump(mode="json", exclude_none=True)
    with atomic_file(file) as draft:
        draft.write_text(tomli_w.dumps(document), "utf-8")
