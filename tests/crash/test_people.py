"""A person deletes what a cycle works with: theirs stands, no file is lost, and no later start is
stuck over it.
"""

from __future__ import annotations

import shutil
from functools import partial
from typing import TYPE_CHECKING

from tests.crash.invariants import broken

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.crash.trials import Stage


def test_what_a_person_deletes_under_a_cycle_is_missed_and_said(
    stages: Callable[[str], Stage],
) -> None:
    stage = stages("promote")
    trials = {
        "the alias": partial(
            stage.deleted_under_it, "mid_training", "delete_registered_model_alias", "production"
        ),
        "the challenger": partial(
            stage.deleted_under_it, "before_commit", "delete_model_version", "2"
        ),
        "the version that was replaced": partial(
            stage.deleted_under_it, "after_commit", "delete_model_version", "1"
        ),
    }
    assert {what: wrong for what, trial in trials.items() if (wrong := trial())} == {}


def test_a_version_is_approved_though_the_one_before_it_was_deleted(
    stages: Callable[[str], Stage],
) -> None:
    stage = stages("finish what a person approved")
    forked, delivered = stage.project, stage.delivered
    forked.ask("delete_model_version", "1")
    assert stage.scenario.broken(forked, delivered) == []


def test_a_version_that_a_person_puts_back_has_its_own_version_before_it(
    stages: Callable[[str], Stage],
) -> None:
    stage = stages("rollback command")
    forked, delivered = stage.project, stage.delivered
    forked.move_alias(1)
    shutil.rmtree(forked.folder / ".retraining")  # a closed gate does not look at the alias
    forked.start("run").expect(0)
    assert "previous_production" not in forked.registry()["aliases"]
    assert broken(forked, delivered.all, delivered.first) == []


def test_a_roll_back_whose_target_was_deleted_is_left_to_a_person(
    stages: Callable[[str], Stage],
) -> None:
    forked = stages("rollback command").project
    forked.start("rollback", kill_at="rollback_after_tag")
    forked.ask("delete_model_version", "1")
    assert "v1" in forked.start("run").expect(3).error[0]


def test_the_archive_is_known_though_the_version_that_first_learned_it_was_deleted(
    stages: Callable[[str], Stage],
) -> None:
    """Old versions are tidied away in the UI, and `.retraining/` may go at any time."""
    stage = stages("rollback command")
    forked, delivered = stage.project, stage.delivered
    forked.ask("delete_model_version", "1")
    shutil.rmtree(forked.folder / ".retraining")
    assert broken(forked, delivered.all, delivered.first) == []
