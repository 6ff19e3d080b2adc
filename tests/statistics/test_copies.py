"""Copies of learned rows are told from rows that are equal by chance, and labels are never
asked.
"""

from __future__ import annotations

import doctest
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from bench.copies import KINDS, Source, judge_trial
from bench.copies_with_labels import Labelled, judge_cycles
from retraining.statistics import Delivery, copied_rows, copies

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Words = NDArray[np.uint64]

RANDOM = np.random.default_rng(14)


def learned(values: Words) -> Delivery:
    return Delivery(values, np.zeros(len(values), bool), np.ones(len(values), bool))


def asked(values: Words) -> Delivery:
    return Delivery(values, np.ones(len(values), bool), np.zeros(len(values), bool))


def unique(count: int) -> Words:
    return RANDOM.integers(0, 2**63, count).astype(np.uint64)


def drawn(values: int, count: int) -> Words:
    return RANDOM.integers(0, values, count).astype(np.uint64)


def files_of(values: int, files: int = 10, rows: int = 100) -> list[Delivery]:
    return [learned(drawn(values, rows)) for _ in range(files)]


def left_out(deliveries: Sequence[Delivery]) -> list[bool]:
    """Of the last delivery."""
    return [bool(mark) for mark in copied_rows(deliveries)[-1]]


def test_the_example_in_the_docstring_is_true() -> None:
    assert doctest.testmod(copies).failed == 0


def test_a_row_that_was_learned_is_left_out_wherever_it_stands() -> None:
    old = unique(100)
    new = np.concatenate([unique(40), old[[70, 3]], unique(40), old[[12]]])
    expected = [False] * 40 + [True] * 2 + [False] * 40 + [True]
    assert left_out([learned(old), asked(new)]) == expected


@pytest.mark.parametrize("values", [1, 2, 8, 60])
def test_equal_rows_that_chance_explains_stay(values: int) -> None:
    deliveries = [*files_of(values), *(asked(drawn(values, 60)) for _ in range(15))]
    masks = copied_rows(deliveries, lambda chosen: [np.unique(drawn(values, 900))][: chosen.sum()])
    assert sum(int(mask.sum()) for mask in masks) <= 0.05 * 900


@pytest.mark.parametrize("values", [4, 8, 50, 2**60])
def test_a_whole_stretch_in_the_same_order_is_a_copy_whatever_its_values(values: int) -> None:
    old = drawn(values, 1000)
    new = np.concatenate([old[200:800], drawn(values, 100)])
    deliveries = [*(learned(part) for part in np.split(old, 10)), asked(new)]
    found = np.array(left_out(deliveries))
    assert found[:600].mean() > 0.95
    assert found[600:].mean() < 0.2


def test_hours_that_follow_each_other_always_are_no_copied_stretch() -> None:
    hours = np.arange(4000, dtype=np.uint64) % 168  # each file ends before the week does
    parts = np.split(hours, 80)
    deliveries = [*(learned(part) for part in parts[:60]), *(asked(part) for part in parts[60:])]

    def columns(chosen: NDArray[np.bool_]) -> list[Words]:
        return [hours[chosen] % 24, hours[chosen] // 24]

    assert sum(int(mask.sum()) for mask in copied_rows(deliveries, columns)) == 0


def test_rows_that_a_join_doubled_within_a_file_are_copies() -> None:
    rows = np.repeat(unique(200), 2)
    RANDOM.shuffle(rows)
    part = np.arange(400) < 80
    file = Delivery(rows, part, ~part)
    expected = [value in set(rows[80:].tolist()) for value in rows[:80].tolist()]
    assert copied_rows([file, *files_of(2**60)])[0][:80].tolist() == expected


def test_files_sorted_by_value_are_no_evidence_of_copies() -> None:
    deliveries = [learned(np.sort(drawn(30, 100))) for _ in range(10)]
    assert left_out([*deliveries, asked(np.sort(drawn(30, 100)))]) == [False] * 100


def test_a_common_value_says_nothing_about_a_rare_one() -> None:
    """Half of all rows are zero, by chance; of the others some were learned."""
    rows = [np.concatenate([np.zeros(50, np.uint64), unique(50)]) for _ in range(10)]
    new = np.concatenate([np.zeros(50, np.uint64), rows[4][60:80], unique(30)])
    assert left_out([*map(learned, rows), asked(new)]) == [False] * 50 + [True] * 20 + [False] * 30


def test_where_chance_explains_a_part_the_excess_leaves_by_row_order() -> None:
    rare = np.arange(2, dtype=np.uint64)
    old = [np.concatenate([np.repeat(rare, 4), unique(92)]) for _ in range(4)]
    new = np.concatenate([unique(60), np.repeat(rare, 5)])
    found = left_out([*map(learned, old), asked(new)])
    assert sum(found[:60]) == 0
    assert sum(found[60:65]) == sum(found[65:]) == 2


def test_nothing_is_left_out_where_nothing_is_asked_or_nothing_was_learned() -> None:
    assert copied_rows([]) == []
    assert left_out([asked(unique(10))]) == [False] * 10
    assert left_out([learned(unique(10))]) == [False] * 10


@pytest.mark.parametrize("kind", KINDS, ids=[name for name, _, _ in KINDS])
def test_scores_are_fair_on_every_kind_of_the_bench(kind: object) -> None:
    name, draw, deliver = next(one for one in KINDS if one is kind)
    trials = [
        judge_trial(deliver(Source(np.random.default_rng(seed), draw)), seed) for seed in range(3)
    ]
    if name != "dumps, half of the rows all zero, in another order":  # docs/decisions.md says why
        known = [one.trigger for one in trials if one.trigger is not None]
        assert abs(float(np.mean(known))) <= 0.01
    assert np.mean([one.wrongly_left_out for one in trials]) <= 0.05


def test_on_a_labelled_stream_rows_that_come_again_are_left_out_and_no_others() -> None:
    words = RANDOM.permutation(3 * 600).reshape(600, 3)
    words[360:405] = words[240:285]  # half of the second cycle stood in the one before
    stream = Labelled(
        pd.DataFrame(words.astype(float), columns=["a", "b", "c"]),
        words.astype(np.uint64),
        (words[:, 0] > 900).astype(np.int64),
    )
    found = judge_cycles(stream, initial=270, per_cycle=90)
    assert [one.left_out > 0 for one in found] == [False, True]
    assert found[0].test_rows == 18
