"""Evaluate models: accuracy, confusion matrix, confidence calibration, and where they fail.

Import `shutterless.evaluation.report.report` to write a report. It draws with matplotlib, which is slow to
import.
"""

from shutterless.evaluation.calibration import Calibration, calibrate
from shutterless.evaluation.metrics import Acceptance, ConditionMetrics, LabelMetrics, Metrics, measure
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
    "ConditionMetrics",
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
