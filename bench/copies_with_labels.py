"""The rule for rows seen before on public streams with their own labels: a part of `bench.copies`.

The bench's second recipe learns. The champion learned all rows before a cycle, the challenger also
the rows of the cycle that are not reserved. What the comparison says of them on the reserved rows,
less copies, should be what the next cycle says of them: the difference between the two is the bias.
It holds what time changes besides. One cycle tells little, so the mean has its interval.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.preprocessing import OrdinalEncoder

from bench.hgb_recipe import train_model
from retraining.datasets import cut_into_blocks, reserve
from retraining.statistics import Delivery, copied_rows

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from sklearn.pipeline import Pipeline

    Mask = NDArray[np.bool_]
    Places = NDArray[np.int64]

HOLDOUT = 0.2
FILES_PER_CYCLE = 15


@dataclass(frozen=True)
class Labelled:
    """A stream in its order.

    Attributes:
        features: as the recipe takes them (n, columns).
        words: equal where the values are (n, columns).
        labels: coded 0, 1, ... (n,).
    """

    features: pd.DataFrame
    words: NDArray[np.uint64]
    labels: Places


@dataclass(frozen=True)
class CycleFound:
    """One cycle: the comparison's difference less that on the next cycle, and the share left out.

    The bias is None where every test row is a copy.
    """

    bias: float | None
    left_out: float
    test_rows: int


def read(path: Path) -> Labelled:
    """A stream whose label is the column `target`."""
    table = pd.read_csv(path)
    labels = pd.factorize(table.pop("target"))[0].astype(np.int64)
    words = OrdinalEncoder().fit_transform(table.astype(str)).astype(np.uint64)
    return Labelled(table, words, labels)


def judge_cycles(
    stream: Labelled, initial: int, per_cycle: int, *, every: int = 1
) -> list[CycleFound]:
    """One of so many cycles, of those that have a next one."""
    last = len(stream.labels) - 2 * per_cycle
    starts = range(initial, last + 1, every * per_cycle)
    return [_judge_cycle(stream, start, per_cycle) for start in starts]


def _judge_cycle(stream: Labelled, start: int, per_cycle: int) -> CycleFound:
    reserved = _reserved(start, per_cycle)
    learned = np.concatenate([np.ones(start, bool), ~reserved])
    rows = int(reserved.sum())
    tested = np.flatnonzero(_less_copies(stream.words[: start + per_cycle], learned, per_cycle))
    left_out = 1 - len(tested) / rows
    if not len(tested):
        return CycleFound(None, left_out, 0)
    champion = _fitted(stream, np.arange(start))
    challenger = _fitted(stream, np.flatnonzero(learned))
    after = np.arange(start + per_cycle, start + 2 * per_cycle)
    on_test, on_next = (
        _accuracy(stream, challenger, rows) - _accuracy(stream, champion, rows)
        for rows in (tested, after)
    )
    return CycleFound(on_test - on_next, left_out, len(tested))


def _reserved(start: int, per_cycle: int) -> Mask:
    """The rows of a cycle that the job would keep from learning: whole files of it."""
    edges = np.linspace(0, per_cycle, FILES_PER_CYCLE + 1).astype(int)
    shas = [
        hashlib.sha256(f"{start}:{number}".encode()).hexdigest()
        for number in range(FILES_PER_CYCLE)
    ]
    sizes = np.diff(edges).tolist()
    first = dict(zip(shas, edges[:-1].tolist(), strict=True))
    mask = np.zeros(per_cycle, bool)
    for block in reserve(cut_into_blocks(list(zip(shas, sizes, strict=True))), HOLDOUT):
        begin = first[block.sha256]
        mask[begin + block.start : begin + block.stop] = True
    return mask


def _less_copies(words: NDArray[np.uint64], learned: Mask, per_cycle: int) -> Mask:
    """Mark the rows that test, less copies of learned ones.

    Earlier cycles are files of their own.
    """
    files = np.array_split(np.arange(len(words)), max(1, FILES_PER_CYCLE * len(words) // per_cycle))
    values = _one_word_a_row(words)
    deliveries = [Delivery(values[file], ~learned[file], learned[file]) for file in files]
    copies = np.concatenate(copied_rows(deliveries, lambda chosen: list(words[chosen].T)))
    return ~learned & ~copies


def _one_word_a_row(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Numbers (n,) that are equal where all columns are."""
    return np.unique(words, axis=0, return_inverse=True)[1].ravel().astype(np.uint64)


def _fitted(stream: Labelled, rows: Places) -> Pipeline:
    return train_model(stream.features.iloc[rows], pd.Series(stream.labels[rows]))


def _accuracy(stream: Labelled, model: Pipeline, rows: Places) -> float:
    answers = model.predict(stream.features.iloc[rows])
    return float((answers == stream.labels[rows]).mean())


def mean_with_interval(values: Sequence[float]) -> tuple[float, float, float]:
    """The mean and its 95 % interval by Student's t over cycles."""
    mean = float(np.mean(values))
    half = float(stats.t.ppf(0.975, len(values) - 1) * stats.sem(values))
    return mean, mean - half, mean + half


HEAD = """| own labels | comparison | test rows | left out | most in a cycle |
|---|---:|---:|---:|---:|"""


def line(name: str, found: Sequence[CycleFound]) -> str:
    """A line of the table: the bias in points with its interval, and what was left out."""
    biases = [one.bias for one in found if one.bias is not None]
    mean, low, high = (100 * value for value in mean_with_interval(biases))
    left_out = [one.left_out for one in found]
    rows = sum(one.test_rows for one in found)
    shares = f"{np.mean(left_out):.1%} | {max(left_out):.1%}"
    return f"| {name} | {mean:+.2f} [{low:+.2f}, {high:+.2f}] | {rows:,} | {shares} |"
