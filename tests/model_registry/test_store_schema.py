"""A store of another MLflow is told by name, and what is advised can be done."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import mlflow
import pytest

from retraining.errors import OtherMlflowError
from retraining.model_registry.connection import Connection
from retraining.model_registry.store_schema import check_revision
from tests.projects import tables

if TYPE_CHECKING:
    from pathlib import Path

    from retraining.settings import Settings
    from tests.projects import Project

OLDER = "0584bdc529eb"  # a migration of 2024 that every MLflow 3 knows


def at_revision(settings: Settings, revision: str, *, without: str = "") -> Connection:
    """A store whose tables say that they are at that revision; one of them may be missing."""
    connection = Connection(settings.mlflow_tracking_uri)
    with closing(sqlite3.connect(str(connection.sqlite_file))) as database, database:
        database.execute("UPDATE alembic_version SET version_num = ?", (revision,))
        if without:
            database.execute(f"DROP TABLE {without}")
    return connection


@pytest.mark.parametrize("without", ["", "jobs"])
def test_a_revision_that_is_not_known_here_is_of_a_newer_mlflow(
    on_sqlite: Settings, without: str
) -> None:
    with pytest.raises(OtherMlflowError) as caught:
        at_revision(on_sqlite, "ffffeeee0001", without=without).ask(lambda _: None)
    what, unchanged, remedy = caught.value.lines()
    assert f"opened by a newer MLflow than the {mlflow.__version__} installed here" in what
    assert "schema ffffeeee0001" in what
    assert unchanged.startswith("Nothing was changed")
    assert "restore the database's backup" in remedy
    assert caught.value.exit_code == 3


def test_a_revision_that_is_known_here_is_of_an_older_mlflow(on_sqlite: Settings) -> None:
    with pytest.raises(OtherMlflowError) as caught:
        at_revision(on_sqlite, OLDER).ask(lambda _: None)
    what, _, remedy = caught.value.lines()
    assert "made by an older MLflow than" in what
    assert "mlflow db upgrade" in remedy


def test_an_older_store_is_never_migrated_unasked(registered: Project) -> None:
    store = registered.folder / "mlflow_server" / "backend_db" / "mlflow.db"
    older = "b7e4c1a90f23"  # what MLflow 3.14 leaves
    with closing(sqlite3.connect(store)) as database, database:
        database.execute("UPDATE alembic_version SET version_num = ?", (older,))
    registered.deliver(*tables(3, seed=2))
    what, _, remedy = registered.start_process("run").expect(3).error
    assert "was made by an older MLflow than the" in what
    assert ".before-upgrade" in remedy
    assert "mlflow db upgrade" in remedy
    with closing(sqlite3.connect(store)) as database:
        assert database.execute("SELECT version_num FROM alembic_version").fetchall() == [(older,)]


def test_the_newest_migration_is_the_one_of_a_store_made_now(empty_store: Path) -> None:
    with closing(sqlite3.connect(empty_store)) as database:
        (found,) = database.execute("SELECT version_num FROM alembic_version").fetchone()
    check_revision(found, "here")
    with pytest.raises(OtherMlflowError, match="newer"):
        check_revision("ffffeeee0001", "here")
