"""Put a drift into words and rows, for the terminal and the page."""

from collections.abc import Iterator

from shutterless.evaluation.intervals import Z95, rounded
from shutterless.monitoring.estimates import ShareEstimate
from shutterless.monitoring.types import Drift, LabelDrift
from shutterless.utils.messages import plural

# Name of a sign → what it compares, and how its effect is given.
MEANINGS = {
    "labels": ("how often each label is the answer", "share that moved"),
    "scores": ("the scores of each label", "largest difference of two distributions"),
    "confidence": ("the confidence within each label", "2 · AUROC - 1"),
    "novelty": ("how unfamiliar pictures are within each label", "2 · AUROC - 1"),
    "pictures": ("the embeddings within each label", "2 · AUROC - 1"),
}
REASONS = {
    "other-model": "of another version of the model",
    "incomplete": "without scores, novelty or embedding",
    "duplicate": "of the same picture again",
    "not-sampled": "not in the random sample that is compared",
}
MIN_P = 0.0001
MAX_LABELS = 3


def conclusion(drift: Drift) -> str:
    """Return what the tests say, as one or two sentences."""
    if drift.too_few:
        return (
            f"Too few requests to tell: {plural(drift.requests, 'request')}. "
            f"Only a change of {100 * drift.detectable:.0f} points or more would be noticed."
        )
    names = [sign.name for sign in drift.signs if sign.alarms]
    if not names:
        return (
            f"No alarm: {plural(drift.requests, 'request')} look like the validation photos. "
            f"A change of {100 * drift.detectable:.0f} points would have been noticed."
        )
    if drift.assumption_holds:
        return f"Alarm: the mix of labels has changed ({_most_changed(drift)})."
    mix = ", and the mix of labels has changed" if {"labels", "scores"} & {*names} else ""
    return f"Alarm: pictures differ from the validation photos within their labels ({', '.join(names)}){mix}."


def _most_changed(drift: Drift) -> str:
    return ", ".join(
        f"{label} {100 * share.then:.0f} → {100 * share.now.value:.0f} %"
        for label, share in by_change(drift)[:MAX_LABELS]
    )


def by_change(drift: Drift) -> list[tuple[str, LabelDrift]]:
    """Return the labels and their shares, those that changed most first."""
    return sorted(drift.labels.items(), key=lambda item: -abs(item[1].now.value - item[1].then))


def notes(drift: Drift) -> Iterator[str]:
    """Yield what one should know about the figures."""
    for reason, count in drift.left_out.items():
        if count:
            yield f"{plural(count, 'record is', 'records are')} left out: {REASONS[reason]}"
    if not drift.assumption_holds:
        yield (
            "the estimates of label shares and accuracy assume that pictures of each label look as they did, "
            "which these do not: expect a lower accuracy"
        )


def accuracy_text(drift: Drift) -> str:
    """Return the expected accuracy, with its interval."""
    return f"{estimate_text(drift.accuracy)}, {100 * drift.accuracy_then:.0f} % on the validation photos"


def estimate_text(estimate: ShareEstimate) -> str:
    """Format an estimated share, as in "93 % (95 % interval 90 to 95 %)"."""
    error = 100 * (estimate.high - estimate.low) / 2 / Z95
    value, low, high = (
        rounded(100 * figure, error) for figure in (estimate.value, estimate.low, estimate.high)
    )
    return f"{value} % (95 % interval {low} to {high} %)"


def figure_rows(drift: Drift) -> list[tuple[str, str, str]]:
    """Return rows of a figure's name, its value for the validation photos, and for the period."""
    then, now = drift.then, drift.now
    return [
        ("pictures", f"{then.pictures:,}", f"{now.pictures:,}"),
        ("accepted", f"{100 * then.accepted:.1f} %", f"{100 * now.accepted:.1f} %"),
        ("unfamiliar", f"{100 * then.unfamiliar:.1f} %", f"{100 * now.unfamiliar:.1f} %"),
        ("mean confidence", f"{then.confidence:.3f}", f"{now.confidence:.3f}"),
    ]


def p_text(p_value: float) -> str:
    """Format a p-value."""
    return f"{p_value:.2g}" if p_value >= MIN_P else f"< {MIN_P}"
