"""Standard errors that take blocks, not rows, as the unit, because rows of a file are alike.

Every function takes one model's predictions (the error of its score) or two models' on the same
rows (the error of the second score less the first), and `blocks`, (n,) numbers in 0..B-1. They
return None where the error cannot be told.
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
ROWS_PER_PART = 250_000  # that are looked at at once: there may be many millions
MOST_RESAMPLED_BLOCKS = (
    200  # more are joined with their neighbours: the cost stays flat, the error stays honest
)
MOST_GROUPS = 40  # for metrics that are scored anew without each group


def standard_error(
    chosen: Metric, models: Sequence[Predictions], blocks: Integers, *, seed: int
) -> float | None:
    """The error over blocks, but never less than it would be if all rows were independent.

    Rows of a block are alike or independent, never less than that. A smaller error over blocks is
    the luck of having few of
    them: three blocks that each gained one row would otherwise prove anything.
    """
    differences = _row_differences(chosen, models)
    if differences is not None:
        return _larger(
            mean_error(differences, blocks), _row_mean_error(chosen, models, differences)
        )
    dealt = np.random.default_rng(seed).permutation(blocks.size)
    np.remainder(dealt, min(blocks.size, MOST_RESAMPLED_BLOCKS // 2), out=dealt)
    if _is_vectorised(chosen, models[0].class_count):
        return _larger(
            *(bootstrap_error(chosen, models, each, seed=seed) for each in (blocks, dealt))
        )
    return _larger(*(jackknife_error(chosen, models, each) for each in (blocks, dealt)))


def numbered(blocks: Integers) -> tuple[Integers, int]:
    """Blocks (n,) numbered anew as 0..B-1, in the order of their old numbers, and B.

    >>> numbered(np.array([7, 7, 3, 9]))
    (array([1, 1, 0, 2]), 3)
    """
    if not blocks.size or blocks.min() < 0 or blocks.max() > 2 * blocks.size + 100:
        distinct, inverse = np.unique(blocks, return_inverse=True)
        return inverse, distinct.size
    # blocks are numbers of some thousands, rows may be millions: they need not be sorted
    occurs = np.zeros(int(blocks.max()) + 1, dtype=bool)
    occurs[blocks] = True
    places = np.cumsum(occurs, dtype=blocks.dtype) - 1
    return places[blocks], int(occurs.sum())


def mean_error(values: Floats, blocks: Integers) -> float | None:
    """Error of a mean over rows, leaving out one block at a time.

    For equal blocks this is the textbook error of a ratio estimate (Cochran, Sampling Techniques,
    1977, section 6.4); one block larger than all others together widens it, where the textbook
    formula would shrink.
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
    shifts /= values.size - sizes
    return math.sqrt((sizes.size - 1) / sizes.size * float(shifts @ shifts))


def bootstrap_error(
    chosen: Metric, models: Sequence[Predictions], blocks: Integers, *, seed: int
) -> float | None:
    """Error by 2,000 resamples of whole blocks, the same ones for both models (Efron and
    Tibshirani, 1993, chapter 6).

    Resampling B blocks understates their spread by (B-1)/B, which is given back. Resamples in which
    the score is undefined are left out; None where they are more than half.
    """
    joined, count = join_neighbours(blocks, MOST_RESAMPLED_BLOCKS)
    if count < 2:
        return None
    weights = (
        np.random.default_rng(seed)
        .multinomial(count, np.full(count, 1 / count), size=RESAMPLES)
        .astype(float)
    )
    resampled = [_resampled_scores(chosen, model, joined, weights) for model in models]
    differences = resampled[-1] - resampled[0] if len(resampled) == 2 else resampled[0]
    known = differences[np.isfinite(differences)]
    if known.size <= RESAMPLES // 2:
        return None
    return float(known.std(ddof=1)) * math.sqrt(count / (count - 1))


