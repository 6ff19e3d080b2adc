"""Which rows were seen before: copies of learned rows, told from rows that are equal by chance.

A copy of a learned row makes every model that learned it look better than it is, so copies are left
out of every score. But where rows have few distinct values, independent observations are equal too,
and a score without them would be a score of the rare ones. Labels are never looked at. Where a
hundredth of the asked rows or fewer equal a learned row, all of these are left out. Else four rules
follow, in this order.

1. *Whole stretches.* A window of rows that stands in the same order among the learned rows is a
   copy, whatever its values, if the order is too surprising for chance (`_in_stretches`).
2. *Pairs.* Draw two rows from one delivery, or one row from each of two deliveries. If rows are
   independent, both pairs are equal equally often (such repeats are counted in Good, The Population
   Frequencies of Species, 1953). A file that is delivered again makes more equal pairs between
   deliveries, and a join that doubles rows makes more of them within one. So chance explains no
   more than the smaller of the two rates. Values are judged in groups of like frequency, because a
   common value says nothing about a rare one. A group needs no model of its distribution: if a
   value occurs t times, independent rows put these t anywhere.
3. *Columns.* Data such as "each machine reports once in each file" never repeats a row within a
   delivery, so rule 2 would explain nothing. There chance is taken as if columns were independent:
   the rate is the product of the columns' own rates over distinct rows. The larger share of 2 and 3
   counts.
4. *In line.* A row between two copies is one too, if it equals the learned row that stands between
   their originals (`_in_line`).
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

FEW = 0.01  # share of the asked rows: so few are left out, even if they are equal by chance
EXPLAINED = 0.7  # share of a group's equal pairs: if chance explains so many, none is a copy
UNEXPLAINED = 0.5  # if chance explains fewer, all equal rows of the group are copies
# added to the equal pairs seen within deliveries (Jeffreys' prior); each pair counts in both orders
HALF_A_PAIR = 1.0
GROUPS = 32  # of values that occur fewer than 4, 16, 64, ... times
NEAR = 16  # rows; two copies vouch for a row between them only if they are nearer to each other
STRETCHES = (16, 64)  # rows of a window: the short one for varied rows, the long one for few values
SURPRISE = math.log(1000)  # beyond the logarithm of the places where a window could match


@dataclass(frozen=True)
class Delivery:
    """The rows of one file, in its order.

    Attributes:
        values: (n,) one word for each row; words are equal where all feature values are.
        asked: (n,) marks the rows that are to be scored.
        learned: (n,) marks the rows that a model learned.
    """

    values: Words
    asked: Mask
    learned: Mask


@dataclass(frozen=True)
class _Universe:
    """The asked and the learned rows (n,) of all deliveries, one after the other.

    Attributes:
        codes: (n,) the values of the rows, numbered 0, 1, ...
        delivery: (n,) the number of each row's delivery.
        asked: (n,) marks the rows that are to be scored.
        learned: (n,) marks all others.
        distinct: how many values there are.
    """

    codes: Codes
    delivery: Codes
    asked: Mask
    learned: Mask
    distinct: int

    def without(self, rows: Mask) -> _Universe:
        """The same without some asked rows (n,), so that values keep their codes."""
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
    """Mark the asked rows that are copies of learned ones: a mask (n,) for each delivery.

    A row that is both asked and learned counts as asked.

    Args:
        deliveries: of all files that hold asked or learned rows.
        columns: called only if rule 3 is needed, with a mask over all rows of all deliveries that
            marks one asked row of each distinct value. It returns each feature column of these rows
            as words (m,), in the order of the rows.

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
    """Whether so few of the asked rows equal a learned one that all of these are left out."""
    return equal <= FEW * asked


