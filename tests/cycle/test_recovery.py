"""Recovery: what a start makes of what people and dead cycles left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retraining.cycle.recovery import finish_what_a_dead_cycle_left
from retraining.model_registry.names import CHALLENGER
from retraining.records import Marks

if TYPE_CHECKING:
    from tests.cycle.desk import Desk


def test_where_nothing_happened_nothing_is_changed(promoted: Desk) -> None:
    before = promoted.registry.facts(), promoted.version(2)
    recovered = finish_what_a_dead_cycle_left(promoted.job())
    assert (promoted.registry.facts(), promoted.version(2)) == before
    assert recovered.hold is None
    assert recovered.left.production_version == 2


def test_a_version_that_a_person_approved_is_finished_without_probation(waiting: Desk) -> None:
    waiting.registry.set_alias("production", 2)
    job = waiting.job()
    recovered = finish_what_a_dead_cycle_left(job)
    assert job.tally.archived == 4
    assert waiting.version(2).status == "approved"
    assert waiting.version(2).probation == "not held: a person moved the alias"
    assert waiting.aliases == {"production": 2, "previous_production": 1}
    assert recovered.left.production_version == 2
    assert not waiting.project.names("new_data")


def test_a_person_who_moves_the_alias_back_holds_promotions(promoted: Desk) -> None:
    promoted.registry.set_alias("production", 1)
    recovered = finish_what_a_dead_cycle_left(promoted.job())
    assert recovered.hold is not None
    assert "moved back from v2 to v1" in recovered.hold
    assert "put back in place of v2" in str(promoted.version(1).put_back)
    assert recovered.left.production_version == 1


def test_a_roll_back_that_died_before_it_moved_the_alias_is_finished(promoted: Desk) -> None:
    promoted.registry.mark(2, Marks(rolled_back_to=1, reason="worse", status="rolled_back"))
    recovered = finish_what_a_dead_cycle_left(promoted.job())
    assert promoted.aliases["production"] == 1
    assert promoted.version(1).probation == "not held: restored by a roll-back"
    assert recovered.hold is None, "our own roll-back holds nothing"


def test_a_version_that_was_never_judged_is_superseded_unless_it_waits(waiting: Desk) -> None:
    finish_what_a_dead_cycle_left(waiting.job())
    assert waiting.version(2).status == "pending", "it waits for a person"
    waiting.registry.drop_alias(CHALLENGER)
    finish_what_a_dead_cycle_left(waiting.job())
    assert waiting.version(2).status == "superseded"
    assert waiting.version(2).reason == "its cycle died before it was judged"


def test_a_superseded_version_does_not_go_on_waiting(waiting: Desk) -> None:
    waiting.registry.mark(2, Marks(reason="a newer one", status="superseded"))
    recovered = finish_what_a_dead_cycle_left(waiting.job())
    assert recovered.facts.challenger is None


def test_what_dead_processes_left_is_swept(desk: Desk) -> None:
    desk.deliver(1)
    job = desk.job()
    run_id = job.registry.begin_cycle("dead", job.now())
    (claimed,) = job.inbox.claim(desk.project.names("new_data"))
    finish_what_a_dead_cycle_left(desk.job())
    assert run_id
    assert desk.registry.open_runs() == 0
    assert not claimed.path.exists()
