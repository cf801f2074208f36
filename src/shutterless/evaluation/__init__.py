"""How good a model is, what its confidence is worth, and where it fails.

The report is written by `shutterless.evaluation.report.report`, which is imported by those who write one: it
draws with matplotlib, and that takes a while to import.
"""

from shutterless.evaluation.calibration import Calibration, calibrate
from shutterless.evaluation.metrics import Acceptance, LabelMetrics, Metrics, measure
from shutterless.evaluation.predict import (
    Predictions,
    Predictor,
    predict_folder,
    predict_labelled,
    predict_photos,
)

__all__ = [
    "Acceptance",
    "Calibration",
    "LabelMetrics",
    "Metrics",
    "Predictions",
    "Predictor",
    "calibrate",
    "measure",
    "predict_folder",
    "predict_labelled",
    "predict_photos",
]