def jackknife_error(
    chosen: Metric, models: Sequence[Predictions], blocks: Integers
) -> float | None:
    """Error by leaving out one group of blocks at a time, for metrics that only scikit-learn's
    scorer can tell.

    Some forty scorings instead of thousands (Shao and Tu, The Jackknife and Bootstrap, 1995,
    section 2.3).
    """
    joined, count = join_neighbours(blocks, MOST_GROUPS)
    if count < 2:
        return None
    left_out = []
    for group in range(count):
        scores = [score(chosen, subset(model, joined != group)) for model in models]
        if scores[0] is None or scores[-1] is None:
            return None
        left_out.append(scores[-1] - scores[0] if len(scores) == 2 else scores[0])
    spread = np.asarray(left_out) - np.mean(left_out)
    return math.sqrt((count - 1) / count * float(spread @ spread))


def join_neighbours(blocks: Integers, most: int) -> tuple[Integers, int]:
    """Blocks numbered anew so that there are `most` at most, and how many there are."""
    count = int(blocks.max()) + 1
    return (blocks, count) if count <= most else (blocks * most // count, most)


def pair_counts(truth: Integers, scores: Floats, blocks: Integers, block_count: int) -> Floats:
    """(B, B) Mann-Whitney counts: pairs of a positive of block i above a negative of block j, ties
    counting half.

    Their weighted sum over pairs of blocks is the AUC of any resample, so blocks that lack a class
    are pooled with the others.
    """
    positive = np.flatnonzero(truth == 1)
    positive = positive[np.argsort(scores[positive], kind="stable")]
    counts = np.zeros((block_count, block_count))
    for block in range(block_count):
        negatives = np.sort(scores[(truth == 0) & (blocks == block)])
        below = negatives.searchsorted(scores[positive], "left") + negatives.searchsorted(
            scores[positive], "right"
        )
        counts[:, block] = np.bincount(blocks[positive], weights=below / 2, minlength=block_count)
    return counts


def _row_differences(chosen: Metric, models: Sequence[Predictions]) -> Floats | None:
    values = row_values(chosen, models[-1])
    if values is None or len(models) == 1:
        return values
    before = row_values(chosen, models[0])
    if before is None:
        return None
    values -= before
    return values


def _row_mean_error(chosen: Metric, models: Sequence[Predictions], values: Floats) -> float | None:
    if values.size < 2:
        return None
    if len(models) == 1 and chosen.is_proportion:
        # Agresti and Coull (1998): a hundred right of a hundred do not prove that none will be
        # wrong
        share = (float(values.sum()) + 2) / (values.size + 4)
        return math.sqrt(share * (1 - share) / (values.size + 4))
    return _deviation(values) / math.sqrt(values.size)


def _deviation(values: Floats) -> float:
    """The standard deviation, with n - 1; numpy's own would hold the values twice more."""
    mean = float(values.mean())
    parts = np.array_split(values, max(1, values.size // ROWS_PER_PART))
    squares = math.fsum(float(((part - mean) ** 2).sum()) for part in parts)
    return math.sqrt(squares / (values.size - 1))


def _is_vectorised(chosen: Metric, class_count: int) -> bool:
    return chosen.computed_from == "counts" or (
        class_count == 2 and chosen.computed_from == "ranks"
    )


def _resampled_scores(
    chosen: Metric, model: Predictions, blocks: Integers, weights: Floats
) -> Floats:
    """(resamples,) scores under weights (resamples, B); NaN where undefined."""
    count = weights.shape[1]
    if chosen.computed_from == "counts":
        counts = count_labels_by_block(
            model.truth, model.predicted, model.class_count, blocks, count
        )
        totals = weights @ counts.reshape(count, -1)
        return label_score(chosen.name, totals.reshape(-1, model.class_count, 3))
    assert model.probabilities is not None
    wins = pair_counts(model.truth, model.probabilities[:, 1], blocks, count)
    rows = np.stack(
        [np.bincount(blocks[model.truth == code], minlength=count) for code in (0, 1)], axis=1
    )
    pairs = (weights @ rows).prod(axis=1)
    scores: Floats = np.full(pairs.size, np.nan)
    np.divide(((weights @ wins) * weights).sum(axis=1), pairs, out=scores, where=pairs > 0)
    return scores


def _larger(first: float | None, second: float | None) -> float | None:
    return None if first is None or second is None else max(first, second)
