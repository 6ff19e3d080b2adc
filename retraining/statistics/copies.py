"""Which rows were seen before: copies of learned rows, told from rows that are equal by chance.

A copy of a learned row flatters every model that learned it, so copies are left out of every score.
But where rows have few distinct values, independent observations are equal too, and a score without
them would be a score of the rare ones. Labels are never looked at. Four things are asked, in order.

1. *Whole stretches.* A window of rows that stands in the same order among the learned rows is a
   copy, whatever its values, where the order is too surprising for chance (`_in_stretches`).
2. *Pairs.* Let two rows be drawn from one delivery, or from two deliveries. If rows are independent
   both pairs are equal equally often (Good, 1953, counts such repeats to tell what is still
   unseen). A file delivered again makes pairs between deliveries more frequent; a join that doubles
   rows does so within one. The smaller of the two rates is what chance explains. Values are judged
   in groups of like frequency, for a common value says nothing about a rare one: given that a value
   occurs t times, independent rows put these t anywhere, so the group needs no model of its
   distribution.
3. *Columns.* Designs such as "each machine reports once a file" never repeat a row within a
   delivery. There the rate is taken as if columns were independent: the product of the columns' own
   rates over distinct rows. The larger answer of 2 and 3 counts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Words = NDArray[np.uint64]
    Codes = NDArray[np.int64]
    Floats = NDArray[np.float64]
    Mask = NDArray[np.bool_]

FEW = 0.01  # of the rows asked about: so few are left out without asking whether by chance
EXPLAINED = 0.7  # of a group's equal pairs: from here on chance explains all of them
UNEXPLAINED = 0.5  # below it, all equal rows of the group are copies
HALF_A_PAIR = 1.0  # seen within deliveries beside those that were, in both orders (Jeffreys' prior)
GROUPS = 32  # of values that occur less than 4, 16, 64, ... times
NEAR = 16  # rows between two copies that vouch for a row between them
STRETCHES = (16, 64)  # rows of a window: the short for varied rows, the long for few values
SURPRISE = math.log(1000)  # beyond the number of places at which a window could match


@dataclass(frozen=True)
class Delivery:
    """The rows of one file, in its order.

    Attributes:
        values: a word a row (n,), equal where all feature values are.
        asked: marks the rows that a score is asked on (n,).
        learned: marks the rows that a model learned (n,).
    """

    values: Words
    asked: Mask
    learned: Mask


@dataclass(frozen=True)
class _Universe:
    """The asked and the learned rows of all deliveries, one after the other.

    Values are coded 0, 1, ...
    """

    codes: Codes
    delivery: Codes
    asked: Mask
    learned: Mask
    distinct: int

    def without(self, rows: Mask) -> _Universe:
        """The same, less some asked rows."""
        remaining = ~rows
        return _Universe(
            self.codes[remaining],
            self.delivery[remaining],
            self.asked[remaining],
            self.learned[remaining],
            self.distinct,
        )


def copied_rows(
    deliveries: Sequence[Delivery], columns: Callable[[Mask], Sequence[Words]] | None = None
) -> list[Mask]:
    """Mark the asked rows that are copies of learned ones, a mask (n,) a delivery.

    Args:
        columns: called only where chance is in question, with a mask over all rows of all
            deliveries that marks one asked row of each distinct value; gives the feature columns of
            these rows as words, in their order.

    >>> import numpy as np
    >>> old, new = np.arange(100, dtype=np.uint64), np.arange(90, 190, dtype=np.uint64)
    >>> yes, no = np.ones(100, bool), np.zeros(100, bool)
    >>> masks = copied_rows([Delivery(old, no, yes), Delivery(new, yes, no)])
    >>> [int(mask.sum()) for mask in masks]
    [0, 10]
    """
    sizes = [len(delivery.values) for delivery in deliveries]
    edges = np.cumsum(sizes)[:-1]
    if not deliveries:
        return []
    universe, used = _universe(deliveries)
    copies = np.zeros(int(sum(sizes)), dtype=bool)
    copies[np.flatnonzero(used)] = _copies(universe, used, columns)
    return np.split(copies, edges)


def are_few(equal: int, asked: int) -> bool:
    """Whether so few rows equal a learned one that all are left out, without asking about
    chance.
    """
    return equal <= FEW * asked


def _universe(deliveries: Sequence[Delivery]) -> tuple[_Universe, Mask]:
    """The rows that are asked or learned, and where they stand among all rows."""
    none = np.empty(0, dtype=bool)
    asked = np.concatenate([none, *(one.asked for one in deliveries)])
    learned = np.concatenate([none, *(one.learned for one in deliveries)]) & ~asked
    values = np.concatenate([np.empty(0, np.uint64), *(one.values for one in deliveries)])
    sizes = [len(one.values) for one in deliveries]
    number = np.repeat(np.arange(len(deliveries)), sizes)
    used = asked | learned
    distinct, codes = np.unique(values[used], return_inverse=True)
    universe = _Universe(codes, number[used], asked[used], learned[used], len(distinct))
    return universe, used


def _copies(
    universe: _Universe, used: Mask, columns: Callable[[Mask], Sequence[Words]] | None
) -> Mask:
    matched = _matched(universe)
    if are_few(int(matched.sum()), int(universe.asked.sum())):
        return matched
    copies = _in_stretches(universe) & matched
    rest = universe.without(copies)
    copies[~copies] = _beyond_chance(rest, used, copies, columns)
    return copies | (_in_line(universe, copies) & matched)


def _matched(universe: _Universe) -> Mask:
    """Mark the asked rows whose value some learned row has."""
    learned = np.bincount(universe.codes[universe.learned], minlength=universe.distinct)
    matched: Mask = universe.asked & (learned[universe.codes] > 0)
    return matched


# --- whole stretches in the same order ------------------------------------------------------------


def _in_stretches(universe: _Universe) -> Mask:
    """Mark the asked rows that lie in a window which also stands, in order, among the learned rows.

    How surprising a window is: the sum of -log(share) of its transitions, the share of each being
    how often its first value is followed by its second. Hours of a day follow each other always and
    add nothing. A window counts where that exceeds the logarithm of the places at which it could
    match, and of 1,000 more.
    """
    copied = np.zeros(len(universe.codes), dtype=bool)
    places = math.log(max(1, universe.asked.sum())) + math.log(max(1, universe.learned.sum()))
    surprise = np.concatenate([[0.0], np.cumsum(_surprise_of_transitions(universe))])
    words = universe.codes.astype(np.uint64)
    size = 1
    for window in STRETCHES:
        while size < window:
            words = _pairs_of_windows(words, size)
            size *= 2
        starts = np.arange(max(0, len(universe.codes) - window + 1))
        last = starts + window - 1
        whole = universe.delivery[starts] == universe.delivery[last]
        asked = whole & _all_in(universe.asked, window)
        learned = whole & _all_in(universe.learned, window)
        asked &= surprise[last + 1] - surprise[starts + 1] > places + SURPRISE
        same = asked & np.isin(words[: len(starts)], words[: len(starts)][learned])
        edges = np.zeros(len(universe.codes) + 1, dtype=np.int64)
        np.add.at(edges, starts[same], 1)
        np.add.at(edges, starts[same] + window, -1)
        copied |= np.cumsum(edges)[:-1] > 0
    return copied


def _surprise_of_transitions(universe: _Universe) -> Floats:
    """-log of how often the value before is followed by this one (n,).

    0 for a delivery's first row.
    """
    before, after = universe.codes[:-1], universe.codes[1:]
    inside = universe.delivery[:-1] == universe.delivery[1:]
    key = before[inside] * universe.distinct + after[inside]
    _, place, count = np.unique(key, return_inverse=True, return_counts=True)
    followed = np.bincount(before[inside], minlength=universe.distinct)
    surprise = np.zeros(len(universe.codes))
    surprise[1:][inside] = -np.log(count[place] / followed[before[inside]])
    return surprise


def _pairs_of_windows(words: Words, size: int) -> Words:
    """Words of windows twice as long: each joined with the window that follows it."""
    joined = np.zeros_like(words)
    first, second = words[:-size], words[size:]
    joined[:-size] = (first * np.uint64(0x9E3779B97F4A7C15)) ^ (
        (second + np.uint64(size)) * np.uint64(0xBF58476D1CE4E5B9)
    )
    joined ^= joined >> np.uint64(29)
    return joined


def _all_in(mask: Mask, window: int) -> Mask:
    """Whether all rows of each window are marked (n - window + 1,)."""
    total = np.concatenate([[0], np.cumsum(mask)])
    return np.asarray(total[window:] - total[:-window] == window)


def _in_line(universe: _Universe, copies: Mask) -> Mask:
    """Mark the asked rows between two copies that equal the learned row between their originals.

    The original of a copy is the last learned row of its value. Both neighbours must point to the
    same row: in a delivery of another order they do not.
    """
    rows = len(universe.codes)
    here = np.arange(rows)
    original = np.full(universe.distinct, -1)
    original[universe.codes[universe.learned]] = here[universe.learned]  # the last one stays
    before = np.maximum.accumulate(np.where(copies, here, -1))
    after = np.minimum.accumulate(np.where(copies, here, rows)[::-1])[::-1]
    between = universe.asked & (before >= 0) & (after < rows)
    at, before, after = here[between], before[between], after[between]
    twin = original[universe.codes[before]] + at - before
    aligned = twin == original[universe.codes[after]] + at - after
    aligned &= (after - before < NEAR) & (universe.delivery[before] == universe.delivery[after])
    at, twin = at[aligned], twin[aligned]
    found = np.zeros(rows, dtype=bool)
    found[at] = universe.learned[twin] & (universe.codes[at] == universe.codes[twin])
    return found


# --- equal rows in excess of chance ---------------------------------------------------------------


def _beyond_chance(
    universe: _Universe,
    used: Mask,
    gone: Mask,
    columns: Callable[[Mask], Sequence[Words]] | None,
) -> Mask:
    """Mark the asked rows of each group of values whose equal pairs chance does not explain."""
    times = np.bincount(universe.codes, minlength=universe.distinct)
    groups = (np.log2(np.maximum(times, 1)) / 2).astype(np.int64)
    pairs = _sum_by(groups, _pairs_asked_and_learned(universe))
    explained = _pairs_by_chance(universe, groups)
    share = np.divide(explained, pairs, out=np.ones_like(pairs), where=pairs > 0)
    if columns is not None and (share[pairs > 0] < EXPLAINED).any():
        by_columns = _sum_by(groups, _pairs_by_columns(universe, used, gone, columns))
        share = np.maximum(share, by_columns / np.maximum(pairs, 1))
    return _excess(universe, groups, share)


def _sum_by(groups: Codes, amounts: Floats) -> Floats:
    """The sum of each group's amounts (GROUPS,)."""
    return np.bincount(groups, amounts, minlength=GROUPS).astype(np.float64)


