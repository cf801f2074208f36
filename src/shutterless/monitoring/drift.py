"""Compare the pictures that a deployed model sees with its validation photos."""

import math
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from shutterless.artifacts.validation_record import ValidationRecord, read_validation
from shutterless.monitoring.estimates import estimate
from shutterless.monitoring.period import choose_period
from shutterless.monitoring.records import Window, read_records
from shutterless.monitoring.report import check_page, write_drift
from shutterless.monitoring.sample import Sample
from shutterless.monitoring.signs import ALPHA, find_signs, group_means, separate
from shutterless.monitoring.types import Drift, DriftFigures, LabelDrift, UnusualPicture
from shutterless.runtime.model.bundle import Bundle, read_bundle

# With fewer independent pictures, a share must change by more than 30 points to be noticed.
MIN_REQUESTS = 30
MAX_SHOWN = 48
# Signs of pictures that differ within their labels. They contradict what the estimates assume.
BEYOND_LABELS = ("confidence", "novelty", "pictures")


def drift(
    bundle: str | Path,
    live: str | Path,
    *,
    since: str | datetime | None = None,
    until: str | datetime | None = None,
    window: str = "week",
    report: str | Path | None = None,
) -> Drift:
    """Compare the pictures that a deployed model saw in a period with its validation photos.

    Needs no labels. In a period without any change it alarms with a probability of at most 2 %. Records of
    other versions of the model, incomplete ones and those of the same picture again are left out. The tests
    take requests as independent of each other: many pictures of one user may cause an alarm.

    Args:
        bundle: The bundle that was deployed.
        live: The folder that `collect` wrote, or its Parquet file.
        since: Start of the period: a time, a date as text, or how long ago, such as `7d`. By default a
            `window` before `until`.
        until: Its end; now by default.
        window: Length of the period: day, week or month.
        report: Also write a page, a .html file or a folder, with the photos that were kept.

    Raises:
        BundleError: The bundle cannot be read, or is of an earlier version (`no-validation-record`).
        InputError: There are no records of this bundle in the period, or the period is not valid.
        OutputError: The page cannot be written.

    Example:
        >>> import shutterless
        >>> result = shutterless.drift("bundle", "live", window="month")  # doctest: +SKIP
        >>> result.alarm, result.accuracy.low  # doctest: +SKIP
        (False, 0.89)
    """
    start, end = choose_period(since, until, window)
    if report:
        check_page(Path(report))
    model = read_bundle(bundle)
    record = read_validation(model)
    records = read_records(Path(live), model, start, end, record.embeddings.shape[1])
    result = replace(
        compare(model, record, records),
        since=start.isoformat(timespec="seconds"),
        until=end.isoformat(timespec="seconds"),
    )
    if report:
        write_drift(report, result)
    return result


def compare(bundle: Bundle, record: ValidationRecord, records: Window) -> Drift:
    """Compare records with the validation photos; the result has no period.

    Args:
        bundle: The bundle of both.
        record: The answers to the validation photos.
        records: The records.
    """
    reference, truth = to_sample(record), record.truth.astype(np.int64)
    now, labels = records.sample, bundle.labels
    requests = len(np.unique(now.units))
    signs = find_signs(reference, now) if requests >= MIN_REQUESTS else ()
    estimates = estimate(reference, truth, now)
    shares_then = np.bincount(truth, minlength=len(labels)) / len(truth)
    answers = np.bincount(now.answers, minlength=len(labels)) / len(now)
    differs = any(sign.alarms and sign.name in BEYOND_LABELS for sign in signs)
    rate = bundle.familiarity.false_alarm_rate if bundle.familiarity else 0.0
    is_familiar = reference.novelty < 1 - rate
    return Drift(
        bundle=bundle.name,
        version=bundle.version,
        since="",
        until="",
        requests=requests,
        left_out=records.left_out,
        then=_figures(reference, is_familiar & (reference.confidence >= bundle.threshold), is_familiar),
        now=_figures(now, records.accepted, records.familiar),
        labels={
            label: LabelDrift(float(shares_then[index]), share, float(answers[index]))
            for index, (label, share) in enumerate(zip(labels, estimates.shares, strict=True))
        },
        accuracy_then=float(np.mean(reference.answers == truth)),
        accuracy=estimates.accuracy,
        assumption_holds=not differs,
        signs=signs,
        detectable=_detectable(len(np.unique(reference.units)), requests, len(signs)),
        unusual=_find_unusual(reference, records, labels) if differs else (),
    )


def to_sample(record: ValidationRecord) -> Sample:
    """Return the answers to the validation photos in double precision."""
    columns = (record.scores, record.embeddings, record.novelty)
    scores, embeddings, novelty = (np.asarray(column, np.float64) for column in columns)
    return Sample(scores, embeddings, novelty, np.unique(record.groups, return_inverse=True)[1])


def _figures(
    sample: Sample, accepted: npt.NDArray[np.bool_], familiar: npt.NDArray[np.bool_]
) -> DriftFigures:
    return DriftFigures(
        pictures=len(sample),
        accepted=float(np.mean(accepted)),
        unfamiliar=1 - float(np.mean(familiar)),
        confidence=float(np.mean(sample.confidence)),
    )


def _detectable(photos: int, requests: int, tests: int) -> float:
    """Return the difference of two shares near a half that a test finds four times out of five."""
    from scipy.stats import norm

    z = float(norm.isf(ALPHA / 2 / max(tests, 1)) + norm.isf(0.2))
    return min(1.0, z * 0.5 * math.sqrt(1 / photos + 1 / requests))


def _find_unusual(reference: Sample, records: Window, labels: tuple[str, ...]) -> tuple[UnusualPicture, ...]:
    """Return the pictures that a classifier of embeddings tells best from the validation photos."""
    now = records.sample
    points = np.concatenate([reference.embeddings, now.embeddings])
    points = points - group_means(points, np.concatenate([reference.answers, now.answers]))
    scores, folds = separate(points, np.arange(len(points)) >= len(reference), seed=42)
    ranks = np.empty(len(points))
    for fold in np.unique(folds):  # scores of different folds are not comparable, ranks are
        ranks[folds == fold] = scores[folds == fold].argsort().argsort() / np.sum(folds == fold)
    order = np.argsort(-ranks[len(reference) :], kind="stable")[:MAX_SHOWN]
    return tuple(
        UnusualPicture(
            id=records.ids[index],
            time=records.times[index].isoformat(timespec="seconds"),
            label=labels[now.answers[index]],
            confidence=float(now.confidence[index]),
            novelty=float(now.novelty[index]),
            photo=records.photos[index],
        )
        for index in order
    )
