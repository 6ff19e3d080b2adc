"""What every registry must do, as checks that any implementation passes: each takes a fresh one
with a name of its own.
"""

from __future__ import annotations

from dataclasses import asdict, fields, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from retraining.records import AliasMove, Left, Marks, RegistryFacts
from tests.model_registry.samples import ROWS, STARTED, candidate, end, record

if TYPE_CHECKING:
    from retraining.model_registry.interface import Registry


def nothing_is_there_at_first(registry: Registry) -> None:
    assert registry.facts() == RegistryFacts()
    assert registry.versions() == ()
    assert registry.version(1) is None
    assert registry.cycle_records() == ()
    assert registry.end_abandoned_runs() == 0


def a_version_comes_back_as_it_was_registered(registry: Registry) -> None:
    run_id = registry.begin_cycle("cycle-1", STARTED)
    wanted = candidate()
    number = registry.register(wanted, parent=run_id, run_name="ModelRetraining")
    version = registry.version(number)
    assert number == 1
    assert version is not None
    assert version.is_ours
    assert version.status == "pending"
    assert version.cycle_id == "cycle-1"
    assert version.reason == "it looked good"
    assert registry.manifest(version) == wanted.manifest
    assert registry.sketches(version) == {"speed": [1, 2]}
    assert registry.calibration(version) == {"why_not": "too few rows"}
    np.testing.assert_array_equal(registry.model(version).predict(ROWS), [0, 1, 0, 1])


def versions_are_found_by_status_oldest_first(registry: Registry) -> None:
    run_id = registry.begin_cycle("cycle-1", STARTED)
    for cycle in ("cycle-1", "cycle-2", "cycle-3"):
        registry.register(candidate(cycle), parent=run_id, run_name="ModelRetraining")
    registry.mark(2, Marks(status="rejected", verdict="worse"), "It lost.")
    assert [v.number for v in registry.versions()] == [1, 2, 3]
    assert [v.number for v in registry.versions("pending")] == [1, 3]
    assert [v.verdict for v in registry.versions("rejected")] == ["worse"]


def versions_are_found_by_attempt(registry: Registry) -> None:
    run_id = registry.begin_cycle("cycle-1", STARTED)
    for cycle, key in (("cycle-1", "ab" * 32), ("cycle-2", "cd" * 32), ("cycle-3", "ab" * 32)):
        wanted = candidate(cycle)
        marks = replace(wanted.marks, attempt_key=key)
        registry.register(replace(wanted, marks=marks), parent=run_id, run_name="ModelRetraining")
    registry.mark(3, Marks(status="rejected"))
    assert [v.number for v in registry.versions(attempt_key="ab" * 32)] == [1, 3]
    assert [v.number for v in registry.versions("rejected", attempt_key="ab" * 32)] == [3]
    assert registry.versions("rejected", attempt_key="cd" * 32) == ()


def aliases_move_and_go(registry: Registry) -> None:
    run_id = registry.begin_cycle("cycle-1", STARTED)
    for cycle in ("cycle-1", "cycle-2"):
        registry.register(candidate(cycle), parent=run_id, run_name="ModelRetraining")
    registry.set_alias("production", 1)
    registry.set_alias("challenger", 2)
    assert registry.facts().aliases == {"production": 1, "challenger": 2}
    assert registry.facts().challenger == 2
    registry.set_alias("production", 2)
    registry.drop_alias("challenger")
    registry.drop_alias("challenger")
    assert registry.facts().aliases == {"production": 2}


def every_mark_comes_back_and_those_not_named_stay(registry: Registry) -> None:
    run_id = registry.begin_cycle("cycle-1", STARTED)
    registry.register(candidate(), parent=run_id, run_name="ModelRetraining")
    marks = Marks(
        parent_run_id=run_id,
        attempt_key="ab" * 32,
        verdict="better",
        previous=7,
        made_for="it was better",
        put_back="put back in place of v9",
        rolled_back_to=7,
        rolled_back_in=run_id,
        reason="it failed",
        status="rolled_back",
        probation="failed",
    )
    registry.mark(1, marks)
    registry.mark(1, Marks(probation="open"))
    version = registry.version(1)
    assert version is not None
    read = {field.name: getattr(version, field.name) for field in fields(Marks)}
    assert read == asdict(replace(marks, probation="open"))


