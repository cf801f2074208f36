"""Estimate how long each phase of a training takes on this machine, from a few steps that are measured."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from statistics import median

import numpy as np

from shutterless.dataset import Dataset, PhotoReader
from shutterless.dataset.loader import fits_in_memory
from shutterless.evaluation.robustness import CONDITIONS, MAX_PHOTOS
from shutterless.features.embedding import cached_share
from shutterless.features.network import Network
from shutterless.runtime.host_resources import cores
from shutterless.training.activations.split import split_model
from shutterless.training.activations.store import CHUNK
from shutterless.training.augmentation import augment
from shutterless.training.config import TrainingConfig
from shutterless.training.loop import compile_for, trained_part
from shutterless.training.model import TransferModel, build_model
from shutterless.training.optimization.precision import mixed_precision
from shutterless.training.optimization.seeding import seeded
from shutterless.training.planning.plan import frozen_share
from shutterless.training.recipe import HeadPhase, ModelPhase, Phase

EVALUATION = "evaluation"  # what comes after the phases: metrics and report
# A training whose photos, augmented copies included, have fewer pixels than this takes about a minute, and is
# not measured: 2,000 photos of 224 px.
MIN_PIXELS = 100_000_000
MIN_CALLS, MAX_CALLS, ENOUGH_SECONDS = 2, 20, 0.5
# To validate a photo takes this share of the time to train on it: forward, but not backward.
VALIDATION_SHARE = 0.4
# Seconds to load the saved model, and to draw the figures of the report.
LOAD_SECONDS, REPORT_SECONDS = 3.0, 8.0


@dataclass(frozen=True)
class PhaseTime:
    """How long the parts of a phase take, in seconds.

    Attributes:
        setup: What comes before its first epoch: features are computed, functions are compiled.
        epoch: One epoch, validation included.
        copy: To store the activations of one copy of each training photo.
    """

    setup: float
    epoch: float
    copy: float = 0.0

    def seconds(self, epochs: int, copies: int = 0) -> float:
        """Return how long the phase takes."""
        return self.setup + copies * self.copy + epochs * self.epoch


@dataclass(frozen=True)
class TimeEstimate:
    """How long a training takes.

    Attributes:
        phases: Phase → how long its parts take.
        evaluation: Seconds that the metrics and the report take.
    """

    phases: Mapping[str, PhaseTime]
    evaluation: float

    def seconds(self, phases: Mapping[str, Phase]) -> dict[str, float]:
        """Return the seconds of each phase as it is planned, and those of the evaluation."""
        times = {
            name: self.phases[name].seconds(phase.epochs, getattr(phase, "stored_copies", 0))
            for name, phase in phases.items()
        }
        return {**times, EVALUATION: self.evaluation}


def is_long(config: TrainingConfig, dataset: Dataset) -> bool:
    """Tell whether a training takes so long that a few seconds of measuring do not matter."""
    photos, pixels = len(dataset.of("train")), config.image_size**2
    passes = sum(phase.epochs if isinstance(phase, ModelPhase) else 2 for phase in config.phases.values())
    return photos * passes * pixels >= MIN_PIXELS


def estimate_time(
    config: TrainingConfig, dataset: Dataset, model: TransferModel, *, report: bool
) -> TimeEstimate:
    """Measure a few steps of each phase on this machine.

    They are those of another model with the same layers, which is then thrown away, and they leave the
    random generators as they were. So the training comes out bit by bit as it would without the estimate.

    Args:
        config: What will be trained.
        dataset: The photos.
        model: The model to train, whose features may be in the cache.
        report: Whether a report will be written.
    """
    with seeded(config.seed):
        meter = _Meter(config, dataset, Network(config.backbone.name, model.features, config.input))
        phases = {name: meter.measure(name, phase) for name, phase in config.phases.items()}
        photos = len(dataset.of("validation")) + len(dataset.of("test"))
        seconds = LOAD_SECONDS + (REPORT_SECONDS if report else 0.0)
        conditions = min(MAX_PHOTOS, photos) * len(CONDITIONS) if report else 0
        return TimeEstimate(phases, seconds + (photos + conditions) * meter.forward)


class _Meter:
    """Measures a model that has random weights, on a few of the training photos."""

    def __init__(self, config: TrainingConfig, dataset: Dataset, network: Network) -> None:
        recipe = config.recipe
        self._dataset, self._network = dataset, network
        self._labels = len(dataset.labels)
        self._photos, self._validation = len(dataset.of("train")), len(dataset.of("validation"))
        self._model: TransferModel = build_model(
            config.backbone,
            recipe.head,
            labels=self._labels,
            image_size=config.image_size,
            weights="none",
            cut=recipe.backbone.cut,
            scaling=recipe.backbone.scaling,
        )
        sample = dataset.of("train")[:CHUNK]
        start_time = time.perf_counter()
        reader = PhotoReader(dataset.root, sample, config.input, decoded=dataset.decoded)
        decoding = (time.perf_counter() - start_time) / len(sample)
        self._pixels = reader[np.arange(len(sample))]
        fits = fits_in_memory(self._photos, config.input)
        self._decoding = 0.0 if fits else decoding  # seconds for a photo, whenever it is needed
        self._rng = np.random.default_rng(0)

    def measure(self, name: str, phase: Phase) -> PhaseTime:
        """Measure one phase."""
        if isinstance(phase, HeadPhase):
            return self._head(phase)
        assert isinstance(phase, ModelPhase)
        return self._stored(name, phase) if phase.stored_copies else self._augmented(name, phase)

    @cached_property
    def forward(self) -> float:
        """How long the backbone takes for a photo, in seconds."""
        pixels = self._batch(CHUNK)
        return _time(lambda: self._model.features.predict_on_batch(pixels))[1] / CHUNK

    def _head(self, phase: HeadPhase) -> PhaseTime:
        photos = self._photos * (2 if phase.mirrored else 1)
        phase = phase.for_photos(photos)
        compile_for(self._model.head, phase, photos)
        inputs = self._rng.random((phase.batch_size, *self._model.head.input_shape[1:]), np.float32)
        first, step = _time(lambda: self._model.head.train_on_batch(inputs, self._targets(phase)))
        cached = cached_share(self._dataset.of("train"), self._network, mirrored=phase.mirrored)
        features = (1 - cached) * (photos + self._validation) * (self.forward + self._decoding)
        return PhaseTime(first + features, photos / phase.batch_size * step)

    def _augmented(self, name: str, phase: ModelPhase) -> PhaseTime:
        pixels = self._batch(phase.batch_size)
        first, step = self._step(name, phase, pixels)
        # Two threads prepare batches, beside a step that keeps all cores busy.
        preparing = self._augmenting(phase, phase.batch_size) / cores() + phase.batch_size * self._decoding
        return PhaseTime(first, self._epoch(phase, step, preparing))

    def _stored(self, name: str, phase: ModelPhase) -> PhaseTime:
        split = split_model(self._model, frozen_share(name, phase))
        assert split is not None  # planned, see plan_copies
        pixels = self._batch(CHUNK)
        compiling, chunk = _time(lambda: split.frozen.predict_on_batch(pixels))
        shape = (phase.batch_size, *split.trained.input_shape[1:])
        activations = self._rng.standard_normal(shape, np.float32).astype(np.float16)
        first, step = self._step(name, phase, activations)
        row = (chunk + self._augmenting(phase, CHUNK) / cores()) / CHUNK
        validation = self._validation * row
        return PhaseTime(compiling + first + validation, self._epoch(phase, step), self._photos * row)

    def _step(self, name: str, phase: ModelPhase, inputs: np.ndarray) -> tuple[float, float]:
        split = split_model(self._model, frozen_share(name, phase)) if phase.stored_copies else None
        model = trained_part(self._model, phase, frozen=name == "frozen_training", split=split)
        targets = self._targets(phase)
        with mixed_precision(model):
            compile_for(model, phase, self._photos)
            return _time(lambda: model.train_on_batch(inputs, targets))

    def _epoch(self, phase: ModelPhase, step: float, preparing: float = 0.0) -> float:
        share = VALIDATION_SHARE / (1 + phase.sharpness_share if phase.sharpness_radius else 1)
        photos = self._photos * (step + preparing) + self._validation * share * step
        return photos / phase.batch_size

    def _augmenting(self, phase: ModelPhase, photos: int) -> float:
        pixels = self._batch(photos)
        return _time(lambda: augment(pixels, phase.augmentation, self._rng))[1]

    def _batch(self, photos: int) -> np.ndarray:
        return np.resize(self._pixels, (photos, *self._pixels.shape[1:]))

    def _targets(self, phase: Phase) -> np.ndarray:
        return np.eye(self._labels, dtype=np.float32)[np.arange(phase.batch_size) % self._labels]


def _time(call: Callable[[], object]) -> tuple[float, float]:
    """Return how many seconds the first call takes longer than the others, and the median of the others."""
    durations: list[float] = []
    while len(durations) <= MIN_CALLS or (
        sum(durations[1:]) < ENOUGH_SECONDS and len(durations) <= MAX_CALLS
    ):
        start_time = time.perf_counter()
        call()
        durations.append(time.perf_counter() - start_time)
    typical = median(durations[1:])
    return max(0.0, durations[0] - typical), typical
