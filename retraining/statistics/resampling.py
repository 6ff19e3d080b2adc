"""Standard errors that take blocks, not rows, as the unit, because rows of a file are alike.

Each takes one model's predictions, for the error of its score, or two models' on the same rows, for
the error of the second score minus the first. `blocks` are (n,) numbers in 0..B-1. An error is None
where it is not defined, such as with one block.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from retraining.statistics.label_metrics import count_labels_by_block, label_score
from retraining.statistics.metrics import Predictions, row_values, score, subset

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from retraining.metrics import Metric

    Floats = NDArray[np.floating[Any]]
    Integers = NDArray[np.integer[Any]]

RESAMPLES = 2000
ROWS_PER_PART = 250_000  # that are looked at together: there may be many millions
# more are joined with their neighbours, which bounds the time and keeps like blocks together
MOST_RESAMPLED_BLOCKS = 200
MOST_GROUPS = 40  # of blocks, for metrics that are scored again without each group


def standard_error(
    chosen: Metric, models: Sequence[Predictions], blocks: Integers, *, seed: int
) -> float | None:
    """The error over blocks, but at least the error if all rows were independent.

    Rows of a block are alike or independent, so a smaller error over blocks is the luck of having
    few blocks. Three blocks that each gained one row would otherwise prove anything.
    """
    differences = _row_differences(chosen, models)
    if differences is not None:
        over_rows = _row_mean_error(chosen, models, differences)
        return _larger(mean_error(differences, blocks), over_rows)
    # rows dealt out at random make blocks in which rows are independent
    dealt = np.random.default_rng(seed).permutation(blocks.size)
    np.remainder(dealt, min(blocks.size, MOST_RESAMPLED_BLOCKS // 2), out=dealt)
    if _is_vectorised(chosen, models[0].class_count):
        over_blocks = bootstrap_error(chosen, models, blocks, seed=seed)
        return _larger(over_blocks, bootstrap_error(chosen, models, dealt, seed=seed))
    over_blocks = jackknife_error(chosen, models, blocks)
    return _larger(over_blocks, jackknife_error(chosen, models, dealt))


def numbered(blocks: Integers) -> tuple[Integers, int]:
    """Blocks (n,) numbered again as 0..B-1, in the order of their old numbers, and B.

    >>> numbered(np.array([7, 7, 3, 9]))
    (array([1, 1, 0, 2]), 3)
    """
    highest = 2 * blocks.size + 100
    if not blocks.size or blocks.min() < 0 or blocks.max() > highest:
        distinct, inverse = np.unique(blocks, return_inverse=True)
        return inverse, distinct.size
    # a table of all numbers needs no sorting of rows, of which there may be millions
    occurs = np.zeros(int(blocks.max()) + 1, dtype=bool)
    occurs[blocks] = True
    places = np.cumsum(occurs, dtype=blocks.dtype) - 1
    return places[blocks], int(occurs.sum())


def mean_error(values: Floats, blocks: Integers) -> float | None:
    """Standard error of the mean of `values` (n,), leaving out one block at a time (a jackknife).

    For equal blocks this is the textbook error of a ratio estimate (Cochran, Sampling Techniques,
    1977, section 6.4). If one block is larger than all others together, this error grows, where the
    textbook's would shrink. None with one block.
    """
    sizes = np.zeros(int(blocks.max()) + 1, dtype=np.int64)
    for start in range(0, values.size, ROWS_PER_PART):
        sizes += np.bincount(blocks[start : start + ROWS_PER_PART], minlength=sizes.size)
    if sizes.size < 2:
        return None
    mean, shifts = values.mean(), np.zeros(sizes.size)
    for start in range(0, values.size, ROWS_PER_PART):
        part = slice(start, start + ROWS_PER_PART)
        shifts += np.bincount(blocks[part], values[part] - mean, minlength=sizes.size)
    shifts /= values.size - sizes  # by how much the mean moves without each block
    return math.sqrt((sizes.size - 1) / sizes.size * float(shifts @ shifts))


def bootstrap_error(
    chosen: Metric, models: Sequence[Predictions], blocks: Integers, *, seed: int
) -> float | None:
    """Standard error by 2,000 resamples of whole blocks, the same ones for both models.

    Resamples in which the score is undefined are left out. None with one block, or where half of
    the resamples or more are left out. Source: Efron and Tibshirani, An Introduction to the
    Bootstrap, 1993, chapter 6. Their variance is too small by the factor (B-1)/B, which is given
    back here.
    """
    joined, count = join_neighbours(blocks, MOST_RESAMPLED_BLOCKS)
    if count < 2:
        return None
    random, equally_often = np.random.default_rng(seed), np.full(count, 1 / count)
    weights = random.multinomial(count, equally_often, size=RESAMPLES).astype(float)
    resampled = [_resampled_scores(chosen, model, joined, weights) for model in models]
    differences = resampled[-1] - resampled[0] if len(resampled) == 2 else resampled[0]
    known = differences[np.isfinite(differences)]
    if known.size <= RESAMPLES // 2:
        return None
    return float(known.std(ddof=1)) * math.sqrt(count / (count - 1))


def jackknife_error(
    chosen: Metric, models: Sequence[Predictions], blocks: Integers
) -> float | None:
    """Standard error by leaving out one group of blocks at a time.

    It is for metrics that only scikit-learn's scorer computes: forty scorings for each model
    instead of thousands. None with one group, or where the score is undefined without one of them.
    Source: Shao and Tu, The Jackknife and Bootstrap, 1995, section 2.3.
    """
    joined, count = join_neighbours(blocks, MOST_GROUPS)
    if count < 2:
        return None
    left_out = []
    for group in range(count):
        scores = [score(chosen, subset(model, joined != group)) for model in models]
        first, last = scores[0], scores[-1]
        if first is None or last is None:
            return None
        left_out.append(last - first if len(scores) == 2 else first)
    spread = np.asarray(left_out) - np.mean(left_out)
    return math.sqrt((count - 1) / count * float(spread @ spread))


def join_neighbours(blocks: Integers, most: int) -> tuple[Integers, int]:
    """Blocks (n,) joined with their neighbours to `most` at most, and how many there are then."""
    count = int(blocks.max()) + 1
    return (blocks, count) if count <= most else (blocks * most // count, most)


def pair_counts(truth: Integers, scores: Floats, blocks: Integers, block_count: int) -> Floats:
    """(B, B) Mann-Whitney counts: pairs of a positive of block i above a negative of block j.

    Ties count half. The ROC AUC of a resample is the weighted sum of these counts over its pairs of
    a positive and a negative. So blocks that lack a class count too.
    """
    positive = np.flatnonzero(truth == 1)
    positive = positive[np.argsort(scores[positive], kind="stable")]
    of_positive = scores[positive]
    counts = np.zeros((block_count, block_count))
    for block in range(block_count):
        negatives = np.sort(scores[(truth == 0) & (blocks == block)])
        below = negatives.searchsorted(of_positive, "left")
        not_above = negatives.searchsorted(of_positive, "right")
        wins = (below + not_above) / 2
        counts[:, block] = np.bincount(blocks[positive], weights=wins, minlength=block_count)
    return counts


def _row_differences(chosen: Metric, models: Sequence[Predictions]) -> Floats | None:
    """(n,) whose mean is the score, or the second score minus the first; None if no mean is."""
    values = row_values(chosen, models[-1])
    if values is None or len(models) == 1:
        return values
    before = row_values(chosen, models[0])
    if before is None:
        return None
    values -= before
    return values


def _row_mean_error(chosen: Metric, models: Sequence[Predictions], values: Floats) -> float | None:
    """The standard error of a mean of independent rows (n,).

    For a proportion it is that of Agresti and Coull, Approximate Is Better than "Exact", 1998: a
    hundred right answers of a hundred do not prove that none will be wrong.
    """
    if values.size < 2:
        return None
    if len(models) == 1 and chosen.is_proportion:
        share = (float(values.sum()) + 2) / (values.size + 4)
        return math.sqrt(share * (1 - share) / (values.size + 4))
    return _deviation(values) / math.sqrt(values.size)


def _deviation(values: Floats) -> float:
    """The standard deviation with n - 1; numpy's own would copy all values (n,) twice."""
    mean = float(values.mean())
    parts = np.array_split(values, max(1, values.size // ROWS_PER_PART))
    squares = math.fsum(float(((part - mean) ** 2).sum()) for part in parts)
    return math.sqrt(squares / (values.size - 1))


def _is_vectorised(chosen: Metric, class_count: int) -> bool:
    """Whether `_resampled_scores` can compute the metric."""
    is_auc_of_two = class_count == 2 and chosen.computed_from == "ranks"
    return chosen.computed_from == "counts" or is_auc_of_two


def _resampled_scores(
    chosen: Metric, model: Predictions, blocks: Integers, weights: Floats
) -> Floats:
    """(resamples,) scores; NaN where undefined.

    `weights` (resamples, B) are how often each block is in each resample.
    """
    count = weights.shape[1]
    if chosen.computed_from == "counts":
        counts = count_labels_by_block(
            model.truth, model.predicted, model.class_count, blocks, count
        )
        totals = weights @ counts.reshape(count, -1)
        return label_score(chosen.name, totals.reshape(-1, model.class_count, 3))
    assert model.probabilities is not None
    wins = pair_counts(model.truth, model.probabilities[:, 1], blocks, count)
    wins_in_resample = ((weights @ wins) * weights).sum(axis=1)
    negatives, positives = (
        np.bincount(blocks[model.truth == code], minlength=count) for code in (0, 1)
    )
    pairs = (weights @ negatives) * (weights @ positives)
    scores: Floats = np.full(pairs.size, np.nan)
    np.divide(wins_in_resample, pairs, out=scores, where=pairs > 0)
    return scores


def _larger(first: float | None, second: float | None) -> float | None:
    return None if first is None or second is None else max(first, second)