def _universe(deliveries: Sequence[Delivery]) -> tuple[_Universe, Mask]:
    """The rows that are asked or learned, and a mask of them over all rows of all deliveries."""
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

    The surprise of a window is the sum of -log(share) over its transitions. The share of a
    transition is how often its first value is followed by its second. Hours of a day always follow
    each other, so they add nothing. A window counts if its surprise is more than the logarithm of
    1,000 times the pairs of places at which it could match.
    """
    copied = np.zeros(len(universe.codes), dtype=bool)
    asked_rows, learned_rows = universe.asked.sum(), universe.learned.sum()
    places = math.log(max(1, asked_rows)) + math.log(max(1, learned_rows))
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
        windows = words[: len(starts)]
        same = asked & np.isin(windows, windows[learned])
        edges = np.zeros(len(universe.codes) + 1, dtype=np.int64)
        np.add.at(edges, starts[same], 1)
        np.add.at(edges, starts[same] + window, -1)
        copied |= np.cumsum(edges)[:-1] > 0
    return copied


def _surprise_of_transitions(universe: _Universe) -> Floats:
    """(n,) -log of how often the value before is followed by this one; 0 for a delivery's first
    row.
    """
    before, after = universe.codes[:-1], universe.codes[1:]
    inside = universe.delivery[:-1] == universe.delivery[1:]
    key = before[inside] * universe.distinct + after[inside]
    _, place, count = np.unique(key, return_inverse=True, return_counts=True)
    followed = np.bincount(before[inside], minlength=universe.distinct)
    share = count[place] / followed[before[inside]]
    surprise = np.zeros(len(universe.codes))
    surprise[1:][inside] = -np.log(share)
    return surprise


def _pairs_of_windows(words: Words, size: int) -> Words:
    """(n,) words of windows twice as long: each joined with the window that follows it.

    The two factors are those of SplitMix64 (Steele, Lea and Flood, Fast Splittable Pseudorandom
    Number Generators, 2014); `size` makes a window of one length differ from one of another.
    """
    joined = np.zeros_like(words)
    first = words[:-size] * np.uint64(0x9E3779B97F4A7C15)
    second = (words[size:] + np.uint64(size)) * np.uint64(0xBF58476D1CE4E5B9)
    joined[:-size] = first ^ second
    joined ^= joined >> np.uint64(29)
    return joined


def _all_in(mask: Mask, window: int) -> Mask:
    """(n - window + 1,) whether all rows of each window are marked."""
    total = np.concatenate([[0], np.cumsum(mask)])
    return np.asarray(total[window:] - total[:-window] == window)


def _in_line(universe: _Universe, copies: Mask) -> Mask:
    """Mark the asked rows between two copies that equal the learned row between their originals.

    The original of a copy is the last learned row of its value. The nearest copy before a row and
    the nearest one after it must point to the same learned row, which they do not in a delivery
    that has another order.
    """
    rows = len(universe.codes)
    here = np.arange(rows)
    original = np.full(universe.distinct, -1)
    original[universe.codes[universe.learned]] = here[universe.learned]  # the last one stays
    before = np.maximum.accumulate(np.where(copies, here, -1))
    from_the_end = np.where(copies, here, rows)[::-1]
    after = np.minimum.accumulate(from_the_end)[::-1]
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
    """By value (distinct,): how many pairs of an asked and a learned row are equal."""
    asked = np.bincount(universe.codes[universe.asked], minlength=universe.distinct)
    learned = np.bincount(universe.codes[universe.learned], minlength=universe.distinct)
    return asked.astype(np.float64) * learned


def _pairs_by_chance(universe: _Universe, groups: Codes) -> Floats:
    """By group (GROUPS,): how many such pairs chance explains (rule 2)."""
    count, rows = universe.distinct, float(len(universe.codes))
    sizes = np.bincount(universe.delivery).astype(np.float64)
    times = np.bincount(universe.codes, minlength=count).astype(np.float64)
    in_delivery = _squares_by_value(universe.delivery * count + universe.codes, count)
    all_in_delivery = float((sizes**2).sum())
    within, pairs_within = in_delivery - times, all_in_delivery - rows
    between, pairs_between = times**2 - in_delivery, rows**2 - all_in_delivery
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
    """By value (count,): the sum over deliveries of its squared number of rows.

    `key` (n,) is delivery * count + value.
    """
    in_delivery, times = np.unique(key, return_counts=True)
    squares = times.astype(np.float64) ** 2
    return np.bincount(in_delivery % count, squares, minlength=count).astype(np.float64)


def _pairs_by_columns(
    universe: _Universe,
    used: Mask,
    gone: Mask,
    columns: Callable[[Mask], Sequence[Words]],
) -> Floats:
    """By value (distinct,): the pairs to expect if columns were independent (rule 3)."""
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
    """Mark the asked rows in excess of the share of each group (GROUPS,) that chance explains.

    That is all of them, none, or, in between, the share that is left, spread evenly over the values
    and in each value over its rows.
    """
    share = np.where(explained >= EXPLAINED, 1.0, explained)
    share = np.where(explained < UNEXPLAINED, 0.0, share)
    rows = np.flatnonzero(_matched(universe))
    rows = rows[np.argsort(universe.codes[rows], kind="stable")]
    excess_so_far = np.cumsum(1 - share[groups[universe.codes[rows]]])
    whole_rows = np.floor(excess_so_far + 1e-9)  # sums of shares fall a little short of whole
    marked = np.diff(whole_rows, prepend=0.0) > 0
    copies = np.zeros(len(universe.codes), dtype=bool)
    copies[rows[marked]] = True
    return copies
