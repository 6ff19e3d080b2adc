"""`approve` and `reject`: a person's word on the version that waits, with the same outcome as their
hand in the MLflow UI.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from retraining.commands.reading import read_story
from retraining.settings import load
from tests.projects import tables

if TYPE_CHECKING:
    from retraining.records import Version
    from tests.projects import Project


@pytest.fixture
def waiting(registered: Project) -> Project:
    """Version 2 won, and waits for a person."""
    registered.configure(PROMOTE_WHEN="manual")
    registered.deliver(*tables(6, seed=2, rows=120, turned=True))
    assert registered.cycle()["ending"] == "awaiting_approval"
    return registered


def told(project: Project, *words: str) -> Any:
    return project.start(*words, "--json").expect(0).json


def in_the_registry(project: Project, number: int) -> tuple[Version, list[str]]:
    """A version, and the aliases that point at it."""
    story = read_story(load(project.folder, {}))
    found = story.project.registry.version(number)
    assert found is not None
    return found, sorted(name for name, held in story.facts.aliases.items() if held == number)


@pytest.mark.parametrize("named", [[], ["v2"], ["2"]])
def test_an_approved_version_serves_at_once_and_the_next_start_archives_its_files(
    waiting: Project, named: list[str]
) -> None:
    inbox = waiting.names("new_data")
    said = told(waiting, "approve", *named)
    assert said == {"production_version": 2, "previous_version": 1, "changed": True}
    assert told(waiting, "status")["production_version"] == 2
    assert waiting.names("new_data") == inbox, "as after a move in the UI, files wait for a cycle"
    after = waiting.cycle()
    assert (after["ending"], after["files"]["archived"]) == ("unchanged", 6)
    version, aliases = in_the_registry(waiting, 2)
    assert (version.status, aliases) == ("approved", ["production"])
    assert told(waiting, "approve", "v2")["changed"] is False


def test_a_start_without_new_files_says_which_version_waits(waiting: Project) -> None:
    waits = "v2 won and waits for a person to approve it"
    assert waits in waiting.cycle()["reason"]
    told(waiting, "approve")
    assert waits not in waiting.cycle()["reason"]


def test_approving_under_a_hold_is_a_persons_word_and_leaves_the_hold(waiting: Project) -> None:
    told(waiting, "approve")
    waiting.cycle()
    told(waiting, "rollback", "--why", "too soon")
    waiting.configure(PROMOTE_WHEN="better")
    waiting.deliver(*tables(3, seed=3, rows=120, turned=True))
    assert waiting.cycle()["challenger_version"] == 3
    said = waiting.start("approve", "v3").expect(0).out
    assert "v3 is in production" in said
    assert "still held" in said
    assert told(waiting, "status")["hold"]


def test_a_rejected_version_waits_no_longer_and_its_reason_is_on_record(waiting: Project) -> None:
    inbox = waiting.names("new_data")
    said = told(waiting, "reject", "v2", "--why", "too slow for the app")
    assert said == {"rejected": 2, "why": "too slow for the app", "production_version": 1}
    version, aliases = in_the_registry(waiting, 2)
    assert (version.status, aliases) == ("rejected", [])
    assert str(version.reason).endswith(": too slow for the app")
    assert waiting.names("new_data") == inbox
    assert waiting.cycle()["ending"] == "unchanged"
    assert told(waiting, "status")["awaiting_approval"] is None


def test_nothing_is_approved_or_rejected_where_nothing_waits_or_another_version_does(
    waiting: Project,
) -> None:
    for words in (("approve", "v1x"), ("reject",), ("reject", "v2")):
        waiting.start(*words).expect(2)
    assert "v7 does not wait" in waiting.start("approve", "v7").expect(2).error[0]
    assert "v1 does not" in waiting.start("reject", "v1", "--why", "old").expect(2).error[0]
    told(waiting, "reject", "--why", "no")
    for words in (("approve",), ("reject", "--why", "again")):
        assert "No version waits" in waiting.start(*words).expect(2).error[0]
    assert in_the_registry(waiting, 1)[1] == ["production"]


def test_a_damaged_version_is_never_approved(waiting: Project) -> None:
    models = waiting.folder.glob("mlflow_server/artifacts/**/model.pkl")
    max(models, key=lambda path: path.stat().st_mtime).write_bytes(b"damaged")
    assert "version 2" in waiting.start("approve").expect(3).error[0]
    assert told(waiting, "status")["production_version"] == 1
