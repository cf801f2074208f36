"""Tell pictures that are like none of the labels, by their distance from the training photos."""

from shutterless.novelty.conformal import FALSE_ALARM_RATE, MIN_PHOTOS, Familiarity, fit_familiarity
from shutterless.novelty.fit import fit_novelty
from shutterless.novelty.measurement import (
    Noticed,
    NoveltyMeasurement,
    auroc,
    measure_novelty,
    parse_left_out,
)
from shutterless.novelty.types import NoveltyModel, Projection

__all__ = [
    "FALSE_ALARM_RATE",
    "MIN_PHOTOS",
    "Familiarity",
    "Noticed",
    "NoveltyMeasurement",
    "NoveltyModel",
    "Projection",
    "auroc",
    "fit_familiarity",
    "fit_novelty",
    "measure_novelty",
    "parse_left_out",
]