def _pairs_asked_and_learned(universe: _Universe) -> Floats:
    """By value: how many pairs of an asked and a learned row are equal."""
    asked = np.bincount(universe.codes[universe.asked], minlength=universe.distinct)
    learned = np.bincount(universe.codes[universe.learned], minlength=universe.distinct)
    return asked.astype(np.float64) * learned


def _pairs_by_chance(universe: _Universe, groups: Codes) -> Floats:
    """By group: how many such pairs chance explains."""
    count, rows = universe.distinct, float(len(universe.codes))
    sizes = np.bincount(universe.delivery).astype(np.float64)
    times = np.bincount(universe.codes, minlength=count).astype(np.float64)
    in_delivery = _squares_by_value(universe.delivery * count + universe.codes, count)
    within, pairs_within = in_delivery - times, float((sizes**2).sum()) - rows
    between, pairs_between = times**2 - in_delivery, rows**2 - float((sizes**2).sum())
    rates = []
    if pairs_within > 0:
        rates.append((_sum_by(groups, within) + HALF_A_PAIR) / pairs_within)
    if pairs_between > 0:
        rates.append(_sum_by(groups, between) / pairs_between)
    if not rates:
        return np.zeros(GROUPS)
    pairs = float(universe.asked.sum()) * float(universe.learned.sum())
    return np.asarray(np.min(rates, axis=0) * pairs)


