"""What was answered and what came true, read on each database."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from retraining.prediction_log.traffic import (
    TrafficGroup,
    draw_answers,
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
        TrafficGroup(noon, 3, 1, "1", None, 2),
        TrafficGroup(noon + timedelta(hours=1), 2, 1, "1", None, 1),
    ]


def test_a_group_tells_the_label_that_stands(
    database: Database,
) -> None:
    append(database, asked("a", "b"))
    label(database, {"a": "0"}, received=NOON + timedelta(hours=2))
    label(database, {"a": "1"}, received=NOON + timedelta(days=2, hours=2))
    assert {(one.label, one.rows) for one in groups(database)} == {("1", 1), (None, 1)}


def test_within_the_hour_of_now_an_age_becomes_one_less_right_after_its_minute(
    database: Database,
) -> None:
    now = NOW + timedelta(minutes=30)
    moments = [now - timedelta(days=2) + timedelta(microseconds=step) for step in (-1, 0, 1)]
    append(database, *(asked(f"at-{at:%f}", at=at) for at in moments))
    assert [(one.age_days, one.rows) for one in groups(database, now)] == [(2, 2), (1, 1)]
    append(database, asked("of a clock that is ahead", at=now + timedelta(seconds=5)))
    assert groups(database, now)[-1].age_days == 0


def test_a_request_before_the_first_moment_is_not_counted_with_its_hour(database: Database) -> None:
    append(database, asked("a", at=NOON - timedelta(seconds=1)), asked("b", at=NOON))
    with database.reading() as connection:
        (one,) = traffic_groups(connection, MODEL, NOON, NOW)
    assert one.rows == 1


def test_other_models_and_older_rows_are_left_out(database: Database) -> None:
    append(database, asked("a", at=EVER - timedelta(seconds=1)))
    append(database, asked("b"), model="another")
    assert groups(database) == []


def test_labelled_answers_bring_their_probabilities(database: Database) -> None:
    append(database, asked("a", "b"))
    came = NOON + timedelta(hours=3)
    label(database, {"b": "0"}, received=came)
    with database.reading() as connection:
        drawn = draw_answers(connection, MODEL, EVER, share=0, share_of_labelled=1)
    (found,) = drawn.of_labelled
    assert drawn.of_all == []
    assert (found.request_time, found.received_time) == (NOON, came)
    assert (found.prediction, found.label) == ("1", "0")
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
    _twenty_hours(database)
    with database.reading() as connection:
        every, first, again = (
            draw_answers(connection, MODEL, EVER, share=share, share_of_labelled=0).of_all
            for share in (1.0, 0.3, 0.3)
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


def test_labelled_answers_are_drawn_by_a_share_of_their_own(database: Database) -> None:
    _twenty_hours(database)
    label(database, {f"{number}-{row}": "1" for number in range(20) for row in range(10)})
    with database.reading() as connection:
        drawn = draw_answers(connection, MODEL, EVER, share=0.3, share_of_labelled=0.6)
        alone = draw_answers(connection, MODEL, EVER, share=0.3, share_of_labelled=0)
    assert drawn.of_all == alone.of_all, "who has a label is in it no oftener"
    assert 90 < len(drawn.of_labelled) < 150
    assert all(one.label == "1" for one in drawn.of_labelled)
    assert alone.of_labelled == []


def _twenty_hours(database: Database) -> None:
    """Fifty predictions an hour."""
    for number in range(20):
        at = NOON + timedelta(hours=number)
        append(database, asked(*(f"{number}-{row}" for row in range(50)), at=at))
