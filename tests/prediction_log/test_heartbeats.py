"""Which services live and what they answer with, on each database."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from retraining.prediction_log.heartbeats import Heartbeat, beat, living_services, stop_beating
from tests.prediction_log.material import MODEL, NOON

if TYPE_CHECKING:
    from retraining.prediction_log.connection import Database

FIRST = Heartbeat("host-a 17", NOON, 1)
SECOND = Heartbeat("host-b 17", NOON, None)


def test_the_last_beat_of_each_service_stands_until_it_ends_or_is_quiet(database: Database) -> None:
    for beating in (FIRST, SECOND):
        beat(database, MODEL, beating)
    beat(database, "another", replace(FIRST, model_version=7))
    assert living_services(database, MODEL, NOON) == (FIRST, SECOND)

    later = replace(FIRST, beat_time=NOON + timedelta(minutes=3), model_version=2)
    beat(database, MODEL, later)
    assert living_services(database, MODEL, later.beat_time) == (later,), "the second is quiet"

    stop_beating(database, MODEL, FIRST.service)
    assert living_services(database, MODEL, NOON) == (SECOND,)


def test_a_service_that_was_killed_is_forgotten_after_a_day(database: Database) -> None:
    beat(database, MODEL, SECOND)
    beat(database, MODEL, replace(FIRST, beat_time=NOON + timedelta(days=2)))
    assert living_services(database, MODEL, NOON - timedelta(days=9))[0].service == FIRST.service
    assert len(living_services(database, MODEL, NOON - timedelta(days=9))) == 1