def _squares_by_value(key: Codes, count: int) -> Floats:
    """By value: the sum over deliveries of its squared count; `key` is delivery * count + value."""
    one, times = np.unique(key, return_counts=True)
    squares = times.astype(np.float64) ** 2
    return np.bincount(one % count, squares, minlength=count).astype(np.float64)


def _pairs_by_columns(
    universe: _Universe,
    used: Mask,
    gone: Mask,
    columns: Callable[[Mask], Sequence[Words]],
) -> Floats:
    """By value: the pairs to expect if columns were independent, from the distinct asked rows."""
    places = np.flatnonzero(used)[~gone]
    asked = np.flatnonzero(universe.asked)
    codes, first = np.unique(universe.codes[asked], return_index=True)
    chosen = np.zeros(len(used), dtype=bool)
    chosen[places[asked[first]]] = True
    codes = universe.codes[asked[np.sort(first)]]  # in the order in which columns come
    probability = np.ones(len(codes))
    for column in columns(chosen):
        _, place, times = np.unique(column, return_inverse=True, return_counts=True)
        probability *= (times[place] - 1) / max(1, len(codes) - 1)
    rows = np.bincount(universe.codes[asked], minlength=universe.distinct)
    expected = np.zeros(universe.distinct)
    expected[codes] = probability * rows[codes] * float(universe.learned.sum())
    return expected


def _excess(universe: _Universe, groups: Codes, explained: Floats) -> Mask:
    """Mark what each group has in excess: all, none, or of each value the excess by row order."""
    share = np.where(explained >= EXPLAINED, 1.0, explained)
    share = np.where(explained < UNEXPLAINED, 0.0, share)
    rows = np.flatnonzero(_matched(universe))
    rows = rows[np.argsort(universe.codes[rows], kind="stable")]
    leaves = np.cumsum(1 - share[groups[universe.codes[rows]]])
    marked = np.floor(leaves + 1e-9) > np.floor(np.concatenate([[0.0], leaves[:-1]]) + 1e-9)
    copies = np.zeros(len(universe.codes), dtype=bool)
    copies[rows[marked]] = True
    return copies
