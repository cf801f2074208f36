from dataclasses import replace

import numpy as np
import pytest

from shutterless.conversion.compare import Comparison
from shutterless.conversion.selection import Verdict, judge
from shutterless.evaluation import calibrate
from shutterless.evaluation.metrics import measure

LABELS = ("a", "b")
TRUTH = np.arange(400) % 2
SCORES = np.where(TRUTH[:, np.newaxis] == np.arange(2), 0.9, 0.1).astype(np.float32)
KERAS, CALIBRATION = measure(TRUTH, SCORES, LABELS), calibrate(TRUTH, SCORES)


def comparison(drop=0.0, size=1_000, difference=0.0):
    return Comparison(
        precision="int8",
        keras=KERAS,
        converted=replace(KERAS, accuracy=KERAS.accuracy - drop),
        agreement=1.0,
        largest_difference=difference,
        bytes=size,
        milliseconds=1.0,
    )


def verdicts(*comparisons, medians, spread=0.01, rises=None, photos=400, max_drop=0.01, base=True):
    """Judge models with these median times, each round off by up to `spread`, the noise the same in all."""
    times = np.array(medians) * np.random.default_rng(1).uniform(1 - spread, 1 + spread, (30, len(medians)))
    calibrations = [
        replace(CALIBRATION, photos=photos, error_after=0.03 + rise) for rise in rises or [0.0] * len(medians)
    ]
    reference = replace(CALIBRATION, photos=photos, error_after=0.03) if base else None
    return judge(comparisons, calibrations, times, reference, max_drop)


def test_the_quickest_is_taken_whatever_its_size():
    assert verdicts(comparison(), comparison(size=5_000), medians=(2.0, 1.0)) == [
        Verdict.SLOWER,
        Verdict.TAKEN,
    ]


def test_a_model_that_loses_too_much_accuracy_is_not_taken():
    assert verdicts(comparison(), comparison(drop=0.02), medians=(2.0, 1.0)) == [
        Verdict.TAKEN,
        Verdict.ACCURACY,
    ]
    assert verdicts(comparison(), comparison(drop=0.01), medians=(2.0, 1.0))[1] is Verdict.TAKEN


def test_a_model_whose_calibration_suffers_is_not_taken():
    models = comparison(), comparison()
    assert verdicts(*models, medians=(2.0, 1.0), rises=(0.0, 0.03)) == [Verdict.TAKEN, Verdict.CALIBRATION]
    assert verdicts(*models, medians=(2.0, 1.0), rises=(0.0, 0.01))[1] is Verdict.TAKEN


@pytest.mark.parametrize("uncertain", [{"photos": 50}, {"base": False}])
def test_calibration_does_not_count_on_few_photos_or_for_a_single_precision(uncertain):
    models = comparison(), comparison()
    assert verdicts(*models, medians=(2.0, 1.0), rises=(0.0, 0.3), **uncertain)[1] is Verdict.TAKEN


@pytest.mark.parametrize("medians", [(1.0, 1.04), (1.04, 1.0)])
def test_of_equally_quick_models_the_smallest_is_taken(medians):
    assert verdicts(comparison(size=2_000), comparison(size=1_000), medians=medians) == [
        Verdict.LARGER,
        Verdict.TAKEN,
    ]


@pytest.mark.parametrize("medians", [(1.0, 1.04), (1.04, 1.0)])
def test_of_models_of_equal_time_and_size_the_one_closest_to_keras_is_taken(medians):
    models = comparison(difference=0.2, size=1_000), comparison(difference=0.1, size=1_010)
    assert verdicts(*models, medians=medians) == [
        Verdict.LESS_EXACT,
        Verdict.TAKEN,
    ]


def test_noise_in_the_times_does_not_decide():
    assert verdicts(comparison(size=1_000), comparison(size=2_000), medians=(1.1, 1.0), spread=0.9) == [
        Verdict.TAKEN,
        Verdict.LARGER,
    ]


def test_none_is_taken_if_all_lose_too_much():
    models = comparison(drop=0.1), comparison(drop=0.2)
    assert verdicts(*models, medians=(1.0, 1.0)) == [Verdict.ACCURACY] * 2
