"""Whole days leave the log; what an export still owes stays."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from retraining.prediction_log import retention
from retraining.prediction_log.exports import FileAside, claim, mark_delivered
from retraining.prediction_log.ready import ready_rows
from retraining.prediction_log.retention import forget_predictions, remove_old
from retraining.prediction_log.waits import Waits
from tests.prediction_log.material import MODEL, NOON, append, asked, kept, label, logged

if TYPE_CHECKING:
    import pytest

    from retraining.prediction_log.connection import Database

ASIDE = FileAside("predictions", "parquet", "ab" * 32, 1234, "here")


def leave(database: Database) -> str:
    with database.reading() as connection:
        rows = ready_rows(connection, MODEL, Waits(("0", "1")), NOON)
    prepared = claim(database, MODEL, ASIDE, rows, NOON)
    assert prepared is not None
    mark_delivered(database, MODEL, prepared, NOON)
    return prepared.file


def test_whole_days_go_but_not_labelled_rows_that_no_file_has(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "AT_ONCE", 2)
    old, edge = NOON - timedelta(days=40), NOON - timedelta(days=30, hours=11)
    append(database, asked("left", at=old))
    label(database, {"left": "1"}, received=old)
    leave(database)
    append(database, asked("waits", *(f"old-{k}" for k in range(5)), at=old))
    append(database, asked("edge", at=edge), asked("young"))
    label(database, {"waits": "1"}, received=old)
    label(database, {"strange-old": "1"}, received=old)
    label(database, {"strange-young": "1"}, received=NOON)
    removed = remove_old(database, MODEL, 30, NOON)
    assert (removed.predictions, removed.unknown_labels) == (6, 1)
    assert set(logged(database)) == {"waits", "edge", "young"}
    assert kept(database, "left") == []
    assert kept(database, "strange-old") == []
    assert kept(database, "waits")
    assert kept(database, "strange-young")
    assert remove_old(database, MODEL, 30, NOON).predictions == 0


def test_rows_of_a_file_that_is_not_delivered_yet_stay(database: Database) -> None:
    old = NOON - timedelta(days=40)
    append(database, asked("a", at=old))
    label(database, {"a": "1"}, received=old)
    with database.reading() as connection:
        rows = ready_rows(connection, MODEL, Waits(("0", "1")), NOON)
    claim(database, MODEL, ASIDE, rows, NOON)
    remove_old(database, MODEL, 30, NOON)
    assert set(logged(database)) == {"a"}


def test_retention_is_of_one_model(database: Database) -> None:
    append(database, asked("a", at=NOON - timedelta(days=40)), model="other")
    remove_old(database, MODEL, 30, NOON)
    assert set(logged(database, "other")) == {"a"}


def test_a_withdrawn_row_goes_with_its_labels_and_its_file_is_named(database: Database) -> None:
    append(database, asked("a", "b", "c"))
    label(database, {"a": "1"})
    file = leave(database)
    label(database, {"b": "1", "stranger": "1"})
    told = forget_predictions(database, MODEL, ["a", "b", "stranger"])
    assert [(one.prediction_id, one.file) for one in told] == [("a", file), ("b", None)]
    assert set(logged(database)) == {"c"}
    assert not any(kept(database, i) for i in ("a", "b", "stranger"))
