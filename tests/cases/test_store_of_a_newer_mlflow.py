"""The store was opened by a newer MLflow: the cycle and `check` say so, with exit code 3 and a way
that leads somewhere.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tests.projects import tables

if TYPE_CHECKING:
    from tests.projects import Project

WORDS = "was opened by a newer MLflow than the"


@pytest.fixture
def newer(registered: Project) -> Project:
    store = registered.folder / "mlflow_server" / "backend_db" / "mlflow.db"
    with closing(sqlite3.connect(store)) as database, database:
        database.execute("UPDATE alembic_version SET version_num = 'ffffeeee0001'")
    registered.deliver(*tables(3, seed=2))
    return registered


def test_the_cycle_says_that_the_store_is_newer_and_needs_a_person(newer: Project) -> None:
    what, unchanged, remedy = newer.start("run").expect(3).error
    assert WORDS in what
    assert unchanged == "Nothing was changed: no alias moved, no file moved."
    assert remedy.startswith("Install the MLflow that opened it last")
    assert len(newer.names("new_data")) == 3


def test_check_says_what_the_cycle_says_and_does_not_advise_itself(newer: Project) -> None:
    (problem,) = newer.start("check", "--json").expect(3).json["problems"]
    assert WORDS in problem["what"]
    assert problem["what"] == newer.start("run").error[0]
    assert "check" not in problem["try"]


@pytest.mark.parametrize("command", ["status", "rollback"])
def test_other_commands_say_so_too(newer: Project, command: str) -> None:
    assert WORDS in newer.start(command).expect(3).error[0]
