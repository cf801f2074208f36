"""Tests of whether the answers to a window's pictures are distributed as those to the validation photos.

They are of the kind that Rabanser, Günnemann and Lipton, "Failing Loudly" (2019, arXiv 1810.11953), found
best: on the outputs of the classifier, each with few numbers, and corrected for how many there are.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from shutterless.monitoring.label_shift import MIN_SCORE
from shutterless.monitoring.sample import Floats, Sample

Integers = npt.NDArray[np.int64]

ALPHA = 0.02  # one week a year
# A difference below it raises no alarm, however significant it is: with enough records, any difference is.
MIN_EFFECT = 0.05
FOLDS = 5
PERMUTATIONS = 999
STRENGTH = 0.01  # of the classifier's fit, against overfitting
# Labels that fewer pictures are expected to get are counted together, for the approximation of χ².
MIN_EXPECTED = 5


@dataclass(frozen=True)
class DriftSign:
    """A test of one aspect of the answers.

    Attributes:
        name: `labels` or `scores`, which also change with the mix of labels; or `confidence`, `novelty` or
            `pictures`, which are compared within the pictures that got the same label.
        effect: How large the difference is. For the labels the total variation distance of their shares, and
            for the scores the largest difference of two distributions, 0 to 1. For the others 2 · AUROC - 1,
            -1 to 1: 0 if the values of a later picture are as often higher as lower.
        p_value: Probability of a difference as large by chance, 0 to 1.
        adjusted: The same, corrected by Holm's method for the number of tests.
        alarms: Whether it is significant and not too small to matter.
    """

    name: str
    effect: float
    p_value: float
    adjusted: float = 1.0
    alarms: bool = False


def find_signs(reference: Sample, now: Sample, seed: int = 42) -> tuple[DriftSign, ...]:
    """Test the labels, the scores, the confidence, the novelty and the pictures of a window.

    Args:
        reference: Answers to the validation photos, of which one of each group is used.
        now: Answers to the pictures of the window, of which one of each request is used.
        seed: Seed of permutations and folds.

    Returns:
        One sign per test. Together they alarm without a reason in at most `ALPHA` of all windows.
    """
    then, later = reference.independent(), now.independent()
    strata = then.answers, later.answers
    tests = (
        compare_labels(*strata, then.scores.shape[1]),
        compare_scores(then.scores, later.scores),
        compare_ranks("confidence", then.confidence, later.confidence, *strata),
        compare_ranks("novelty", then.novelty, later.novelty, *strata),
        compare_pictures(then.embeddings, later.embeddings, *strata, seed),
    )
    adjusted = holm(np.array([test.p_value for test in tests])).tolist()
    return tuple(
        replace(test, adjusted=p_value, alarms=p_value <= ALPHA and abs(test.effect) >= MIN_EFFECT)
        for test, p_value in zip(tests, adjusted, strict=True)
    )


def compare_labels(then: Integers, now: Integers, labels: int) -> DriftSign:
    """Compare how often each label was the answer, by a χ² test.

    Args:
        then: Index of each answer's label, int64[photos].
        now: The same, int64[pictures].
        labels: Number of labels.
    """
    from scipy.stats import chi2_contingency

    counts = np.stack([np.bincount(each, minlength=labels) for each in (then, now)])
    shares = counts / counts.sum(axis=1, keepdims=True)
    effect = float(np.abs(shares[1] - shares[0]).sum() / 2)
    is_rare = counts.sum(axis=0) * counts.sum(axis=1).min() < MIN_EXPECTED * counts.sum()
    table = np.column_stack([counts[:, ~is_rare], counts[:, is_rare].sum(axis=1)])
    table = table[:, table.sum(axis=0) > 0]
    p_value = chi2_contingency(table, correction=False).pvalue if table.shape[1] > 1 else 1.0
    return DriftSign("labels", effect, float(p_value))


def compare_scores(then: Floats, now: Floats) -> DriftSign:
    """Compare the scores of each label by a Kolmogorov–Smirnov test, corrected for the number of labels.

    Args:
        then: float64[photos, labels].
        now: float64[pictures, labels].
    """
    from scipy.stats import ks_2samp

    # As coarse as in a validation record, so that rounding makes no difference.
    columns = [np.maximum(each.astype(np.float16), MIN_SCORE).T for each in (then, now)]
    results = [ks_2samp(*each, method="asymp") for each in zip(*columns, strict=True)]
    p_value = min(1.0, len(results) * min(float(result.pvalue) for result in results))
    return DriftSign("scores", max(float(result.statistic) for result in results), p_value)


def compare_ranks(
    name: str, then: Floats, now: Floats, labels_then: Integers, labels_now: Integers
) -> DriftSign:
    """Compare a figure within the pictures of each label, by Wilcoxon's rank-sum test (van Elteren, 1960).

    Args:
        name: Name of the sign.
        then: float64[photos].
        now: float64[pictures].
        labels_then: Index of each answer's label, int64[photos].
        labels_now: The same, int64[pictures].
    """
    from scipy.stats import norm, rankdata

    excess = variance = total = 0.0
    for label in np.intersect1d(labels_then, labels_now):
        values = np.concatenate([now[labels_now == label], then[labels_then == label]])
        m = int(np.sum(labels_now == label))
        n = len(values) - m
        ranks = rankdata(values)
        weight = m * n / (m + n + 1)
        excess += weight * ((ranks[:m].sum() - m * (m + 1) / 2) / (m * n) - 0.5)
        variance += weight**2 * ranks.var(ddof=1) / (m * n * (m + n))  # smaller than without ties
        total += weight
    if not variance:
        return DriftSign(name, 0.0, 1.0)
    return DriftSign(name, float(2 * excess / total), float(2 * norm.sf(abs(excess) / np.sqrt(variance))))


def compare_pictures(
    then: Floats, now: Floats, labels_then: Integers, labels_now: Integers, seed: int
) -> DriftSign:
    """Compare the embeddings within the pictures of each label, by a linear classifier between then and now.

    The p-value is that of a permutation test of Hotelling's T², the squared distance between the two means in
    units of the covariance, which is what such a classifier separates by (Lopez-Paz and Oquab, "Revisiting
    Classifier Two-Sample Tests", 2017, arXiv 1610.06545). The effect is from the AUROC of a classifier on
    pictures that it was not fitted to.

    Args:
        then: float64[photos, d].
        now: float64[pictures, d].
        labels_then: Index of each answer's label, int64[photos].
        labels_now: The same, int64[pictures].
        seed: Seed of the permutations and of the folds.
    """
    points = np.concatenate([then, now])
    is_now = np.arange(len(points)) >= len(then)
    labels = np.concatenate([labels_then, labels_now])
    points = points - group_means(points, labels)
    scores, folds = separate(points, is_now, seed)
    aurocs = [_auroc(scores[folds == fold], is_now[folds == fold]) for fold in range(FOLDS)]
    return DriftSign(
        "pictures", 2 * float(np.mean(aurocs)) - 1, permutation_test(points, is_now, labels, seed)
    )


def group_means(points: Floats, groups: Integers) -> Floats:
    """Return the mean of each point's group, float64[points, d]."""
    _, indices = np.unique(groups, return_inverse=True)
    sums = np.zeros((indices.max() + 1, points.shape[1]))
    np.add.at(sums, indices, points)
    return np.asarray((sums / np.bincount(indices)[:, np.newaxis])[indices])


def permutation_test(points: Floats, is_now: npt.NDArray[np.bool_], groups: Integers, seed: int) -> float:
    """Return the p-value of a difference between two means, at least 1 / (`PERMUTATIONS` + 1).

    Args:
        points: float64[points, d], the mean of each group subtracted.
        is_now: bool[points], the sample of each point.
        groups: int64[points], within which the points are permuted.
        seed: Seed of the permutations.
    """
    directions, sizes, _ = np.linalg.svd(points, full_matrices=False)  # directions: whitened points
    white = directions[:, sizes > sizes[0] * 1e-6]
    order, rng = np.argsort(groups, kind="stable"), np.random.default_rng(seed)
    by_group, flags, sorted_groups = white[order], is_now[order], groups[order]

    def statistic(is_later: npt.NDArray[np.bool_]) -> float:
        return float((by_group[is_later].sum(axis=0) ** 2).sum())  # all points of a group add up to 0

    observed = statistic(flags)
    draws = [
        statistic(flags[np.lexsort((rng.random(len(flags)), sorted_groups))]) for _ in range(PERMUTATIONS)
    ]
    return (1 + sum(draw >= observed - 1e-12 for draw in draws)) / (PERMUTATIONS + 1)


def separate(points: Floats, is_now: npt.NDArray[np.bool_], seed: int) -> tuple[Floats, Integers]:
    """Score each picture by a classifier between then and now that was fitted to the pictures of other folds.

    Args:
        points: Embeddings, float64[points, d].
        is_now: bool[points], whether each is of the window.
        seed: Seed of the folds.

    Returns:
        A score for each point, float64[points], higher for what is more like now; and the fold of each,
        int64[points]. Scores of different folds are not comparable.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold

    points = points / np.maximum(points.std(axis=0), 1e-12)
    scores, folds = np.empty(len(points)), np.empty(len(points), np.int64)
    splits = StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(points, is_now)
    for fold, (fitting, asked) in enumerate(splits):
        classifier = LogisticRegression(C=STRENGTH, class_weight="balanced", max_iter=200)
        classifier.fit(points[fitting], is_now[fitting])
        scores[asked], folds[asked] = classifier.decision_function(points[asked]), fold
    return scores, folds


def _auroc(scores: Floats, is_now: npt.NDArray[np.bool_]) -> float:
    from scipy.stats import rankdata

    ranks, positives = rankdata(scores), int(is_now.sum())
    return float((ranks[is_now].mean() - (positives + 1) / 2) / (len(scores) - positives))


def holm(p_values: Floats) -> Floats:
    """Return p-values corrected for their number by Holm's method, float64[tests].

    Args:
        p_values: float64[tests].
    """
    order = np.argsort(p_values)
    adjusted = np.empty(len(p_values))
    factors = np.arange(len(p_values), 0, -1)
    adjusted[order] = np.minimum(1, np.maximum.accumulate(p_values[order] * factors))
    return adjusted
