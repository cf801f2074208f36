"""The teacher of a training: what it answers to each training photo, computed once and kept in the run."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt

from shutterless.artifacts.run_files import TEACHER
from shutterless.dataset import Dataset
from shutterless.errors import InputError, RunError
from shutterless.files import atomic_file
from shutterless.training.distillation.loss import SEED, DistillationLoss, label_metrics, with_projection
from shutterless.training.distillation.sources import Answers, read_answers
from shutterless.training.recipe import TeacherConfig
from shutterless.utils.messages import shortened
from shutterless.utils.progress import Progress

MAX_COMPONENTS = 128  # of the features of all teachers together
OVERSAMPLING = 16


@dataclass(frozen=True)
class Teacher:
    """The answers of one or more teachers to the training photos, and how the student learns from them.

    Attributes:
        config: Weights and temperature.
        scores: Mean of the teachers' scores, float32[photos, labels].
        features: Their features, see `reduce_features`, float16[photos, components]; no components if the
            recipe gives them no weight.
    """

    config: TeacherConfig
    scores: npt.NDArray[np.float32]
    features: npt.NDArray[np.float16]

    def targets(self, labels: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the targets of `DistillationLoss`.

        Args:
            labels: One-hot float32[photos, labels].
        """
        return np.concatenate([labels, self.scores, self.features.astype(np.float32)], axis=1)

    def loss(self, label_smoothing: float) -> keras.losses.Loss:
        """Return the loss for these targets."""
        return DistillationLoss(self.scores.shape[1], self.config, label_smoothing)

    def metrics(self) -> list[keras.metrics.Metric]:
        """Return accuracy and log loss for these targets, by the labels alone."""
        return label_metrics(self.scores.shape[1])

    def student(self, network: keras.Model, *, learns_features: bool) -> keras.Model:
        """Return a model to compile and train in place of `network`, whose layers it shares.

        Keras saves a nested model with the loss that it was compiled with. `network` stays free of it.

        Args:
            network: A functional model, or a sequential one.
            learns_features: Whether its features are trained, so that they can become like the teacher's.
        """
        width = self.features.shape[1] if learns_features else 0
        return with_projection(network, width) if width else keras.Model(network.inputs, network.outputs[0])


def make_teacher(
    config: TeacherConfig | None, dataset: Dataset, run: Path, progress: Progress
) -> Teacher | None:
    """Return the teacher that a recipe asks for, with its answers to the training photos.

    Args:
        config: The table `teacher` of the recipe.
        dataset: The photos.
        run: The run folder. If it has the answers already, they are used.
        progress: Called after each chunk of photos.

    Raises:
        InputError: A teacher does not fit the photos, see `read_answers`.
        RunError: A teacher is not a run or is damaged; or the answers in `run` are.
    """
    if config is None:
        return None
    if (run / TEACHER).is_file():
        return _read(run / TEACHER, config, dataset)
    answers = [read_answers(Path(source), dataset, progress) for source in config.sources]
    scores = np.asarray(np.mean([each.scores for each in answers], axis=0), np.float32)
    return Teacher(config, scores, _features_of(answers, config))


def _features_of(answers: Sequence[Answers], config: TeacherConfig) -> npt.NDArray[np.float16]:
    if not config.features_weight:
        return np.empty((len(answers[0].scores), 0), np.float16)
    features = [each.features for each in answers if each.features is not None]
    if not features:
        raise InputError(
            "teacher-lacks-features",
            f"{shortened(config.sources)} has no features, and features_weight is {config.features_weight}",
            "Set features_weight = 0 in the recipe, or add an array called features to the file.",
        )
    width = max(1, MAX_COMPONENTS // len(features))
    return np.concatenate([reduce_features(each, width) for each in features], axis=1)


def reduce_features(features: npt.NDArray[np.float32], width: int) -> npt.NDArray[np.float16]:
    """Return the first principal components of features, each row scaled to length 1.

    They are found by a random projection and one power iteration, because a head that reads many layers has
    more than 10,000 features (Halko et al., "Finding Structure with Randomness", 2011).

    Pooled features are positive, so that those of any two photos have a similar direction; their components
    are not.

    Args:
        features: float32[photos, d].
        width: Number of components, at most.

    Returns:
        float16[photos, components].
    """
    deviations = features - features.mean(axis=0)
    sketch = deviations @ np.random.default_rng(SEED).normal(size=(features.shape[1], width + OVERSAMPLING))
    basis, _ = np.linalg.qr(deviations.T @ sketch)
    coordinates = deviations @ basis
    _, _, directions = np.linalg.svd(coordinates, full_matrices=False)
    components = coordinates @ directions[:width].T
    lengths = np.linalg.norm(components, axis=1, keepdims=True)
    return (components / np.maximum(lengths, np.finfo(np.float32).tiny)).astype(np.float16)


def write_teacher(teacher: Teacher, run: Path) -> None:
    """Keep a teacher's answers in a run folder, so that the training can be resumed without the teacher.

    Raises:
        OutputError: The file cannot be written, as on a full disk.
    """
    with atomic_file(run / TEACHER) as draft, draft.open("wb") as stream:
        np.savez(stream, scores=teacher.scores, features=teacher.features)


def _read(file: Path, config: TeacherConfig, dataset: Dataset) -> Teacher:
    """Read what `write_teacher` wrote."""
    try:
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            teacher = Teacher(config, arrays["scores"], arrays["features"])
        if teacher.scores.shape != (len(dataset.of("train")), len(dataset.labels)):
            raise ValueError("it is of other photos or labels")
        return teacher
    except Exception as error:  # a damaged zip archive raises whatever its damage leads to
        raise RunError(
            "damaged-teacher", f"{file} is damaged: {error}", "Remove it to ask the teacher again."
        ) from error
