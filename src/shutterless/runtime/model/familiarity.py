"""Whether a picture is like the photos that a model was trained on: a conformal test of its distances.

The model's output `novelty` has one or more distances from the training photos. Their weighted sum is
compared with the sums of the validation photos, which the bundle holds. Of pictures that are like the
validation photos, no more than the false-alarm rate are taken for unfamiliar, whatever the network: Vovk,
Gammerman, Shafer: Algorithmic Learning in a Random World, 2005.
"""

import math
from collections.abc import Mapping, Sequence

from shutterless.runtime.record import Record

# Of the model's distances, and of the validation photos' scores, of which convert writes up to 1,000.
MAX_DISTANCES, MAX_SCORES = 16, 10_000
# So that no weighted sum of distances, which are float32, can overflow.
MAX_WEIGHT = 1e12


class Familiarity(Record):
    """The distances of validation photos, which pictures are compared with.

    Attributes:
        weights: Weight of each distance.
        scores: Weighted sums of the validation photos' distances, in ascending order.
        false_alarm_rate: Share of familiar pictures that may be taken for unfamiliar ones.
    """

    weights: tuple[float, ...]
    scores: tuple[float, ...]
    false_alarm_rate: float

    def p_value(self, distances: Sequence[float]) -> float:
        """Return the probability that a photo like the validation photos is at least as strange.

        It is (1 + number of scores ≥ s) / (number of scores + 1), where s is the picture's score.

        Args:
            distances: The model's distances for a picture, one per weight.

        Returns:
            A number above 0, and 1 at most. The picture is familiar if it is above the false-alarm rate.
        """
        score = combine(self.weights, distances)
        low, count = 0, len(self.scores)
        high = count
        while low < high:  # bisect.bisect_left, whose import would take half a millisecond of a cold start
            middle = (low + high) // 2
            if self.scores[middle] < score:
                low = middle + 1
            else:
                high = middle
        return (1 + count - low) / (count + 1)


def combine(weights: Sequence[float], distances: Sequence[float]) -> float:
    """Return the weighted sum of a picture's distances, rounded once, so the same on every machine.

    Args:
        weights: Weight of each distance.
        distances: Finite, one per weight.
    """
    return math.fsum(weight * float(value) for weight, value in zip(weights, distances, strict=True))


def parse_familiar(document: object) -> Familiarity:
    """Parse the member `familiar` of bundle.json; members that it does not know are passed over.

    Args:
        document: A mapping of `weights`, `scores`, `photos`, `false_alarm_rate` and `measured`.

    Raises:
        ValueError: A member is missing or invalid.
    """
    if not isinstance(document, Mapping):
        raise ValueError("it is not an object")
    weights, scores = (_floats(document.get(name)) for name in ("weights", "scores"))
    (rate,) = _floats([document.get("false_alarm_rate")])
    photos = document.get("photos")
    is_valid = (
        1 <= len(weights) <= MAX_DISTANCES
        and max(map(abs, weights)) <= MAX_WEIGHT
        and 1 <= len(scores) <= MAX_SCORES
        and all(map(float.__le__, scores, scores[1:]))
        and 0 < rate < 1
        and type(photos) is int
        and photos >= 0
        and isinstance(document.get("measured"), Mapping)
    )
    if not is_valid:
        raise ValueError("weights, scores, photos, false_alarm_rate or measured is invalid")
    return Familiarity(weights, scores, rate)


def _floats(values: object) -> tuple[float, ...]:
    """Return a list of finite numbers as floats; `ValueError` if it is anything else."""
    if not isinstance(values, list | tuple) or not {*map(type, values)} <= {int, float}:
        raise ValueError("a list of numbers is missing")
    try:
        numbers = tuple(map(float, values))
    except OverflowError as error:  # an integer of 400 digits
        raise ValueError("a number is too large") from error
    if not all(map(math.isfinite, numbers)):
        raise ValueError("a number is not finite")
    return numbers
