"""Compare the answers of a canary with those of the live version by permutation tests.

Lambda sends each request to one of the two versions at random, whatever is in it. So if both answer alike,
which requests a version got is one random choice among all choices of that many, and a difference is chance
if many of those choices show one as large. That holds whatever the traffic is like: photos that come in
bursts, by the hour, or several in one request, which is why whole requests are drawn and not photos.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from shutterless.deploy.canary.answers import LoggedRequest
from shutterless.errors import DeployError

Verdict = Literal["healthy", "worse", "too-few"]
Measure = Literal["errors", "accepted", "answers"]
Counts = NDArray[np.int64]
Numbers = NDArray[np.float64]

# A retrained model answers some photos differently, which enough requests always show. A difference matters
# from this share of the answers on.
TOLERANCE = 0.1
# A p-value is estimated well enough once so many random choices show as large a difference.
MAX_EXCEEDANCES = 20
# Random choices are drawn in batches of so many, fewer if there are many kinds of requests.
BATCH, MAX_BATCH_SIZE = 1_000, 4_000_000
# Canary requests by which a fall of the accepted answers from 90 to 70 % is noticed in 9 of 10 cases, see
# docs/aws.md.
REQUESTS_FOR_SMALLER_DIFFERENCES = 120


@dataclass(frozen=True)
class Figure:
    """One measure of both versions.

    Attributes:
        measure: `errors`: requests answered with status 500 or above. `accepted`: accepted predictions.
            `answers`: the label, or the code of a problem, whose share differs most.
        answer: That label or code; for other measures `error` or `accepted`.
        live: The live version's share, 0 to 1.
        canary: The canary's share, 0 to 1.
        distance: The share of all answers that differ, 0 to 1 (total variation).
        p_value: How often chance alone makes a difference as large.
        is_worse: Whether the canary is to be turned back for it.
    """

    measure: Measure
    answer: str
    live: float
    canary: float
    distance: float
    p_value: float
    is_worse: bool

    def __str__(self) -> str:
        name = {"errors": "server errors", "accepted": "accepted answers", "answers": f'"{self.answer}"'}
        return f"{name[self.measure]}: {self.live:.0%} live, {self.canary:.0%} canary"


@dataclass(frozen=True)
class Comparison:
    """The answers of a canary beside those of the live version on the same traffic.

    Attributes:
        verdict: `worse` if a measure differs beyond chance and tolerance, `healthy` if none does, `too-few`
            if no difference could be told from chance yet.
        live_requests: The number of requests that the live version answered.
        canary_requests: The number of requests that the canary answered.
        figures: The measures; none if there are too few requests.
    """

    verdict: Verdict
    live_requests: int
    canary_requests: int
    figures: tuple[Figure, ...] = ()

    def describe(self) -> str:
        """Return the comparison as one line of text."""
        counts = f"{self.live_requests:,} live requests, {self.canary_requests:,} of the canary"
        if self.verdict == "too-few":
            return f"too few requests to compare the answers: {counts}"
        if self.verdict == "worse":
            return f"{'; '.join(str(figure) for figure in self.figures if figure.is_worse)} ({counts})"
        if self.canary_requests < REQUESTS_FOR_SMALLER_DIFFERENCES:
            counts += f"; smaller differences show from about {REQUESTS_FOR_SMALLER_DIFFERENCES}"
        return f"no difference in errors and answers ({counts})"

    def to_error(self, name: str) -> DeployError | None:
        """Return the error for the canary of the deployment `name`, None if it is not worse."""
        if self.verdict != "worse":
            return None
        hint = f"Find out why with: shutterless logs {name} --since 1h."
        if not any(figure.is_worse and figure.measure == "errors" for figure in self.figures):
            hint += (
                " If the new model is meant to answer differently, deploy it with --canary-ignore-answers."
            )
        return DeployError("canary-turned-back", f"The canary was turned back: {self.describe()}", hint)


def compare(
    live: Sequence[LoggedRequest],
    canary: Sequence[LoggedRequest],
    alpha: float,
    *,
    ignore_answers: bool = False,
) -> Comparison:
    """Compare the answers of two versions.

    Args:
        live: The requests that the live version answered.
        canary: The requests that the canary answered, on the same traffic.
        alpha: The probability, 0 to 1, with which two versions that answer alike may be told apart.
        ignore_answers: Whether to compare errors only.

    Returns:
        The comparison; the same requests always give the same.
    """
    counts = len(live), len(canary)
    # The rarest outcome and its mirror image are two of so many choices; above 20 there are always enough.
    if math.comb(sum(counts), min(*counts, 20)) < 2 * len(MEASURES) / alpha:
        return Comparison("too-few", *counts)
    measures: Iterable[Measure] = ("errors",) if ignore_answers else MEASURES
    figures = tuple(_compare_measure(each, live, canary, alpha / len(MEASURES)) for each in measures)
    is_worse = any(figure.is_worse for figure in figures)
    return Comparison("worse" if is_worse else "healthy", *counts, figures)


def _list_errors(request: LoggedRequest) -> tuple[str, ...]:
    return ("error" if request.is_error else "answer",)


def _list_accepted(request: LoggedRequest) -> tuple[str, ...]:
    values = sorted(answer.accepted for answer in request.answers if answer.accepted is not None)
    return tuple("accepted" if value else "not sure" for value in values)


def _list_answers(request: LoggedRequest) -> tuple[str, ...]:
    return tuple(answer.name for answer in request.answers)


# What a request counts for, and the one of these whose share is shown; empty for the one that differs most.
MEASURES: Mapping[Measure, tuple[Callable[[LoggedRequest], tuple[str, ...]], str]] = {
    "errors": (_list_errors, "error"),
    "accepted": (_list_accepted, "accepted"),
    "answers": (_list_answers, ""),
}


def _compare_measure(
    measure: Measure, live: Sequence[LoggedRequest], canary: Sequence[LoggedRequest], alpha: float
) -> Figure:
    list_outcomes, main_outcome = MEASURES[measure]
    of_live, of_canary = Counter(map(list_outcomes, live)), Counter(map(list_outcomes, canary))
    kinds = sorted({*of_live, *of_canary})  # requests with the same outcomes are of one kind
    outcomes = sorted({outcome for kind in kinds for outcome in kind})
    # Each request counts once, so that one with many photos of the same thing does not outweigh the others.
    rows = [[kind.count(outcome) / max(len(kind), 1) for outcome in outcomes] for kind in kinds]
    table = np.array(rows, np.float64)
    live_kinds, canary_kinds = (np.array([each[kind] for kind in kinds]) for each in (of_live, of_canary))
    live_shares, canary_shares = _shares(live_kinds @ table), _shares(canary_kinds @ table)
    differences = dict(zip(outcomes, canary_shares - live_shares, strict=True))
    answer = main_outcome or max(differences, key=lambda each: abs(differences[each]), default="")
    distance = float(np.abs(canary_shares - live_shares).sum() / 2)
    p_value = _test_permutations(live_kinds + canary_kinds, canary_kinds, table, alpha)
    is_large = differences.get(answer, 0) > 0 if measure == "errors" else distance >= TOLERANCE
    return Figure(
        measure=measure,
        answer=answer,
        live=dict(zip(outcomes, live_shares.tolist(), strict=True)).get(answer, 0.0),
        canary=dict(zip(outcomes, canary_shares.tolist(), strict=True)).get(answer, 0.0),
        distance=distance,
        p_value=p_value,
        is_worse=is_large and p_value <= alpha,
    )


def _shares(numbers: Numbers) -> Numbers:
    return numbers / max(numbers.sum(), 1e-9)


def _test_permutations(kinds: Counts, canary_kinds: Counts, table: Numbers, alpha: float) -> float:
    """Return how often a random choice of as many requests differs from the others as much as the canary's.

    Random choices are drawn until twenty differ as much (Besag and Clifford, 1991, "Sequential Monte Carlo
    p-values"), or three times as many are drawn as it takes to tell that less than `alpha` do.

    Args:
        kinds: The number of requests of each kind, of both versions together.
        canary_kinds: Those that the canary answered.
        table: What one request of each kind counts for; a column for each outcome.
        alpha: What the result is compared with, 0 to 1.
    """
    generator, number = np.random.default_rng(0), int(canary_kinds.sum())
    total = kinds @ table
    difference = _chi_square(canary_kinds @ table, total)
    exceedances, draws, batch = 0, 0, min(BATCH, MAX_BATCH_SIZE // len(kinds) + 1)
    while exceedances < MAX_EXCEEDANCES and draws < 3 / alpha:
        choices = generator.multivariate_hypergeometric(kinds, number, size=batch)
        # A hair less, so that the same table in another order of additions counts as equal.
        exceedances += int(np.count_nonzero(_chi_square(choices @ table, total) >= difference * (1 - 1e-9)))
        draws += batch
    return exceedances / draws if exceedances >= MAX_EXCEEDANCES else (exceedances + 1) / (draws + 1)


def _chi_square(numbers: Numbers, total: Numbers) -> Numbers:
    """Return Pearson's chi-square of the outcomes of some requests and those of all others.

    Args:
        numbers: The outcomes of some requests; a row for each choice of them, or one choice.
        total: The outcomes of all requests.
    """
    share = numbers.sum(-1, keepdims=True) / max(total.sum(), 1e-9)
    mean = total * share
    variance = np.maximum(mean * (1 - share), 1e-9)  # 0 if one side has no outcomes: no difference
    return ((numbers - mean) ** 2 / variance).sum(-1)
