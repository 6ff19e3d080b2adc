"""Metrics of predicted labels, computed from counts of each class.

So thousands of resamples cost one matrix product. Counts are arrays (..., k, 3) that hold for each
class its true positives, the rows predicted as it, and its rows. Zero over zero is 0, as in
scikit-learn, if the model never predicts the class. It is NaN if there is no row to judge by, such
as a recall of the positive class without any row of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.integer[Any]]

ROWS_PER_PART = 250_000  # that are counted at once


def count_labels(truth: Integers, predicted: Integers, class_count: int) -> Floats:
    """(k, 3) counts over all rows; `truth` and `predicted` are codes (n,) in 0..k-1."""
    one_block = np.zeros(truth.size, dtype=np.uint8)
    counts: Floats = count_labels_by_block(truth, predicted, class_count, one_block, 1)[0]
    return counts


def count_labels_by_block(
    truth: Integers, predicted: Integers, class_count: int, blocks: Integers, block_count: int
) -> Floats:
    """(blocks, k, 3) counts; `blocks` (n,) are numbers in 0..block_count-1."""
    cells = block_count * class_count
    counts = np.zeros((cells, 3), dtype=np.int64)
    for start in range(0, truth.size, ROWS_PER_PART):
        part = slice(start, start + ROWS_PER_PART)
        first_cells = blocks[part].astype(np.intp) * class_count
        right = truth[part] == predicted[part]
        of_truth = first_cells + truth[part]
        counts[:, 0] += np.bincount(of_truth[right], minlength=cells)
        counts[:, 1] += np.bincount(first_cells + predicted[part], minlength=cells)
        counts[:, 2] += np.bincount(of_truth, minlength=cells)
    return counts.reshape(block_count, class_count, 3).astype(float)


def label_score(name: str, counts: Floats) -> Floats:
    """Scores (...) of counts (..., k, 3), NaN where undefined.

    A name that has no branch of its own is a family and its average, such as `f1_macro`; without an
    average it is the score of the class with code 1. Source of the formulas: scikit-learn's user
    guide, "Metrics and scoring".

    Raises:
        ValueError: no formula has this name.
    """
    if name == "matthews_corrcoef":
        return _matthews(counts)
    hits, predicted, support = _columns(counts)
    if name == "balanced_accuracy":
        return _mean_over(support > 0, _ratio(hits, support))
    family, _, average = name.partition("_")
    above, below = _fraction(family, hits, predicted, support)
    present = predicted + support > 0
    if average == "":
        known = support > 0 if family == "recall" else present
        return np.where(known[..., 1], _ratio(above, below)[..., 1], np.nan)
    if average == "macro":
        return _mean_over(present, _ratio(above, below))
    if average == "micro":
        return _ratio(above.sum(axis=-1), below.sum(axis=-1), empty=np.nan)
    if average == "weighted":
        weighted = support * _ratio(above, below)
        return _ratio(weighted.sum(axis=-1), support.sum(axis=-1), empty=np.nan)
    raise ValueError(f"no average is named {average!r}")


def _columns(counts: Floats) -> tuple[Floats, Floats, Floats]:
    """(..., k) true positives, rows predicted, and rows of each class."""
    hits, predicted, support = np.moveaxis(counts, -1, 0)
    return hits, predicted, support


def _fraction(
    family: str, hits: Floats, predicted: Floats, support: Floats
) -> tuple[Floats, Floats]:
    """Numerator and denominator (..., k) of a metric of one class."""
    if family == "precision":
        return hits, predicted
    if family == "recall":
        return hits, support
    if family == "f1":
        return 2 * hits, predicted + support
    if family == "jaccard":
        return hits, predicted + support - hits
    raise ValueError(f"no formula is named {family!r}")


def _ratio(above: Floats, below: Floats, empty: float = 0.0) -> Floats:
    """`above` over `below`; `empty` where `below` is 0."""
    filled: Floats = np.full(np.broadcast_shapes(np.shape(above), np.shape(below)), empty)
    np.divide(above, below, out=filled, where=below > 0)
    return filled


def _mean_over(chosen: NDArray[np.bool_], values: Floats) -> Floats:
    """(...) the mean of the chosen values (..., k); NaN where none is chosen."""
    total = np.where(chosen, values, 0.0).sum(axis=-1)
    return _ratio(total, chosen.sum(axis=-1), empty=np.nan)


def _matthews(counts: Floats) -> Floats:
    """Gorodkin's coefficient for k classes (2004), which is Matthews's (1975) for two.

    0 where all rows are of one class, or are predicted as one, as in scikit-learn.
    """
    hits, predicted, support = _columns(counts)
    rows = support.sum(axis=-1)
    together = hits.sum(axis=-1) * rows - (predicted * support).sum(axis=-1)
    spread_of_answers = rows**2 - (predicted**2).sum(axis=-1)
    spread_of_truth = rows**2 - (support**2).sum(axis=-1)
    coefficient = _ratio(together, np.sqrt(spread_of_answers * spread_of_truth))
    return np.where(rows > 0, coefficient, np.nan)
