"""A store that no start can heal: damaged, restored in part, or without its experiment. A person is
asked, with exit code 3 and a way on, by `check` as by the cycle.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from mlflow import MlflowClient

from tests.projects import tables

if TYPE_CHECKING:
    from pathlib import Path

    from tests.projects import Project


def database(project: Project) -> Path:
    return project.folder / "mlflow_server" / "backend_db" / "mlflow.db"


def told_alike(project: Project) -> tuple[str, str]:
    """What `check` and the cycle both say and advise."""
    project.deliver(*tables(3, seed=2))
    what, unchanged, remedy = project.start("run").expect(3).error
    assert unchanged == "Nothing was changed: no alias moved, no file moved."
    problem = project.start("check", "--json").expect(3).json["problems"][0]
    assert (problem["what"], problem["try"]) == (what, remedy)
    return what, remedy


@pytest.mark.parametrize("damage", ["cut in half", "no database"])
def test_a_damaged_file_is_called_so_and_a_backup_is_asked_for(
    damage: str, registered: Project
) -> None:
    content = database(registered).read_bytes()
    damaged = content[: len(content) // 2] if damage == "cut in half" else b"hello" * 1000
    database(registered).write_bytes(damaged)
    what, remedy = told_alike(registered)
    assert "is damaged, or is no such store" in what
    assert remedy.startswith("Restore the file from a backup")


def test_a_store_without_its_revision_is_told_as_restored_in_part(registered: Project) -> None:
    with closing(sqlite3.connect(database(registered))) as opened, opened:
        opened.execute("DELETE FROM alembic_version")
    what, remedy = told_alike(registered)
    assert "it was restored in part only" in what
    assert remedy == "Restore the whole file from a backup."


def test_a_deleted_experiment_needs_a_person_and_restoring_it_is_enough(
    registered: Project,
) -> None:
    store = f"sqlite:///{database(registered)}"
    client = MlflowClient(store, store)
    client.delete_experiment("1")
    what, remedy = told_alike(registered)
    assert "was deleted, and with it the record of the cycles" in what
    assert "mlflow experiments restore --experiment-id 1" in remedy
    client.restore_experiment("1")
    assert registered.start("check").expect(0).out.startswith("No problem was found")
