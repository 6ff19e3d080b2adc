"""Every choice, as tables: facts and settings on the left, what to do on the right, and a reason
that a person can read.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from retraining import decisions
from retraining.decisions import Health
from retraining.ledger import BackOff
from retraining.records import (
    Comparison,
    CycleRecord,
    Decision,
    Drift,
    FeatureDrift,
    Hindsight,
    Outcome,
    Score,
)
from retraining.settings import Settings, load

NOW = datetime(2026, 11, 20, tzinfo=UTC)
PROJECT = Path(__file__).parent
ONE_TRIGGER = {"RETRAIN_WHEN": "threshold", "RETRAIN_INTERVAL_DAYS": "7"}
NO_BACK_OFF = BackOff(0, 0)
NO_VETO, FLOORS_REACHED = Decision(False, "no veto"), Decision(True, "floors reached")


def settings(**names: str) -> Settings:
    return load(PROJECT, {**ONE_TRIGGER, **names})


def health(value: float | None = 0.9, *, days: float | None = 1.0, **facts: Any) -> Health:
    last = None if days is None else NOW - timedelta(days=days)
    drop = facts.pop("drop", Decision(False, "no drop"))
    return Health(
        Score("accuracy", value, 100), drop, facts.pop("drift", Drift()), NOW, last, **facts
    )


def comparison(
    improvement: float | None = 0.02, verdict: Any = "not_enough_evidence", rows: int = 500
) -> Comparison:
    scores = Score("accuracy", 0.8, rows), Score("accuracy", 0.8 + (improvement or 0), rows)
    return Comparison(*scores, improvement, (-0.01, 0.05), 0.95, verdict, rows, 10)


def graded(challenger: int, gain: float) -> CycleRecord:
    return CycleRecord(
        0,
        "c",
        None,
        NOW,
        Outcome("kept", "why"),
        hindsight=Hindsight(challenger, 1, True, gain, None, 100),
    )


MOVED = FeatureDrift("x", 0.4, 0.001, 0.002, 0.5, 0.4, detected=True, material=True)


# --- the gate -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fresh", "judged", "act", "reason"),
    [
        (15, 0, True, "15 files not yet judged"),
        (14, 0, False, "14 of 15 files not yet judged; 1 more open the next cycle"),
        (
            3,
            20,
            False,
            (
                "3 of 15 files not yet judged; 20 judged files in the inbox; 12 more open the"
                " next cycle"
            ),
        ),
        (
            0,
            20,
            False,
            (
                "no new files; 20 judged files in the inbox; the next cycle opens at 15"
                " (MIN_NEW_FILES)"
            ),
        ),
    ],
)
def test_the_gate_counts_files_not_yet_judged_and_says_what_would_open_it(
    fresh: int, judged: int, act: bool, reason: str
) -> None:
    assert decisions.enough_files(fresh, settings(), judged=judged) == Decision(act, reason)


@pytest.mark.parametrize(("rows", "act"), [(1000, True), (999, False)])
def test_the_gates_second_question_counts_labelled_rows(rows: int, act: bool) -> None:
    assert decisions.enough_rows(rows, settings(MIN_NEW_ROWS="1000")).act is act


# --- triggers -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("metric", "value", "act"),
    [
        ("accuracy", 0.79, True), ("accuracy", 0.8, False), ("accuracy", 0.81, False),
        ("accuracy", None, False),
        ("error_rate", 0.81, True), ("error_rate", 0.8, False), ("error_rate", 0.79, False),
    ],
)  # fmt: skip
def test_worse_than_the_threshold_follows_the_metrics_direction(
    metric: str, value: float | None, act: bool
) -> None:
    asked = settings(METRIC=metric, RETRAIN_THRESHOLD="0.8")
    assert decisions.should_retrain(health(value), asked, NO_BACK_OFF).act is act


@pytest.mark.parametrize(
    ("when", "facts", "name"),
    [
        ("threshold", health(0.5), "threshold"),
        ("drop", health(0.5), None),
        ("drop", health(drop=Decision(True, "significantly worse")), "drop"),
        ("drift", health(drift=Drift(detected=True, material=False)), None),
        (
            "drift",
            health(drift=Drift(detected=True, material=True, features=(MOVED,))),
            "drift",
        ),
        ("drift", health(drift=Drift()), None),
        ("drift", health(traffic_drift=Drift(True, True, (MOVED,))), "drift"),
        ("drift", health(drift=Drift(False, False), traffic_drift=Drift()), None),
        ("interval", health(days=6.9), None),
        ("interval", health(days=6.95), "interval"),
        ("interval", health(days=7.0), "interval"),
        ("interval", health(days=None), "interval"),
        ("adaptive", health(days=3.5), None),
        ("adaptive", health(days=3.5, records=[graded(2, 0.01)]), "adaptive"),
        ("always", health(), "always"),
        ("drift,drop,threshold", health(0.5, drop=Decision(True, "significantly worse")), "drop"),
    ],
)
def test_any_trigger_of_retrain_when_fires_and_the_first_is_the_cause(
    when: str, facts: Health, name: str | None
) -> None:
    asked = decisions.should_retrain(facts, settings(RETRAIN_WHEN=when), NO_BACK_OFF)
    assert (asked.name, asked.act) == (name, name is not None)
    assert asked.reason


def test_when_nothing_fires_every_trigger_says_why() -> None:
    asked = decisions.should_retrain(
        health(), settings(RETRAIN_WHEN="threshold,drift,interval"), NO_BACK_OFF
    )
    assert "no worse than the threshold 0.8" in asked.reason
    assert "drift was not judged" in asked.reason
    assert "interval: trained 1.0 days ago, next due after 7 days" in asked.reason


@pytest.mark.parametrize(
    ("gains", "days"),
    [([], 8), ([1], 4), ([-1], 16), ([1, -1], 8), ([1] * 9, 2), ([-1] * 9, 32)],
)
def test_the_adaptive_interval_halves_when_a_retrain_paid_off_and_doubles_when_not(
    gains: list[float], days: float
) -> None:
    assert decisions.adaptive_interval(gains, 8) == days


def test_only_the_first_fresh_batch_after_a_retrain_moves_the_adaptive_interval() -> None:
    facts = health(days=3.5, records=[graded(2, 0.01), graded(2, -0.01)])
    assert decisions.adaptive_interval_passed(facts, settings()).act


@pytest.mark.parametrize(
    ("gain", "days", "dropped", "act"),
    [
        (0.01, 1, False, True),
        (-0.01, 1, False, False),
        (0.0, 1, False, False),
        (-0.01, 13.95, False, True),
        (-0.01, 1, True, True),
    ],
)
def test_after_a_retrain_that_gained_nothing_a_missed_threshold_waits_for_the_interval_or_a_drop(
    gain: float, days: float, dropped: bool, act: bool
) -> None:
    drop = Decision(dropped, "significantly worse than its own record")
    facts = health(0.5, days=days, drop=drop, records=[graded(2, gain)])
    assert decisions.should_retrain(facts, settings(), NO_BACK_OFF).act is act


def test_a_missed_threshold_that_waits_says_for_what() -> None:
    facts = health(0.5, records=[graded(7, -0.01)])
    asked = decisions.should_retrain(facts, settings(), NO_BACK_OFF)
    assert "worse than the threshold 0.8; it waits because the last retrain, v7" in asked.reason
    assert "gained nothing (-0.0100): trained 1.0 days ago, next due after 14 days" in asked.reason


def test_what_this_cycle_found_about_the_last_retrain_counts_already() -> None:
    seen = Hindsight(3, 2, True, -0.01, None, 100)
    facts = health(0.5, records=[graded(2, 0.01)], hindsight=seen)
    assert not decisions.should_retrain(facts, settings(), NO_BACK_OFF).act


@pytest.mark.parametrize(
    ("back_off", "act"),
    [(BackOff(1, 29), False), (BackOff(1, 30), True),
     (BackOff(2, 59), False), (BackOff(2, 60), True),
     (BackOff(9, 119), False), (BackOff(9, 120), True)],
)  # fmt: skip
def test_after_a_roll_back_twice_then_four_then_eight_times_the_files_must_come(
    back_off: BackOff, act: bool
) -> None:
    asked = decisions.should_retrain(health(0.1), settings(), back_off)
    assert asked.act is act
    if not act:
        assert "files since the roll-back" in asked.reason


def test_force_skips_trigger_and_back_off_but_not_monitor_only() -> None:
    assert (
        decisions.should_retrain(health(), settings(), BackOff(1, 0), force=True).name == "forced"
    )
    off = decisions.should_retrain(
        health(), settings(AUTO_RETRAIN_ENABLED="false"), NO_BACK_OFF, force=True
    )
    assert not off.act
    assert "AUTO_RETRAIN_ENABLED is false" in off.reason


# --- promotion ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "improvement", "verdict", "act"),
    [
        ("better", 0.001, "not_enough_evidence", True), ("better", 0.001, "worse", True),
        ("better", 0.0, "better", False),
        ("manual", 0.001, "not_enough_evidence", True), ("manual", -0.001, "better", False),
        ("unless_worse", -0.01, "not_enough_evidence", True), ("unless_worse", 0.0, "worse", False),
        ("significant", 0.05, "not_enough_evidence", False), ("significant", 0.05, "better", True),
    ],
)  # fmt: skip
def test_who_wins_under_each_rule(rule: str, improvement: float, verdict: str, act: bool) -> None:
    decision = decisions.wins(
        comparison(improvement, verdict), settings(PROMOTE_WHEN=rule), FLOORS_REACHED, NO_VETO
    )
    assert decision.act is act
    said = "too close to call" if verdict == "not_enough_evidence" else verdict
    assert said in decision.reason


@pytest.mark.parametrize(("rule", "act"), [("unless_worse", False), ("better", True)])
def test_where_too_few_blocks_allow_no_verdict_unless_worse_promotes_nothing(
    rule: str, act: bool
) -> None:
    few = replace(comparison(0.2, "not_enough_evidence"), interval=None, blocks=4)
    decision = decisions.wins(few, settings(PROMOTE_WHEN=rule), FLOORS_REACHED, NO_VETO)
    assert decision.act is act
    assert act or "4 test blocks are too few for a verdict" in decision.reason


def test_monitor_only_names_a_threshold_only_where_one_decides() -> None:
    off = {"AUTO_RETRAIN_ENABLED": "false", "RETRAIN_WHEN": "drop", "METRIC": "f1"}
    reason = decisions.should_retrain(health(), settings(**off), NO_BACK_OFF).reason
    assert "threshold" not in reason
    assert "nan" not in reason


@pytest.mark.parametrize("rule", ["better", "unless_worse", "significant", "manual"])
def test_too_few_rows_an_undefined_score_a_floor_or_a_veto_stop_every_rule(rule: str) -> None:
    good, asked = comparison(0.2, "better"), settings(PROMOTE_WHEN=rule, MIN_TEST_ROWS="500")
    assert decisions.wins(good, asked, FLOORS_REACHED, NO_VETO).act
    assert (
        "MIN_TEST_ROWS=500"
        in decisions.wins(replace(good, rows=499), asked, FLOORS_REACHED, NO_VETO).reason
    )
    stopped = [
        decisions.wins(replace(good, rows=499), asked, FLOORS_REACHED, NO_VETO),
        decisions.wins(replace(good, improvement=None), asked, FLOORS_REACHED, NO_VETO),
        decisions.wins(good, asked, Decision(False, "under a floor"), NO_VETO),
        decisions.wins(good, asked, FLOORS_REACHED, Decision(True, "a slice lost")),
    ]
    assert [decision.act for decision in stopped] == [False] * 4


def test_min_improvement_is_beaten_not_reached() -> None:
    asked = settings(MIN_IMPROVEMENT="0.02")
    assert not decisions.wins(comparison(0.02), asked, FLOORS_REACHED, NO_VETO).act
    assert decisions.wins(comparison(0.0201), asked, FLOORS_REACHED, NO_VETO).act


@pytest.mark.parametrize(
    ("scores", "act"),
    [
        ({"accuracy": 0.7, "f1": 0.5}, True),
        ({"accuracy": 0.69, "f1": 0.5}, False),
        ({"accuracy": 0.9, "f1": None}, False),
        ({}, False),
    ],
)
def test_floors_must_be_reached_and_an_undefined_score_reaches_none(
    scores: dict[str, float | None], act: bool
) -> None:
    decision = decisions.reaches_floors(
        scores, settings(MIN_MODEL_ACCURACY="0.7", MIN_MODEL_F1="0.5")
    )
    assert decision.act is act
    assert act or "MIN_MODEL_" in decision.reason


@pytest.mark.parametrize(
    ("rule", "hold", "known", "act"),
    [
        ("better", None, True, True),
        ("better", "by ann", True, False),
        ("manual", None, True, False),
        ("better", None, False, False),
    ],
)
def test_a_hold_the_manual_rule_or_values_never_seen_leave_the_move_to_a_person(
    rule: str, hold: str | None, known: bool, act: bool
) -> None:
    values = Decision(known, "values")
    assert decisions.may_move_the_alias(settings(PROMOTE_WHEN=rule), hold, values).act is act


# --- probation ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("held", "act"),
    [
        (None, False), (comparison(-0.2, "worse"), True),
        (comparison(-0.2, "not_enough_evidence"), False),
        (comparison(0.2, "better"), False), (comparison(None, "worse"), False),
    ],
)  # fmt: skip
def test_probation_fails_only_when_the_new_version_is_significantly_worse(
    held: Comparison | None, act: bool
) -> None:
    assert decisions.fails_probation(held).act is act


def test_drift_says_whether_files_or_traffic_drifted() -> None:
    moved, calm = Drift(True, True, (MOVED,)), Drift(False, False)
    asked = settings(RETRAIN_WHEN="drift")
    of_files = decisions.material_drift(health(drift=moved, traffic_drift=calm), asked)
    of_traffic = decisions.material_drift(health(drift=calm, traffic_drift=moved), asked)
    assert "of the new files in" in of_files.reason
    assert "of the traffic since the last cycle in" in of_traffic.reason
    assert decisions.material_drift(health(drift=calm), asked).reason == "no material drift"
