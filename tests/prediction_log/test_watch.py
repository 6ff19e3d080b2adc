"""Results that are kept, and one watcher at a time, on each database."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from retraining.prediction_log.watch import (
    KeptResult,
    begun_now,
    keep_result,
    kept_result,
    take_lease,
)
from tests.prediction_log.material import MODEL, NOON

if TYPE_CHECKING:
    from retraining.prediction_log.connection import Database

A_MINUTE = timedelta(minutes=1)


def take(database: Database, holder: str, minutes: float = 0) -> bool:
    now = NOON + timedelta(minutes=minutes)
    return take_lease(database, "monitor", holder, now=now, length=A_MINUTE)


def test_the_last_result_of_a_name_is_kept(database: Database) -> None:
    assert kept_result(database, MODEL, "last 30 days") is None
    results = [KeptResult(NOON, '{"n": 1}'), KeptResult(NOON + A_MINUTE, '{"n": 2}')]
    for result in results:
        keep_result(database, MODEL, "last 30 days", result)
    keep_result(database, "another", "last 30 days", results[0])
    assert kept_result(database, MODEL, "last 30 days") == results[1]


def test_what_holds_is_told_once_until_it_ceased(database: Database) -> None:
    def begun(*holding: str) -> tuple[str, ...]:
        return begun_now(database, MODEL, holding, NOON)

    assert begun() == ()
    assert begun("data_drift v1") == ("data_drift v1",)
    assert begun("data_drift v1") == ()
    assert begun("data_drift v1", "estimate_low v1") == ("estimate_low v1",)
    assert begun("estimate_low v1") == ()
    assert begun("estimate_low v1", "data_drift v1") == ("data_drift v1",)
    assert begun_now(database, "another", ["data_drift v1"], NOON) == ("data_drift v1",)


def test_one_holds_the_lease_until_it_runs_out(database: Database) -> None:
    assert take(database, "first")
    assert not take(database, "second", 0.5)
    assert take(database, "first", 0.9), "who holds it holds it longer"
    assert not take(database, "second", 1.5)
    assert take(database, "second", 2.0), "the first is dead"
    assert not take(database, "first", 2.5)
