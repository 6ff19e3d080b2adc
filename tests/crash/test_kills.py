"""Killed anywhere, a start loses nothing: one more run, and every invariant holds.

`make soak` does this everywhere, hundreds of times.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.crash.forked import KILLED, ForkedProject
from tests.crash.invariants import broken
from tests.crash.places import PLACES, find
from tests.crash.scenarios import SCENARIOS
from tests.projects import CLONE, tables

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.crash.forked import Ended
    from tests.crash.trials import Stage, StoreName

QUICK = {  # a handful; the rest is in bench/soak.py
    "promote": ("mid_training", "mid_artifact_upload:9", "after_commit"),
    "reject": ("after_losing_tag",),
    "leave to a person": ("before_challenger",),
    "finish what a person approved": ("between_archived_files:3",),
    "roll back": ("mid_roll_back",),
    "rollback command": ("rollback_after_tag",),
    "approve command": ("after_approval",),
    "reject command": ("reject_after_tag",),
    "forget": ("forget_after_tag",),
    "first model": ("after_first_alias",),
}

QUICK_ON_POSTGRES = {
    "promote": ("mid_artifact_upload:9", "after_commit", "between_archived_files:3"),
    "roll back": ("mid_roll_back",),
}
SLOW_SERVER = (pytest.mark.postgres, pytest.mark.server, pytest.mark.slow)
ON_POSTGRES = (
    pytest.param("postgresql", marks=pytest.mark.postgres),
    pytest.param("server on postgresql", marks=SLOW_SERVER),
)


@pytest.mark.parametrize("name", QUICK)
def test_killed_at_a_named_place_the_next_start_finishes_or_undoes_the_rest(
    stages: Callable[[str], Stage], name: str
) -> None:
    assert killed_at_each(stages(name), QUICK[name]) == {}


@pytest.mark.parametrize("store", ON_POSTGRES)
@pytest.mark.parametrize("name", QUICK_ON_POSTGRES)
def test_killed_at_a_named_place_of_a_registry_on_postgresql_nothing_is_lost(
    stages_on: Callable[[StoreName, str], Stage], store: StoreName, name: str
) -> None:
    assert killed_at_each(stages_on(store, name), QUICK_ON_POSTGRES[name]) == {}


def killed_at_each(stage: Stage, places: tuple[str, ...]) -> dict[str, list[str]]:
    """Places of which the next start does not recover."""
    found = {place: stage.killed_at(place) for place in places}
    return {place: wrong for place, wrong in found.items() if wrong}


@pytest.mark.parametrize(
    ("store", "kills"),
    [
        ("sqlite", 2),
        pytest.param("postgresql", 6, marks=(pytest.mark.postgres, pytest.mark.slow)),
        pytest.param("server on postgresql", 6, marks=SLOW_SERVER),
    ],
)
def test_killed_by_the_clock_nothing_is_lost(
    stages_on: Callable[[StoreName, str], Stage], store: StoreName, kills: int
) -> None:
    stage = stages_on(store, "promote")
    whole = stage.scenario.start(stage.project).seconds
    moments = [random.Random(f"{kills} {number}").uniform(0, whole) for number in range(kills)]
    found = {moment: stage.killed_after(moment) for moment in moments}
    assert {moment: wrong for moment, wrong in found.items() if wrong} == {}


def test_killed_while_the_database_is_half_changed_everything_can_read_it_and_nothing_is_lost(
    stages: Callable[[str], Stage],
) -> None:
    stage = stages("promote")
    assert {number: wrong for number in (4, 20) if (wrong := stage.killed_in_commit(number))} == {}


def test_every_kill_point_is_tried_by_some_scenario() -> None:
    code = [path.read_text() for path in (CLONE / "retraining").rglob("*.py")] + [
        (CLONE / "pipeline_orchestrator.py").read_text()
    ]
    named = {
        name
        for text in code
        for call in re.findall(r"kill_point\((.*)\)", text)
        for name in re.findall(r'"(\w+)"', call)
    }
    named |= PLACES.keys()
    tried = {
        place.partition(":")[0] for scenario in SCENARIOS.values() for place in scenario.places
    }
    others = [
        path.read_text() for path in (CLONE / "tests").rglob("*.py") if "crash" not in path.parts
    ]
    # the service is killed where its own tests stand
    tried |= {name for name in named if any(f'"{name}"' in text for text in others)}
    assert named - tried == set()


def test_every_place_stands_beside_a_verb_that_the_job_has() -> None:
    verbs = {beside.verb for besides in PLACES.values() for beside in besides}
    found = {verb: find(verb) for verb in verbs}
    assert [
        verb for verb, (owner, name) in found.items() if not callable(getattr(owner, name, 0))
    ] == []


def test_a_kill_point_kills_only_who_was_asked_to_die_there(forked: ForkedProject) -> None:
    # nothing waits: that place is not on the way
    assert forked.start("run", kill_at="after_commit").code == 0
    assert forked.start("run", kill_at="after_lock").code == KILLED


# --- what the matrix of kills does not reach by itself --------------------------------------------


def killed(ended: Ended) -> None:
    assert ended.code == KILLED, ended


def test_bytes_that_a_dead_cycle_committed_outlive_a_failed_recovery_and_a_producer_who_overwrites(
    stages: Callable[[str], Stage],
) -> None:
    stage = stages("promote")
    forked, delivered = stage.project, stage.delivered
    killed(forked.start("run", kill_at="after_commit"))
    forked.configure(MLFLOW_TRACKING_URI="http://127.0.0.1:9")
    assert forked.start("run").code == 69
    forked.configure(
        MLFLOW_TRACKING_URI=f"sqlite:///{forked.folder}/mlflow_server/backend_db/mlflow.db"
    )
    for path, text in zip(
        sorted((forked.folder / "new_data").glob("batch-*")), tables(9, seed=77), strict=False
    ):
        path.write_text(text)
    forked.start("run").expect(0)
    assert set(delivered.all) - set(forked.whereabouts()) == set()


def test_a_roll_back_to_a_named_version_is_finished_to_that_one(
    stages: Callable[[str], Stage],
) -> None:
    stage = stages("promote")
    forked, delivered = stage.project, stage.delivered
    forked.cycle()
    forked.deliver(*tables(4, seed=5, rows=60, turned=True))
    forked.configure(PROBATION_BATCHES="0", RETRAIN_WHEN="always", PROMOTE_WHEN="unless_worse")
    assert forked.cycle()["production_version"] == 3
    killed(forked.start("rollback", "--to", "1", kill_at="rollback_after_tag"))
    forked.start("run").expect(0)
    assert forked.registry()["aliases"]["production"] == 1
    assert broken(forked, every_file_of(forked), delivered.first) == []


def test_a_roll_back_that_died_still_makes_the_next_attempt_wait(
    stages: Callable[[str], Stage],
) -> None:
    """Its cycle is closed with the decision that it saved, so that the failed probation counts."""
    forked = stages("roll back").project
    killed(forked.start("run", kill_at="after_roll_back"))
    forked.deliver(*tables(4, seed=6, turned=True))
    ended = forked.cycle()
    assert ended["ending"] == "kept"
    assert "roll-back" in ended["reason"]


def every_file_of(project: ForkedProject) -> Counter[str]:
    return Counter({sha: len(folders) for sha, folders in project.whereabouts().items()})
