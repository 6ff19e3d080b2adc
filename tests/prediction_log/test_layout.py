"""The log is made and upgraded in place, by any number at once."""

from __future__ import annotations

import multiprocessing
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from retraining.prediction_log import layout
from retraining.prediction_log.connection import JOB, PredictionLogError, open_database
from retraining.prediction_log.layout import ensure_layout, layout_of
from retraining.prediction_log.tables import LAYOUT, log_layout, metadata
from tests.prediction_log.material import append, asked, logged

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from retraining.prediction_log.connection import Database


def make(uri: str, barrier: object) -> None:
    barrier.wait()  # type: ignore[attr-defined]
    made = open_database(uri, JOB)
    ensure_layout(made)
    made.close()


def test_eight_that_come_at_once_make_one_log(uri: str) -> None:
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(8)
    makers = [context.Process(target=make, args=(uri, barrier)) for _ in range(8)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join(60)
    assert [maker.exitcode for maker in makers] == [0] * 8
    database = open_database(uri, JOB)
    assert layout_of(database) == LAYOUT
    with database.reading() as connection:
        assert set(metadata.tables) <= set(sa.inspect(connection).get_table_names())
        assert connection.execute(sa.select(sa.func.count()).select_from(log_layout)).scalar() == 1
    database.close()


def test_no_log_has_no_layout_and_asking_makes_none(uri: str) -> None:
    database = open_database(uri, JOB)
    assert layout_of(database) is None
    assert database.file is None or not database.file.parent.exists()
    database.close()


def test_an_older_log_is_upgraded_once_and_keeps_its_rows(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(database, asked("a", "b"))
    steps: list[int] = []

    def add_a_column(connection: Connection) -> None:
        steps.append(1)
        connection.execute(sa.text("ALTER TABLE heartbeats ADD COLUMN host TEXT"))

    monkeypatch.setattr(layout, "LAYOUT", LAYOUT + 1)
    monkeypatch.setitem(layout.UPGRADES, LAYOUT, add_a_column)
    ensure_layout(database)
    ensure_layout(database)
    assert steps == [1]
    assert layout_of(database) == LAYOUT + 1
    assert set(logged(database)) == {"a", "b"}
    with database.reading() as connection:
        names = {column["name"] for column in sa.inspect(connection).get_columns("heartbeats")}
    assert "host" in names


def test_an_upgrade_that_fails_leaves_the_log_as_it_was(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(connection: Connection) -> None:
        connection.execute(sa.text("ALTER TABLE heartbeats ADD COLUMN host TEXT"))
        raise KeyError("no such step")

    monkeypatch.setattr(layout, "LAYOUT", LAYOUT + 1)
    monkeypatch.setitem(layout.UPGRADES, LAYOUT, fail)
    with pytest.raises(KeyError):
        ensure_layout(database)
    assert layout_of(database) == LAYOUT
    with database.reading() as connection:
        names = {column["name"] for column in sa.inspect(connection).get_columns("heartbeats")}
    assert "host" not in names


def test_a_log_of_a_newer_program_is_left_alone(database: Database) -> None:
    with database.writing() as connection:
        connection.execute(log_layout.update().values(version=LAYOUT + 1))
    with pytest.raises(PredictionLogError, match=f"layout {LAYOUT + 1}") as caught:
        ensure_layout(database)
    assert "Upgrade this program" in caught.value.remedy
