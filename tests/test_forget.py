"""`forget`: a poisoned file leaves the archive for quarantine, is learned by no later version, and
refused when it comes again.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from retraining.folders.local_state import sha256_of
from tests.projects import tables

if TYPE_CHECKING:
    from tests.projects import Project


def newest(project: Project) -> str:
    """The last file that was archived."""
    return max(project.names("used_data"))


def told_by(project: Project, command: str) -> object:
    return project.start(command, "--json").expect(0).json


def test_a_forgotten_file_is_in_quarantine_with_its_reason_and_who_learned_it_is_named(
    promoted: Project,
) -> None:
    name = newest(promoted)
    sha = sha256_of(promoted.folder / "used_data" / name)
    told = promoted.start("forget", name, "--why", "a sensor lied", "--json").expect(0).json
    assert told == {"withdrawn": [sha], "learned_by": [2]}
    assert name not in promoted.names("used_data")
    note = json.loads((promoted.folder / "quarantine" / f"{name}.reason.json").read_text())
    assert (note["sha256"], note["reason"]) == (sha, "withdrawn: a sensor lied")


def test_production_is_flagged_until_a_version_without_the_file_serves(promoted: Project) -> None:
    name = newest(promoted)
    promoted.start("forget", name, "--why", "a sensor lied").expect(0)
    assert told_by(promoted, "status")["withdrawn_but_learned"] == [name]
    assert "withdrawn" in told_by(promoted, "check")["problems"][0]["what"]
    promoted.deliver(*tables(6, seed=3, rows=120, turned=True))
    promoted.configure(RETRAIN_WHEN="always", PROMOTE_WHEN="unless_worse", PROBATION_BATCHES="0")
    assert promoted.cycle()["ending"] == "promoted"
    assert told_by(promoted, "status")["withdrawn_but_learned"] == []
    assert told_by(promoted, "check")["problems"] == []


def test_the_same_bytes_are_refused_when_they_come_again_and_cannot_be_sent_back(
    promoted: Project,
) -> None:
    name = newest(promoted)
    content = (promoted.folder / "used_data" / name).read_bytes()
    promoted.start("forget", name, "--why", "a sensor lied").expect(0)
    promoted.put("again.csv", content)
    promoted.deliver(*tables(3, seed=4))
    promoted.cycle()
    assert "again.csv" in promoted.names("quarantine")
    assert "withdrawn" in promoted.start("requeue", name).expect(2).error[0]


def test_a_file_that_is_gone_already_is_forgotten_by_its_digest(promoted: Project) -> None:
    path = promoted.folder / "used_data" / newest(promoted)
    sha = sha256_of(path)
    path.unlink()
    assert promoted.start("check").code == 3
    promoted.start("forget", sha[:12], "--why", "lost with its disk").expect(0)
    assert promoted.start("check").expect(0)


def test_a_waiting_file_is_forgotten_at_once_and_learned_by_nobody(registered: Project) -> None:
    (path,) = registered.deliver(*tables(1, seed=5))
    registered.start("forget", path.name, "--why", "wrong site").expect(0)
    assert registered.names("new_data") == set()
    assert registered.names("quarantine") == {path.name}


def test_a_file_forgotten_while_a_version_waits_for_approval_is_not_archived_by_the_approval(
    registered: Project,
) -> None:
    registered.configure(PROMOTE_WHEN="manual")
    poison, *_ = registered.deliver(*tables(6, seed=2, rows=120, turned=True))
    assert registered.cycle()["ending"] == "awaiting_approval"
    registered.start("forget", poison.name, "--why", "a sensor lied").expect(0)
    from mlflow import MlflowClient

    store = f"sqlite:///{registered.folder}/mlflow_server/backend_db/mlflow.db"
    MlflowClient(store, store).set_registered_model_alias("classifier", "production", "2")
    assert registered.cycle()["ending"] == "unchanged"
    assert poison.name in registered.names("quarantine")
    assert poison.name not in registered.names("used_data")
    assert len(registered.names("used_data")) == 12 + 5
    assert told_by(registered, "status")["withdrawn_but_learned"] == [poison.name]


@pytest.mark.parametrize("name", ["no-such-file.csv", "../../etc/passwd", "abcdef", ""])
def test_what_is_not_known_is_not_forgotten(registered: Project, name: str) -> None:
    before = registered.names("used_data")
    assert registered.start("forget", name, "--why", "a test").expect(2).error
    assert registered.names("used_data") == before


def test_a_reason_is_asked_for(registered: Project) -> None:
    assert "--why" in registered.start("forget", newest(registered)).expect(2).error[0]
