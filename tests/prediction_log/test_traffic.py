"""What was answered and what came true, read on each database."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from retraining.prediction_log.traffic import (
    TrafficGroup,
    answers_since,
    labelled_answers,
    newest_rows,
    recent_rows,
    traffic_groups,
)
from tests.prediction_log.material import MODEL, NOON, append, asked, label

if TYPE_CHECKING:
    from retraining.prediction_log.connection import Database

NOW = NOON + timedelta(days=3, hours=1)
EVER = NOON - timedelta(days=100)
NO_SPAN = timedelta()


def groups(database: Database, now: datetime = NOW) -> list[TrafficGroup]:
    with database.reading() as connection:
        return sorted(traffic_groups(connection, MODEL, EVER, now), key=lambda one: one.hour)


def test_equal_predictions_are_one_group_and_an_age_is_whole_days(database: Database) -> None:
    late = NOON + timedelta(hours=1, minutes=30)
    append(database, asked("a", "b", at=NOON), asked("c", at=late))
    noon = NOON.replace(minute=0)
    assert groups(database) == [
        TrafficGroup(noon, 3, 1, "1", None, None, 2),
        TrafficGroup(noon + timedelta(hours=1), 2, 1, "1", None, None, 1),
    ]


def test_a_group_tells_the_label_that_stands_and_after_how_many_days_it_came(
    database: Database,
) -> None:
    append(database, asked("a", "b"))
    label(database, {"a": "0"}, received=NOON + timedelta(hours=2))
    label(database, {"a": "1"}, received=NOON + timedelta(days=2, hours=2))
    found = {(one.label, one.label_delay_days, one.rows) for one in groups(database)}
    assert found == {("1", 2, 1), (None, None, 1)}


def test_other_models_and_older_rows_are_left_out(database: Database) -> None:
    append(database, asked("a", at=EVER - timedelta(seconds=1)))
    append(database, asked("b"), model="another")
    assert groups(database) == []


def test_labelled_answers_bring_their_probabilities(database: Database) -> None:
    append(database, asked("a", "b"))
    label(database, {"b": "0"})
    with database.reading() as connection:
        (found,) = labelled_answers(connection, MODEL, EVER)
    assert (found.hour, found.prediction, found.label) == (NOON, "1", "0")
    assert json.loads(found.probabilities or "") == [0.25, 0.75]


def test_the_window_is_the_last_rows_or_as_many_more_as_span_the_time(database: Database) -> None:
    for hour in range(5):
        append(database, asked(f"{hour}-a", f"{hour}-b", at=NOON + timedelta(hours=hour)))
    with database.reading() as connection:
        three = newest_rows(connection, MODEL, 3, NO_SPAN, most=100)
        spanning = newest_rows(connection, MODEL, 3, timedelta(hours=2), most=100)
        sampled = newest_rows(connection, MODEL, 10, NO_SPAN, most=5)
        everything = newest_rows(connection, MODEL, 99, NO_SPAN, most=100)
    assert [json.loads(row.features)["x"] for row in three] == [1.0, 0.0, 1.0], "oldest first"
    assert len(spanning) == 6
    assert spanning[0].request_time == NOON + timedelta(hours=2)
    assert len(sampled) == 5
    assert len(everything) == 10


def test_recent_rows_come_newest_first_and_whole(database: Database) -> None:
    append(database, asked("a", "b"), asked("c", at=NOON + timedelta(hours=1)))
    with database.reading() as connection:
        found = recent_rows(connection, MODEL, 2)
    assert [row["prediction_id"] for row in found] == ["c", "b"]
    assert {"features", "probabilities", "caller", "exported_in"} <= found[0].keys()
    assert "label_waits" not in found[0]


def test_a_share_of_the_answers_is_always_the_same_one_and_spread_over_all(
    database: Database,
) -> None:
    for number in range(20):
        at = NOON + timedelta(hours=number)
        append(database, asked(*(f"{number}-{row}" for row in range(50)), at=at))
    with database.reading() as connection:
        every, first, again = (
            list(answers_since(connection, MODEL, EVER, share)) for share in (1.0, 0.3, 0.3)
        )
    assert len(every) == 1000
    assert first == again
    assert 220 < len(first) < 380
    by_hour = [
        sum(one.request_time == hour for one in first)
        for hour in {one.request_time for one in first}
    ]
    assert len(by_hour) == 20
    assert max(by_hour) < 30
