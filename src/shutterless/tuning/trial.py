"""Train one trial of a search: every fold and seed, with a report after each epoch."""

from collections.abc import Callable
from statistics import mean

import keras

from shutterless.artifacts.history import Epoch, best_of
from shutterless.dataset import Dataset
from shutterless.files import atomic_file
from shutterless.training.config import TrainingConfig
from shutterless.training.run import Run
from shutterless.training.trainer import train
from shutterless.tuning.study import FOLD, Measurement, Repeat, Study, Trial
from shutterless.utils.progress import silent

# Called with the progress of a trial in percent, and its mean log loss so far.
OnProgress = Callable[[int, float], None]


def run_trial(study: Study, trial: Trial, on_progress: OnProgress) -> list[Measurement]:
    """Train all repeats of a trial. Those that an interrupted search has finished, or begun, are continued.

    Args:
        study: What all trials share.
        trial: What this one tries.
        on_progress: Called after each epoch of a recipe's last phase.

    Returns:
        The metrics of each repeat.

    Raises:
        ShutterlessError: The recipe's network cannot be built, or a training has diverged.
    """
    recipe = study.runs / trial.name / "recipe.toml"
    recipe.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(recipe) as draft:
        draft.write_text(trial.recipe, "utf-8")
    measurements: list[Measurement] = []
    for repeat in study.repeats:
        keras.backend.clear_session()  # the models of earlier repeats would stay in memory
        reporter = _Reporter(on_progress, measurements, len(study.repeats))
        run = train(
            study.dataset_of(repeat, trial.input),
            recipe.parent / repeat.name,
            recipe=recipe,
            seed=repeat.seed,
            resume=True,
            report=False,
            progress=silent,
            on_start=reporter.start,
            on_epoch=reporter.report,
        )
        measurements.append(_measure(run, repeat))
    return measurements


class _Reporter:
    """Reports each epoch of a training as a share of the whole trial.

    Only the last phase counts: in those before it, epochs take much less time, and tell little.
    """

    def __init__(self, on_progress: OnProgress, earlier: list[Measurement], repeats: int) -> None:
        self._on_progress, self._repeats = on_progress, repeats
        self._losses = [measurement.loss for measurement in earlier]
        self._phase, self._length = "", 1
        self._epochs: list[Epoch] = []

    def start(self, config: TrainingConfig, dataset: Dataset) -> None:
        self._phase, phase = list(config.phases.items())[-1]
        self._length = phase.epochs

    def report(self, epoch: Epoch) -> None:
        self._epochs.append(epoch)
        best = best_of(self._epochs)
        if epoch.phase == self._phase and best and best.val_log_loss is not None:
            share = (len(self._losses) + epoch.epoch / self._length) / self._repeats
            self._on_progress(min(99, int(100 * share)), mean([*self._losses, best.val_log_loss]))


def _measure(run: Run, repeat: Repeat) -> Measurement:
    metrics = run.metrics["test" if repeat.name.startswith(FOLD) else "validation"]
    return Measurement(repeat.name, metrics["loss"], metrics["accuracy"])
