"""Ready rows, oldest first, each claimed for one file; and what a closed gate is told of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from retraining.prediction_log import exports, ready_in_sqlite
from retraining.prediction_log.exports import FileAside, claim, unfinished
from retraining.prediction_log.ready import ReadyRow, ready_rows
from retraining.prediction_log.waits import Waits
from tests.prediction_log.material import MODEL, NOON, append, asked, label, logged

if TYPE_CHECKING:
    from retraining.prediction_log.connection import Database

WAITS = Waits(("0", "1"), rows_per_file=3, file_wait=timedelta(hours=24))
EVENING = NOON + timedelta(hours=6)
ASIDE = FileAside("predictions", "parquet", "ab" * 32, 1234, "here")


def ready(database: Database, waits: Waits = WAITS, now: datetime = EVENING) -> list[ReadyRow]:
    with database.reading() as connection:
        return ready_rows(connection, MODEL, waits, now)


def ids(rows: list[ReadyRow]) -> list[str]:
    return [row.prediction_id for row in rows]


def test_labelled_rows_are_ready_oldest_first_and_in_the_order_of_their_request(
    database: Database,
) -> None:
    append(database, asked("d", "c", at=NOON + timedelta(hours=2)), asked("z", "b", "a"))
    label(database, dict.fromkeys("abcdz", "1"))
    assert ids(ready(database)) == ["z", "b", "a"]
    assert ids(ready(database, replace(WAITS, rows_per_file=9))) == ["z", "b", "a", "d", "c"]


def test_rows_without_a_known_class_are_not_ready_until_it_is_one(database: Database) -> None:
    append(database, asked("a", "b", "c"))
    label(database, {"a": "1", "b": "7"})
    assert ids(ready(database)) == ["a"]
    assert ids(ready(database, replace(WAITS, classes=("0", "1", "7")))) == ["a", "b"]


def test_rows_wait_for_their_age(database: Database) -> None:
    append(database, asked("old", at=NOON - timedelta(days=2)), asked("young"))
    label(database, {"old": "1", "young": "1"})
    waits = replace(WAITS, label_wait=timedelta(days=1))
    (row,) = ready(database, waits)
    assert row.prediction_id == "old"
    assert row.ready_since == NOON + timedelta(hours=1), "its label came after its wait was over"
    later = NOON + timedelta(days=1)
    assert ready(database, waits, later)[1].ready_since == later, "and here it is the other way"


def test_silence_is_a_label_once_the_wait_is_over(database: Database) -> None:
    append(database, asked("old", "bad", at=NOON - timedelta(days=2)), asked("young"))
    label(database, {"bad": "1"})
    waits = replace(WAITS, label_wait=timedelta(days=1), if_silent="0")
    assert [(row.prediction_id, row.label) for row in ready(database, waits)] == [
        ("old", "0"),
        ("bad", "1"),
    ]


def test_claimed_rows_are_marked_and_not_ready_again(database: Database) -> None:
    append(database, asked("a", "b", "c", "d"))
    label(database, dict.fromkeys("abcd", "1"))
    prepared = claim(database, MODEL, ASIDE, ready(database), EVENING)
    assert prepared is not None
    assert prepared.file == "predictions-00000001-abababababab.parquet"
    assert unfinished(database, MODEL) == [prepared]
    rows = logged(database)
    assert [rows[i].exported_in for i in "abcd"] == [prepared.file] * 3 + [None]
    assert ids(ready(database)) == ["d"]
    exports.mark_delivered(database, MODEL, prepared, EVENING)
    assert unfinished(database, MODEL) == []
    second = claim(database, MODEL, ASIDE, ready(database), EVENING)
    assert second is not None
    assert second.number == 2


def test_a_claim_fails_where_a_row_left_or_its_label_changed_meanwhile(database: Database) -> None:
    append(database, asked("a", "b"))
    label(database, dict.fromkeys("ab", "1"))
    rows = ready(database)
    label(database, {"b": "0"})
    assert claim(database, MODEL, ASIDE, rows, EVENING) is None
    assert unfinished(database, MODEL) == []
    assert ids(ready(database)) == ["a", "b"]
    assert claim(database, MODEL, ASIDE, ready(database), EVENING) is not None
    assert claim(database, MODEL, ASIDE, rows, EVENING) is None


def test_a_silent_row_that_is_labelled_meanwhile_is_not_claimed_as_silent(
    database: Database,
) -> None:
    append(database, asked("a"))
    rows = ready(database, replace(WAITS, if_silent="0"))
    label(database, {"a": "1"})
    assert claim(database, MODEL, ASIDE, rows, EVENING) is None


def test_released_rows_leave_in_another_file_under_another_number(database: Database) -> None:
    append(database, asked("a", "silent"))
    label(database, {"a": "1"})
    waits = replace(WAITS, if_silent="0")
    prepared = claim(database, MODEL, ASIDE, ready(database, waits), EVENING)
    assert prepared is not None
    exports.release(database, MODEL, prepared)
    assert ids(ready(database)) == ["a"], "the one that had no label waits for none"
    again = claim(database, MODEL, ASIDE, ready(database, waits), EVENING)
    assert again is not None
    assert (again.number, again.rows) == (2, 2)


def test_a_label_that_changes_after_its_row_left_does_not_send_it_again(database: Database) -> None:
    append(database, asked("a"))
    label(database, {"a": "1"})
    claim(database, MODEL, ASIDE, ready(database), EVENING)
    assert label(database, {"a": "0"}).changed == 1
    assert ready(database) == []
    assert logged(database)["a"].exported_label == "1"


def test_models_do_not_see_each_others_rows(database: Database) -> None:
    append(database, asked("a"), model="other")
    label(database, {"a": "1"}, model="other")
    assert ready(database) == []


@pytest.mark.parametrize("uri", ["sqlite"], indirect=True)
def test_what_is_ready_is_read_from_its_index_alone(database: Database) -> None:
    """What left before must cost nothing: see also bench.log."""
    append(database, asked("a"))
    label(database, {"a": "1"})
    plans: list[str] = []

    def explain(connection: sa.Connection, _: object, statement: str, *rest: object) -> None:
        if statement.startswith("SELECT") and "request_time" in statement:
            rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", rest[0])
            plans.extend(str(row[3]) for row in rows)

    sa.event.listen(database.engine, "before_cursor_execute", explain)
    ready(database, replace(WAITS, if_silent="0"))
    text = "\n".join(plans)
    used = ("predictions_label_waits", "predictions_not_exported")
    assert all(name in text for name in used), text
    assert not any(word in text for word in ("SCAN", "TEMP B-TREE")), text


@pytest.mark.parametrize("uri", ["sqlite"], indirect=True)
def test_a_closed_gate_is_told_by_the_standard_library_whether_a_file_may_leave(
    database: Database,
) -> None:
    assert database.file is not None

    def has_work(waits: Waits = WAITS, now: datetime = EVENING) -> bool:
        assert database.file is not None
        return ready_in_sqlite.has_work(database.file, MODEL, waits, now)

    assert not has_work()
    append(database, asked("a", "b", "c", "silent"))
    label(database, {"a": "1", "b": "1", "c": "7"})
    assert not has_work(), "two rows of three wait for company"
    assert has_work(now=NOON + timedelta(hours=25)), "but not for ever"
    assert has_work(replace(WAITS, classes=("0", "1", "7"))), "three of a known class fill a file"
    assert has_work(replace(WAITS, if_silent="0", rows_per_file=2))
    assert not has_work(replace(WAITS, label_wait=timedelta(days=2)), NOON + timedelta(hours=25))
    prepared = claim(database, MODEL, ASIDE, ready(database), EVENING)
    assert prepared is not None
    assert has_work(), "a file that was begun must be finished"
    exports.mark_delivered(database, MODEL, prepared, EVENING)
    assert not has_work()
    database.close()  # so that nothing of it is left in its write-ahead log
    database.file.write_bytes(b"no database")
    assert has_work(), "the export says what is wrong with the log"
