"""Rows of the log: the first of an id stands, and a repeated id is told."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import sqlalchemy as sa

from retraining.prediction_log.rows import TimeOrderedIds
from retraining.prediction_log.tables import LAYOUT, repeated_ids
from tests.prediction_log.material import MODEL, NOON, append, asked, label, logged

if TYPE_CHECKING:
    from retraining.prediction_log.connection import Database


def test_a_row_holds_what_was_asked_and_answered(database: Database) -> None:
    request = asked(
        "a",
        "b",
        features={"x": [1, float("nan")], "city": [None, "Žilina ☃"], "extra": [None, [1]]},
        predictions=["1", "0"],
        client_request_id="order 18",
        trace_id="f" * 32,
        caller="shop",
    )
    assert append(database, request) == [()]
    row = logged(database)["b"]
    assert (row.model_name, row.request_id, row.row_index) == (MODEL, "request-a", 1)
    assert (row.client_request_id, row.trace_id, row.caller) == ("order 18", "f" * 32, "shop")
    assert row.request_time == NOON
    assert row.request_time.tzinfo is UTC
    assert json.loads(row.features) == {"x": None, "city": "Žilina ☃", "extra": [1]}
    assert (row.prediction, json.loads(row.classes)) == ("0", [0, 1])
    assert json.loads(row.probabilities) == [0.25, 0.75]
    assert (row.execution_ms, row.schema_version, row.exported_in) == (1.5, LAYOUT, None)


def test_what_a_database_cannot_hold_is_no_reason_to_lose_the_row(database: Database) -> None:
    values = {"x": 1, "odd": "\0", "half": "\ud800", "huge": 10**30, "none": float("inf")}
    features = {name: [value] for name, value in values.items()}
    request = asked("a", features=features, client_request_id="a\0b\ud800", caller="c\0")
    append(database, request)
    row = logged(database)["a"]
    found = json.loads(row.features)
    assert (found["odd"], found["huge"], found["none"]) == ("\0", 10**30, None)
    assert row.client_request_id == "ab?"
    assert row.caller == "c"


def test_numbers_of_numpy_are_numbers_of_json(database: Database) -> None:
    features = {"x": np.array([0.1]), "n": [np.int64(3)], "b": [np.bool_(1)]}
    append(database, asked("a", features=features, probabilities=np.array([[0.1, 0.9]])))
    row = logged(database)["a"]
    assert json.loads(row.features) == {"x": 0.1, "n": 3, "b": True}
    assert json.loads(row.probabilities) == [0.1, 0.9]


def test_the_first_row_of_an_id_stands_and_the_others_of_its_request_are_logged(
    database: Database,
) -> None:
    append(database, asked("a"))
    later = NOON + timedelta(hours=1)
    assert append(database, asked("b", "a", "c", at=later)) == [("a",)]
    rows = logged(database)
    assert set(rows) == {"a", "b", "c"}
    assert rows["a"].request_time == NOON


def test_an_id_twice_in_a_request_or_in_a_commit_is_told_where_it_came_second(
    database: Database,
) -> None:
    assert append(database, asked("a", "a"), asked("b"), asked("b", "c")) == [("a",), (), ("b",)]
    assert set(logged(database)) == {"a", "b", "c"}


def test_an_id_is_of_one_model(database: Database) -> None:
    append(database, asked("a"))
    assert append(database, asked("a"), model="other") == [()]
    assert set(logged(database, "other")) == {"a"}


def test_repeated_ids_are_counted_and_told_apart_by_their_features(database: Database) -> None:
    append(database, asked("same", features={"x": [1]}), asked("other", features={"x": [1]}))
    append(database, asked("same", features={"x": [1]}), asked("other", features={"x": [2]}))
    append(database, asked("other", features={"x": [1]}))
    columns = repeated_ids.c
    query = sa.select(columns.prediction_id, columns.times, columns.other_features)
    with database.reading() as connection:
        found = {row[0]: (row[1], row[2]) for row in connection.execute(query)}
    assert found == {"same": (1, 0), "other": (2, 1)}


def test_a_label_that_came_before_its_prediction_makes_it_wait_for_a_file(
    database: Database,
) -> None:
    label(database, {"early": "1"})
    append(database, asked("early", "late"))
    rows = logged(database)
    assert (rows["early"].label_waits, rows["late"].label_waits) == (1, 0)


def test_own_ids_rise_also_where_the_clock_stands_still_or_goes_back() -> None:
    ids = TimeOrderedIds()
    some = [i for _ in range(50) for i in ids.take(100)]
    assert some == sorted(some)
    assert len(set(some)) == 5000
    ids._last += 10**9  # the clock went back
    assert ids.take(1)[0] > some[-1]
    made = datetime.fromtimestamp(int(some[0][:12], 16) / 1000, UTC)
    assert abs(made - datetime.now(UTC)) < timedelta(minutes=1)
    assert some[0][12] == "7"
    assert some[0][16] in "89ab"
