"""Promotion: an ending was decided; here is what the one act that follows leaves behind."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from retraining.cycle.promotion import carry_out, failed_probation
from retraining.records import Decision
from tests.cycle.conftest import ALWAYS

if TYPE_CHECKING:
    from retraining.cycle.outcome import Ending
    from tests.cycle.desk import Desk


def test_keeping_production_moves_nothing(desk: Desk) -> None:
    desk.deliver(4)
    with desk.decided() as (cycle, monitored, ending):
        assert ending.name == "kept"
        done = carry_out(cycle, monitored, ending)
    assert done == (ending, cycle.recovered.ledger)
    assert desk.aliases == {"production": 1}
    assert len(desk.project.names("new_data")) == 4


def test_deciding_moves_nothing_either(desk: Desk) -> None:
    desk.deliver(4)
    with desk.decided(**ALWAYS) as (_, _, ending):
        assert (ending.name, ending.challenger, ending.trigger) == ("promoted", 2, "always")
    assert desk.aliases == {"production": 1}
    assert desk.version(2).status == "pending"


def test_a_loser_is_marked_with_its_verdict_and_the_reason(desk: Desk) -> None:
    desk.deliver(4)
    with desk.decided(RETRAIN_WHEN="always", MIN_IMPROVEMENT="1") as (cycle, monitored, ending):
        carry_out(cycle, monitored, ending)
    version = desk.version(2)
    assert (version.status, version.reason) == ("rejected", ending.reason)
    assert version.verdict == ending.compared.comparison.verdict if ending.compared else False
    assert desk.aliases == {"production": 1}


def test_a_winner_that_a_person_moves_waits_in_place_of_the_one_before(waiting: Desk) -> None:
    waiting.deliver(4, seed=3)
    with waiting.decided() as (cycle, monitored, ending):
        assert ending.name == "awaiting_approval"
        carry_out(cycle, monitored, ending)
    assert waiting.aliases == {"production": 1, "challenger": 3}
    assert waiting.version(2).status == "superseded"
    assert waiting.version(2).reason == "v3 was trained later, on more files"


def test_an_ending_that_nothing_is_said_of_offers_no_version(waiting: Desk) -> None:
    waiting.deliver(4, seed=3)
    with waiting.decided() as (cycle, monitored, ending):
        unknown = replace(ending, name="superseded")
        with pytest.raises(ValueError, match="superseded"):
            carry_out(cycle, monitored, unknown)
    assert waiting.aliases["challenger"] == 2


def test_a_promotion_moves_the_alias_and_archives_what_the_version_consumed(desk: Desk) -> None:
    desk.deliver(4)
    with desk.decided(**ALWAYS) as (cycle, monitored, ending):
        done = carry_out(cycle, monitored, ending)
    assert done.ending == ending
    assert len(done.ledger.archive) == 16
    assert desk.aliases == {"production": 2, "previous_production": 1}
    assert (desk.version(2).status, desk.version(2).probation) == ("approved", "open")
    assert not desk.project.names("new_data")


def test_a_person_who_moved_the_alias_meanwhile_is_not_overruled(promoted: Desk) -> None:
    promoted.deliver(4, seed=3)
    with promoted.decided(**ALWAYS) as (cycle, monitored, ending):
        assert ending.name == "promoted"
        promoted.registry.set_alias("production", 1)
        done = carry_out(cycle, monitored, ending)
    assert (done.ending.name, done.ending.holder, done.ending.challenger) == ("superseded", 1, 3)
    assert "theirs stands" in done.ending.reason
    assert promoted.aliases["production"] == 1
    assert promoted.version(3).status == "superseded"
    assert len(promoted.project.names("new_data")) == 4


def test_a_failed_version_is_marked_before_the_other_serves_again(promoted: Desk) -> None:
    promoted.deliver(4, seed=3)
    with promoted.decided() as (cycle, monitored, _):
        ending = failed_probation(cycle, Decision(True, "it is worse"))
        assert (ending.name, ending.holder) == ("rolled_back", 1)
        carry_out(cycle, monitored, ending)
    failed = promoted.version(2)
    assert (failed.status, failed.probation, failed.rolled_back_to) == ("rolled_back", "failed", 1)
    assert failed.rolled_back_in == cycle.run_id
    assert promoted.aliases["production"] == 1


def test_a_probation_that_passed_is_noted_whatever_the_cycle_decides(promoted: Desk) -> None:
    promoted.deliver(4, seed=3)
    with promoted.decided(RETRAIN_WHEN="threshold") as (cycle, monitored, ending):
        assert ending.name == "kept"
        carry_out(cycle, monitored, ending)
    assert promoted.version(2).probation == "passed"


def test_a_version_that_replaced_none_cannot_fail_its_probation(desk: Desk) -> None:
    desk.deliver(3)
    with desk.opened() as cycle, pytest.raises(ValueError, match="it replaced no version"):
        failed_probation(cycle, Decision(True, "worse"))


@pytest.mark.parametrize("name", ["kept", "rejected", "awaiting_approval", "promoted"])
def test_a_dry_run_does_nothing_whatever_was_decided(desk: Desk, name: str) -> None:
    desk.deliver(4)
    with desk.decided(desk.dry_job(**ALWAYS)) as (cycle, monitored, ending):
        wanted: Ending = replace(ending, name=name)
        assert carry_out(cycle, monitored, wanted) == (wanted, cycle.recovered.ledger)
    assert [version.number for version in desk.registry.versions()] == [1]
    assert len(desk.project.names("new_data")) == 4
