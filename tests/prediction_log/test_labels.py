"""Labels come in any order; each is in one count, and the last by its own time stands."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings

from retraining.prediction_log.connection import JOB, open_database
from retraining.prediction_log.labels import GivenLabel, take_labels
from retraining.prediction_log.layout import ensure_layout
from tests.prediction_log.material import MODEL, NOON, append, asked, kept, label, logged, standing

if TYPE_CHECKING:
    from pathlib import Path

    from retraining.prediction_log.connection import Database

NOTHING = {"new": 0, "repeated": 0, "changed": 0, "unknown": 0, "new_class": 0}


def test_each_label_is_in_one_of_five_counts(database: Database) -> None:
    append(database, asked("a", "b", "c"))
    assert label(database, {"a": "1", "b": "0"}).counts == {**NOTHING, "new": 2}
    assert label(database, {"a": "1"}).counts == {**NOTHING, "repeated": 1}
    assert label(database, {"a": "0"}).counts == {**NOTHING, "changed": 1}
    told = label(database, {"stranger": "1", "c": "7"})
    assert told.counts == {**NOTHING, "unknown": 1, "new_class": 1}
    assert (told.unknown, told.new_class) == (["stranger"], ["c"])
    assert kept(database, "a") == [("1", True), ("0", False)]
    assert standing(database, "stranger") == ["1"]
    assert standing(database, "c") == ["7"]


def test_a_new_class_is_told_before_an_unknown_prediction(database: Database) -> None:
    assert label(database, {"stranger": "7"}).new_class == ["stranger"]


def test_a_label_sent_again_is_not_kept_twice(database: Database) -> None:
    append(database, asked("a"))
    for _ in range(3):
        label(database, {"a": "1", "stranger": "0"}, when=NOON)
        label(database, {"a": "0"}, when=NOON - timedelta(days=1))
    assert kept(database, "a") == [("1", False), ("0", True)]
    assert kept(database, "stranger") == [("0", False)]


def test_the_last_by_its_own_time_stands_and_of_two_at_once_the_later_received(
    database: Database,
) -> None:
    append(database, asked("a", "b"))
    label(database, {"a": "1", "b": "1"}, when=NOON)
    assert label(database, {"a": "0"}, when=NOON - timedelta(days=1)).changed == 1
    assert standing(database, "a") == ["1"]
    label(database, {"b": "0"}, when=NOON)
    assert standing(database, "b") == ["0"]


def test_a_correction_counts_where_the_clock_that_receives_it_is_behind(
    database: Database,
) -> None:
    append(database, asked("a", "b"))
    label(database, {"a": "1"}, received=NOON)
    label(database, {"b": "1"}, when=NOON, received=NOON)
    behind = NOON - timedelta(hours=1)
    assert label(database, {"a": "0", "b": "0"}, received=behind).changed == 2
    assert standing(database, "a") == standing(database, "b") == ["0"]
    assert label(database, {"a": "0", "b": "0"}, received=behind).repeated == 2


def test_a_label_said_again_later_outlives_what_came_between(database: Database) -> None:
    append(database, asked("a"))
    label(database, {"a": "1"}, when=NOON)
    assert label(database, {"a": "1"}, when=NOON + timedelta(days=2)).repeated == 1
    assert label(database, {"a": "0"}, when=NOON + timedelta(days=1)).changed == 1
    assert standing(database, "a") == ["1"]


def test_one_request_may_name_a_prediction_twice(database: Database) -> None:
    append(database, asked("a"))
    twice = [GivenLabel("a", "1", is_class=True), GivenLabel("a", "0", is_class=True)]
    told = take_labels(database, MODEL, twice, NOON)
    assert (told.new, told.changed) == (1, 1)
    assert standing(database, "a") == ["0"]


def test_a_row_waits_for_a_file_once_it_has_a_label(database: Database) -> None:
    append(database, asked("a", "b"))
    label(database, {"a": "1"})
    rows = logged(database)
    assert (rows["a"].label_waits, rows["b"].label_waits) == (1, 0)


def test_labels_are_of_one_model(database: Database) -> None:
    append(database, asked("a"), model="other")
    assert label(database, {"a": "1"}).unknown == ["a"]


def test_many_labels_at_once_are_all_counted(database: Database) -> None:
    ids = [f"id-{k}" for k in range(2500)]
    append(database, asked(*ids))
    assert label(database, dict.fromkeys(ids, "1")).new == 2500
    assert label(database, dict.fromkeys(ids, "1")).repeated == 2500


def test_a_label_and_its_row_that_come_at_the_same_moment_find_each_other(
    database: Database,
) -> None:
    """Both are committed by threads of their own.

    Whoever is first, the row must wait for a file afterwards.
    """
    rounds = 60
    barrier = threading.Barrier(2)

    def predict() -> None:
        for k in range(rounds):
            barrier.wait()
            append(database, asked(f"id-{k}"))

    thread = threading.Thread(target=predict)
    thread.start()
    for k in range(rounds):
        barrier.wait()
        label(database, {f"id-{k}": "1"})
    thread.join()
    assert [row.label_waits for row in logged(database).values()] == [1] * rounds


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("01"), st.integers(0, 4)), max_size=8)
)
def test_in_whatever_order_labels_come_the_latest_stands(
    log_of_the_module: Database, sent: list[tuple[str, str, int]]
) -> None:
    database = log_of_the_module
    with database.writing() as connection:
        for table in ("labels", "predictions"):
            connection.exec_driver_sql(f"DELETE FROM {table}")
    append(database, asked("a", "b"))
    for prediction_id, text, hour in sent:
        label(database, {prediction_id: text}, when=NOON + timedelta(hours=hour))
    for prediction_id in "ab":
        mine = [(hour, text) for i, text, hour in sent if i == prediction_id]
        latest = max((hour for hour, _ in mine), default=None)
        expected = [text for hour, text in mine if hour == latest][-1:]
        assert standing(database, prediction_id) == expected, sent


@pytest.fixture(scope="module")
def log_of_the_module(tmp_path_factory: pytest.TempPathFactory) -> Database:
    folder: Path = tmp_path_factory.mktemp("log")
    made = open_database(f"sqlite:///{folder}/predictions.db", JOB)
    ensure_layout(made)
    return made