def what_is_noted_on_the_model_is_read_and_a_hold_is_lifted(registry: Registry) -> None:
    registry.register(
        candidate(), parent=registry.begin_cycle("cycle-1", STARTED), run_name="ModelRetraining"
    )
    left = Left(3, "f" * 32, 1)
    registry.hold("Ada, 2026-11-20: scores fell")
    registry.leave(left)
    registry.withdraw({"ab" * 32: "poisoned"})
    registry.withdraw({"cd" * 32: "poisoned too"})
    withdrawn = {"ab" * 32: "poisoned", "cd" * 32: "poisoned too"}
    moves = (
        AliasMove(STARTED, 2, 1, "by Ada"),
        AliasMove(STARTED + timedelta(days=1), None, 2, "\U0001f600" * 400),
    )
    for move in reversed(moves):
        registry.note_move(move)
    held = RegistryFacts(
        hold="Ada, 2026-11-20: scores fell", left=left, withdrawn=withdrawn, moves=moves
    )
    assert registry.facts() == held
    registry.lift_hold()
    registry.lift_hold()
    assert registry.facts() == replace(held, hold=None)


def an_ended_cycle_is_remembered_and_an_open_one_is_not(registry: Registry) -> None:
    first = registry.begin_cycle("cycle-1", STARTED)
    registry.log_stage(
        first,
        "ModelMonitoring",
        metrics={"accuracy": 0.9},
        params={"rows": "400"},
        dataset=("batch 1", "ef" * 32, 400),
    )
    registry.save_files(first, {"report.html": "<p>ä</p>"})
    ended = end(registry, first)
    open_run = registry.begin_cycle("cycle-2", STARTED)
    assert registry.cycle_records() == (ended,)
    assert registry.cycle_record(first) == ended
    assert registry.cycle_record(open_run) is None
    assert registry.cycle_record("0" * 32) is None


def a_cycle_may_be_ended_twice(registry: Registry) -> None:
    run_id = registry.begin_cycle("cycle-1", STARTED)
    end(registry, run_id)
    assert end(registry, run_id) == record(run_id)
    assert registry.cycle_records() == (record(run_id),)


def cycles_are_remembered_oldest_first(registry: Registry) -> None:
    runs = [registry.begin_cycle(f"cycle-{number}", STARTED) for number in (1, 2, 3)]
    for number, run_id in enumerate(runs, start=1):
        end(registry, run_id, number=number, cycle_id=f"cycle-{number}")
    assert [r.number for r in registry.cycle_records()] == [1, 2, 3]


def runs_of_a_dead_cycle_are_ended_and_do_not_count_as_cycles(registry: Registry) -> None:
    end(registry, registry.begin_cycle("cycle-1", STARTED))
    registry.begin_cycle("cycle-2", STARTED)
    assert registry.open_runs() == 1
    assert registry.end_abandoned_runs() == 1
    assert registry.open_runs() == 0
    assert registry.end_abandoned_runs() == 0
    assert len(registry.cycle_records()) == 1


def an_adopted_version_carries_the_manifest_it_was_given(registry: Registry) -> None:
    run_id = registry.begin_cycle("cycle-1", STARTED)
    registry.register(candidate(), parent=run_id, run_name="ModelRetraining")
    version = registry.version(1)
    assert version is not None
    manifest = candidate("adoption").manifest
    registry.adopt(version, manifest, Marks(status="approved"))
    adopted = registry.version(1)
    assert adopted is not None
    assert adopted.is_ours
    assert adopted.status == "approved"
    assert registry.manifest(adopted) == manifest
    registry.model(adopted)


CHECKS = (
    nothing_is_there_at_first,
    a_version_comes_back_as_it_was_registered,
    versions_are_found_by_status_oldest_first,
    versions_are_found_by_attempt,
    aliases_move_and_go,
    every_mark_comes_back_and_those_not_named_stay,
    what_is_noted_on_the_model_is_read_and_a_hold_is_lifted,
    an_ended_cycle_is_remembered_and_an_open_one_is_not,
    a_cycle_may_be_ended_twice,
    cycles_are_remembered_oldest_first,
    runs_of_a_dead_cycle_are_ended_and_do_not_count_as_cycles,
    an_adopted_version_carries_the_manifest_it_was_given,
)
