"""Closing: a cycle's record, its figures on its run, and what it leaves."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from retraining.cycle.closing import close
from retraining.cycle.promotion import Done
from tests.cycle.conftest import ALWAYS

if TYPE_CHECKING:
    from tests.cycle.desk import Desk


def test_a_closed_cycle_has_a_record_and_the_contract_s_figures(desk: Desk) -> None:
    desk.deliver(4)
    outcome = desk.cycle(**ALWAYS)
    run = desk.registry._runs[str(outcome.run_id)]
    assert run.record is not None
    assert run.record.outcome == outcome
    assert {"accuracy/production_on_new", "accuracy/improvement", "drift/max_psi"} <= set(
        run.metrics
    )
    assert run.metrics["data/used_rows"] == 480, "what the archive held when the cycle began"
    assert (run.metrics["data/new_rows"], run.metrics["data/copied_rows"]) == (160, 0)
    left = desk.registry.facts().left
    assert left is not None
    assert (left.run_id, left.production_version) == (outcome.run_id, 2)
    assert desk.job().state.is_clean


def test_a_person_s_move_during_the_cycle_is_left_for_the_next_one_to_find(promoted: Desk) -> None:
    promoted.deliver(4, seed=3)
    with promoted.decided() as (cycle, monitored, ending):
        promoted.registry.set_alias("production", 1)
        moved = replace(ending, name="superseded", holder=1)
        close(cycle, monitored, Done(moved, cycle.recovered.ledger))
    left = promoted.registry.facts().left
    assert left is not None
    assert left.production_version == 2
    promoted.cycle()
    assert promoted.registry.facts().hold is not None, "the next start sees that they rolled back"


def test_a_dry_run_tells_the_same_and_leaves_nothing(desk: Desk) -> None:
    desk.deliver(4)
    with desk.decided(desk.dry_job(**ALWAYS)) as (cycle, monitored, ending):
        outcome = close(cycle, monitored, Done(ending, cycle.recovered.ledger))
    assert (outcome.ending, outcome.dry_run, outcome.run_id) == ("promoted", True, None)
    assert outcome.files.archived == 4
    assert len(desk.registry.cycle_records()) == 1, "the registration's"
