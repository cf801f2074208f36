"""Put a comparison into words and rows, for the terminal and the page."""

from collections.abc import Iterator

from shutterless.evaluation.comparison.comparison import ComparedModel, ModelComparison
from shutterless.evaluation.comparison.paired import Difference
from shutterless.evaluation.intervals import MAX_DECIMALS, Z95, decimals, percentage, percentage_of, rounded
from shutterless.evaluation.metrics import calibration_text
from shutterless.utils.messages import plural

SIGNIFICANT = 0.05  # p-value below which a difference is called one
MIN_P = 0.0001  # below it, only that is said

Row = tuple[str, str, str, str]


def figure_rows(comparison: ModelComparison) -> list[Row]:
    """Return rows of a figure's name, its value for A and B, and the difference, empty if it has none."""
    a, b = comparison.a, comparison.b
    return [
        ("accuracy", _accuracy(a), _accuracy(b), difference_text(comparison.accuracy, 100, "points")),
        ("log loss", _loss(a), _loss(b), difference_text(comparison.loss)),
        ("calibration error", _calibration(a), _calibration(b), ""),
        *_acceptance_rows(a, b),
        *_ratio_rows(a, b),
    ]


def _accuracy(model: ComparedModel) -> str:
    return percentage_of(model.metrics.right, model.metrics.photos)


def _loss(model: ComparedModel) -> str:
    return rounded(model.metrics.loss, model.metrics.loss_error)


def _calibration(model: ComparedModel) -> str:
    metrics = model.metrics
    return calibration_text(metrics.calibration_error, metrics.right, metrics.photos)


def _acceptance_rows(a: ComparedModel, b: ComparedModel) -> Iterator[Row]:
    """Yield what the models accept, and take for none of the labels, where at least one of them can tell."""
    photos = a.metrics.photos
    accepted = _accepted(a), _accepted(b)
    if accepted != (None, None):
        yield "accepted", _share(accepted[0], photos), _share(accepted[1], photos), _points(*accepted, photos)
        yield "correct, of those accepted", _precision(a), _precision(b), ""
    unfamiliar = a.unfamiliar, b.unfamiliar
    if unfamiliar != (None, None):
        shares = _share(unfamiliar[0], photos), _share(unfamiliar[1], photos)
        yield "taken for none of the labels", *shares, _points(*unfamiliar, photos)


def _accepted(model: ComparedModel) -> int | None:
    return model.metrics.acceptance.photos if model.metrics.acceptance else None


def _precision(model: ComparedModel) -> str:
    acceptance = model.metrics.acceptance
    return percentage(acceptance.right, acceptance.photos) if acceptance else "–"


def _share(count: int | None, photos: int) -> str:
    return "–" if count is None else percentage_of(count, photos)


def _points(a: int | None, b: int | None, photos: int) -> str:
    return "" if a is None or b is None else f"{100 * (b - a) / photos:+.1f} points".replace("-", "−")


def _ratio_rows(a: ComparedModel, b: ComparedModel) -> Iterator[Row]:
    """Yield time, size and parameters with their ratios. Times of a run and a bundle don't compare."""
    if a.milliseconds and b.milliseconds:
        ratio = f"× {b.milliseconds / a.milliseconds:.2f}" if a.kind == b.kind else ""
        yield ("processor time", f"{a.milliseconds:.1f} ms", f"{b.milliseconds:.1f} ms", ratio)
    if a.bytes or b.bytes:
        ratio = f"× {b.bytes / a.bytes:.2f}" if a.bytes and b.bytes else ""
        yield "size", _quantity(a.bytes, "MB"), _quantity(b.bytes, "MB"), ratio
    if a.parameters or b.parameters:
        ratio = f"× {b.parameters / a.parameters:.2f}" if a.parameters and b.parameters else ""
        yield "parameters", _quantity(a.parameters, "M"), _quantity(b.parameters, "M"), ratio


def _quantity(value: int | None, unit: str) -> str:
    return f"{value / 1e6:.2f} {unit}" if value else "–"


def difference_text(difference: Difference, scale: float = 1, unit: str = "") -> str:
    """Format a difference, as in "+3.5 points (95 % interval +1.2 to +5.8)".

    Args:
        difference: The difference and its interval.
        scale: What all three are multiplied by.
        unit: Follows the difference, unless it is empty.
    """
    value, low, high = (scale * number for number in (difference.value, difference.low, difference.high))
    digits = min(MAX_DECIMALS, 1 + decimals((high - low) / 2 / Z95))  # so that a bound near 0 has a sign
    value_text, low_text, high_text = (
        f"{number:+.{digits}f}".replace("-", "−") for number in (value, low, high)
    )
    return f"{value_text}{unit and ' ' + unit} (95 % interval {low_text} to {high_text})"


def conclusion(comparison: ModelComparison) -> str:
    """Say in which direction the answers changed, and whether that is more than chance."""
    better, worse, test = comparison.better, comparison.worse, comparison.test
    if not better + worse:
        return "Both models are right on the same photos."
    counts = (
        f"B is right on {plural(better, 'photo')} where A is wrong, and wrong on {worse:,} where A is right"
    )
    if (test.better, test.worse) != (better, worse):
        counts += f" (counting photos of the same thing once: {test.better:,} and {test.worse:,})"
    chance = f"p < {MIN_P}" if test.p_value < MIN_P else f"p = {test.p_value:.2g}"
    if test.p_value >= SIGNIFICANT:
        verdict = "The difference may be chance: these photos do not tell the models apart."
    elif test.better > test.worse:
        verdict = "B is more accurate on photos like these."
    else:
        verdict = "A is more accurate on photos like these."
    return f"{counts} (McNemar's exact test: {chance}). {verdict}"
