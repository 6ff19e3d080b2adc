"""The training set: what may be learned, what is kept from it, and what tests both models."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from retraining.cycle.training_set import (
    attempt_key,
    freeze_test_set,
    shares_of_older,
    trace_lineage,
)
from retraining.ledger import ranges_overlap
from retraining.records import BatchFile
from retraining.settings import TrainWindow

if TYPE_CHECKING:
    from tests.cycle.desk import Desk


def test_everything_is_learned_but_what_the_last_three_batches_reserve(desk: Desk) -> None:
    desk.deliver(4)
    with desk.opened() as cycle:
        lineage = trace_lineage(cycle)
        assert cycle.batch is not None
    assert {file.sha256 for file in cycle.batch.files} == set(lineage.consumed)
    names = {file.name for file in (*lineage.learned, *lineage.held_out)}
    assert len(names) == 16
    learned = lineage.learned_ranges()
    for file in lineage.held_out:
        assert not ranges_overlap(file.reserved, learned.get(file.sha256, ()))


def test_files_judged_earlier_that_still_wait_are_learned_with_the_new_ones(desk: Desk) -> None:
    desk.deliver(3, seed=2)
    assert desk.cycle().ending == "kept"
    desk.deliver(3, seed=3)
    with desk.opened() as cycle:
        assert len(cycle.claimed.files) == 3
        assert len(trace_lineage(cycle).consumed) == 6


def test_the_test_set_holds_no_row_that_production_learned(desk: Desk) -> None:
    desk.deliver(4)
    with desk.opened() as cycle:
        test_set = freeze_test_set(cycle, trace_lineage(cycle))
        learned = cycle.production.learned
    assert test_set.rows >= 100
    for section in test_set.sections:
        assert not ranges_overlap([section.rows], learned.get(section.file.sha256, ()))


@pytest.mark.parametrize(
    ("window", "share"),
    [(TrainWindow(2, 0), 0.0), (TrainWindow(2, 1), 0.25), (TrainWindow(2, 9), 1.0)],
)
def test_of_files_older_than_the_window_a_sample_as_large_as_some_batches_is_learned(
    window: TrainWindow, share: float
) -> None:
    older = [BatchFile(f"old-{i}", f"old-{i}", 100) for i in range(4)]
    recent = [BatchFile(f"new-{i}", f"new-{i}", 100) for i in range(2)]
    shares = shares_of_older(window, older, [*older, *recent])
    assert shares == dict.fromkeys((file.sha256 for file in older), share)


def test_without_a_window_nothing_is_sampled() -> None:
    assert shares_of_older(None, [BatchFile("a", "a", 100)], []) == {}


def test_an_attempt_is_another_one_with_other_files_or_settings(desk: Desk) -> None:
    def key(**settings: str) -> str:
        with desk.opened(force=True, **settings) as cycle:
            return attempt_key(cycle, trace_lineage(cycle))

    desk.deliver(3, seed=2)
    first = key()
    assert key() == first
    assert key(CONFIDENCE="0.9") != first
    desk.deliver(1, seed=3)
    assert key(CONFIDENCE="0.95") != first
