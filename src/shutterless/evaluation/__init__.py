"""How good a model is."""

from shutterless.evaluation.evaluator import Predictor, evaluate, evaluate_photos, predict_photos
from shutterless.evaluation.metrics import LabelMetrics, Metrics, measure

__all__ = ["LabelMetrics", "Metrics", "Predictor", "evaluate", "evaluate_photos", "measure", "predict_photos"]
