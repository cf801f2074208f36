"""Write the report of a training run, with augmented photos and heat maps."""

from collections.abc import Mapping
from pathlib import Path

from shutterless.evaluation import ConditionMetrics, Predictions
from shutterless.evaluation.metrics import ForeignMetrics
from shutterless.evaluation.report.report import write_report
from shutterless.training.augmentation import augmented_example
from shutterless.training.gradcam import GradCam
from shutterless.training.run import Run


def write_run_report(
    folder: str | Path,
    predictions: Predictions,
    run: Run,
    *,
    robustness: Mapping[str, ConditionMetrics] | None = None,
    foreign: ForeignMetrics | None = None,
) -> Path:
    """Write report.html and its figures, and return the page's path.

    Args:
        folder: Where to write it, which may be the run's own folder; see `write_report`.
        predictions: The run's predictions.
        run: The run, whose model computes the heat maps.
        robustness: Accuracy under each condition, if it was measured.
        foreign: How many pictures of other things are noticed, if that was measured.
    """
    examples = augmented_example(run, predictions.root, predictions.photos[0])
    return write_report(
        folder,
        predictions,
        run.path,
        augmented=examples,
        heat_map=GradCam(run.model),
        robustness=robustness,
        foreign=foreign,
    )
