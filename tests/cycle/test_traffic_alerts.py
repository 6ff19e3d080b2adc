"""Which alerts hold: what is significant against a version's record, or under the threshold that
decides.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from retraining import settings
from retraining.cycle.traffic import Share
from retraining.cycle.traffic_alerts import Standard, alerts_of, record_of
from retraining.cycle.traffic_drift import TrafficDrift
from retraining.records import CycleRecord, Drift, FeatureDrift, Outcome, Score
from retraining.statistics import Calibration

if TYPE_CHECKING:
    from pathlib import Path

    from retraining.settings import Settings

NOTHING_MOVED = TrafficDrift(Drift(), 1000, 3)
MOVED = FeatureDrift("speed", 0.4, 0.001, 0.01, 0.5, 0.49, detected=True, material=True)
RECORD = Score("accuracy", 0.9, 2000, (0.88, 0.92))
HELD_TO = Standard(3, RECORD, None)


@pytest.fixture
def accuracy(tmp_path: Path) -> Settings:
    return settings.load(tmp_path, {})


def scored(value: float, low: float, high: float, rows: int = 500) -> Score:
    return Score("accuracy", value, rows, (low, high))


def kinds(standard: Standard, share: Share, chosen: Settings, drift: Any = NOTHING_MOVED) -> Any:
    return [one.kind for one in alerts_of(standard, share, drift, chosen)]


def test_nothing_holds_where_all_is_as_it_was(accuracy: Settings) -> None:
    as_before = scored(0.89, 0.86, 0.92)
    assert kinds(HELD_TO, Share(500, 500, as_before, as_before), accuracy) == []
    assert kinds(HELD_TO, Share(500, 0, None, None), accuracy) == []


def test_a_realised_score_wholly_under_its_record_is_concept_drift(accuracy: Settings) -> None:
    low = scored(0.8, 0.77, 0.83)
    (alert,) = alerts_of(HELD_TO, Share(500, 500, low), NOTHING_MOVED, accuracy)
    assert alert.kind == "concept_drift"
    assert (
        "accuracy 0.8000 [0.7700, 0.8300] on 500 rows in traffic, worse than its record"
        in alert.what
    )
    assert "run --force" in alert.action_required
    overlapping = scored(0.86, 0.82, 0.90)
    assert kinds(HELD_TO, Share(500, 500, overlapping), accuracy) == []


def test_the_threshold_counts_where_it_decides(accuracy: Settings) -> None:
    fair = Share(500, 500, scored(0.89, 0.87, 0.91))
    assert kinds(replace(HELD_TO, threshold=0.95), fair, accuracy) == ["concept_drift"]
    assert kinds(replace(HELD_TO, threshold=0.88), fair, accuracy) == []


def test_labels_of_a_few_hours_are_taken_at_their_word_if_they_are_enough(
    accuracy: Settings,
) -> None:
    """They have no interval; so is the threshold asked of a cycle's files."""
    standard = Standard(3, None, 0.8)
    for rows, expected in ((49, []), (50, ["concept_drift"])):
        bad = Share(rows, rows, Score("accuracy", 0.5, rows))
        assert kinds(standard, bad, accuracy) == expected
    (told,) = alerts_of(standard, bad, NOTHING_MOVED, accuracy)
    assert "worse than the threshold 0.8 (perhaps by chance" in told.what


def test_an_estimate_that_is_low_says_that_no_label_says_so(accuracy: Settings) -> None:
    share = Share(500, 0, None, scored(0.7, 0.65, 0.75))
    (alert,) = alerts_of(HELD_TO, share, NOTHING_MOVED, accuracy)
    assert alert.kind == "estimate_low"
    assert "no label says so yet" in alert.what
    assert "retrains nothing" in alert.action_required


def test_a_metric_that_is_better_where_it_is_lower_is_held_to_it_the_other_way_round(
    tmp_path: Path,
) -> None:
    errors = settings.load(tmp_path, {"METRIC": "error_rate", "RETRAIN_WHEN": "drop"})
    standard = Standard(3, Score("error_rate", 0.1, 900, (0.08, 0.12)), None)
    for low, high, expected in ((0.2, 0.3, ["concept_drift"]), (0.01, 0.05, []), (0.11, 0.2, [])):
        share = Share(500, 500, Score("error_rate", (low + high) / 2, 500, (low, high)))
        assert kinds(standard, share, errors) == expected


def test_only_material_drift_is_told_with_the_columns_that_moved(accuracy: Settings) -> None:
    small = replace(MOVED, material=False)
    told = TrafficDrift(Drift(True, True, (MOVED, small)), 800, 3)
    (alert,) = alerts_of(HELD_TO, None, told, accuracy)
    assert (alert.kind, alert.numbers["psi"]) == ("data_drift", {"speed": 0.49})
    assert "the last 800 predictions drifted from what v3 learned: speed" in alert.what
    assert (
        alerts_of(HELD_TO, None, TrafficDrift(Drift(True, False, (small,)), 800, 3), accuracy) == ()
    )
    line = alert.to_json()
    assert line["try"] == line["action_required"] == alert.action_required


# --- the record -----------------------------------------------------------------------------------


def served(value: float, version: int = 3, metric: str = "accuracy") -> CycleRecord:
    outcome = Outcome("kept", "good", previous_version=version, production_version=version)
    score = Score(metric, value, 1000)
    began = datetime(2026, 3, 1, tzinfo=UTC)
    return CycleRecord(
        1, "cycle", "run", began, outcome, served=score, served_error=0.01, served_blocks=10
    )


def test_its_record_is_what_it_scored_on_the_batches_that_it_served(accuracy: Settings) -> None:
    records = [served(0.9), served(0.92), served(0.5, version=2), served(0.1, metric="f1")]
    found = record_of(3, records, accuracy, promised=0.99, calibration=None)
    assert found is not None
    assert found.value == pytest.approx(0.91)
    assert found.interval is not None
    assert 0.88 < found.interval[0] < 0.91 < found.interval[1] < 0.94


def test_before_its_first_batch_it_is_held_to_its_test_rows(accuracy: Settings) -> None:
    carried = Calibration(("0", "1"), (150, 250), (), ())
    found = record_of(3, [], accuracy, promised=0.9, calibration=carried)
    assert found is not None
    assert found.interval is not None
    assert found.interval[1] - found.interval[0] == pytest.approx(2 * 1.966 * 0.015, rel=0.01)
    assert record_of(3, [], accuracy, promised=0.9, calibration=None) is None
