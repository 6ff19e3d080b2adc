"""Probation and hindsight: a past version beside another, on rows that neither has seen."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from retraining.cycle.monitoring import monitor
from retraining.cycle.probation import back_off_now, probation_result
from retraining.ledger import BackOff
from retraining.records import Marks

if TYPE_CHECKING:
    from retraining.cycle.monitoring import Monitored
    from tests.cycle.desk import Desk


def test_a_first_model_is_not_on_probation(desk: Desk) -> None:
    desk.deliver(4)
    with desk.opened() as cycle:
        found = monitor(cycle)
        assert (found.probation, found.skipped, found.hindsight) == (None, None, None)
        assert probation_result(cycle, found.probation) is None


def test_a_promoted_version_is_compared_with_the_one_before_on_the_next_files(
    promoted: Desk,
) -> None:
    promoted.deliver(4, seed=3)
    with promoted.opened() as cycle:
        found = monitor(cycle)
        assert found.probation is not None
        assert found.probation.rows == 160
        assert probation_result(cycle, found.probation) == "passed"
        assert found.hindsight is not None
        assert (found.hindsight.challenger, found.hindsight.rival) == (2, 1)
        assert found.hindsight.gain == found.probation.improvement, "judged once, told twice"


@pytest.mark.parametrize(
    ("verdict", "improvement", "batches", "result"),
    [
        ("worse", -0.1, "1", "failed"),
        ("better", 0.1, "1", "passed"),
        ("not_enough_evidence", 0.0, "1", "passed"),
        ("not_enough_evidence", 0.0, "2", None),
        ("not_enough_evidence", None, "1", None),
    ],
)
def test_probation_fails_on_proof_and_passes_after_its_last_batch(
    promoted: Desk, verdict: str, improvement: float | None, batches: str, result: str | None
) -> None:
    promoted.deliver(4, seed=3)
    with promoted.opened(PROBATION_BATCHES=batches) as cycle:
        found = judged(monitor(cycle), verdict, improvement)
        assert probation_result(cycle, found.probation) == result


def judged(found: Monitored, verdict: str, improvement: float | None) -> Monitored:
    assert found.probation is not None
    probation = replace(found.probation, verdict=verdict, improvement=improvement)
    return replace(found, probation=probation)


def test_a_version_whose_predecessor_was_deleted_cannot_be_held_to_it(promoted: Desk) -> None:
    promoted.registry.mark(2, Marks(previous=7))
    promoted.deliver(4, seed=3)
    with promoted.opened() as cycle:
        assert monitor(cycle).skipped == "v7 cannot be compared with v2"


def test_a_rejected_challenger_is_graded_too(desk: Desk) -> None:
    desk.deliver(4, seed=2)
    assert desk.cycle(RETRAIN_WHEN="always", MIN_IMPROVEMENT="1").ending == "rejected"
    desk.deliver(4, seed=3)
    with desk.opened() as cycle:
        hindsight = monitor(cycle).hindsight
    assert hindsight is not None
    assert (hindsight.challenger, hindsight.rival, hindsight.promoted) == (2, 1, False)


def test_files_since_a_failed_probation_are_counted_this_cycle_s_included(promoted: Desk) -> None:
    promoted.deliver(4, seed=3)
    with promoted.opened() as cycle:
        ledger = cycle.recovered.ledger
        failed = replace(ledger.records[-1], probation="failed")
        recovered = cycle.recovered._replace(ledger=replace(ledger, records=(failed,)))
        found = judged(monitor(cycle), "not_enough_evidence", None)
        assert back_off_now(replace(cycle, recovered=recovered), found.probation) == BackOff(1, 4)
