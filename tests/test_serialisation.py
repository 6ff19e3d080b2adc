import json
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from retraining.records import (
    Comparison,
    Drift,
    EndingName,
    FeatureDrift,
    FileCounts,
    Hindsight,
    Outcome,
    Score,
)
from retraining.serialisation import (
    cycle_to_json,
    outcome_from_json,
    outcome_to_json,
    plain,
    record_from_json,
    record_to_json,
)
from tests.report import samples

KEYS = [
    "schema_version",
    "ending",
    "reason",
    "exit_code",
    "dry_run",
    "cycle_id",
    "run_id",
    "run_url",
    "trigger",
    "verdict",
    "production_version",
    "previous_version",
    "challenger_version",
    "metric",
    "threshold",
    "scores",
    "improvement",
    "interval",
    "confidence",
    "new_rows",
    "copied_rows",
    "test_rows",
    "traffic",
    "files",
    "drift",
    "seconds",
]


def test_every_key_is_there_and_null_where_nothing_happened() -> None:
    told = outcome_to_json(
        Outcome("too_few_files", "3 of 15 files waiting", files=FileCounts(waiting=3))
    )
    assert list(told) == KEYS
    assert told["scores"] == dict.fromkeys(
        ("production_on_new", "production_on_test", "challenger_on_test")
    )
    assert told["files"] == {"waiting": 3, "judged": 0, "archived": 0, "quarantined": 0}
    assert told["drift"] == {"detected": None, "material": None, "features": []}
    assert (told["seconds"], told["interval"], told["verdict"], told["exit_code"]) == (
        {},
        None,
        None,
        0,
    )


def test_scores_come_from_the_comparison_and_the_new_rows() -> None:
    comparison = Comparison(
        Score("accuracy", 0.81, 432),
        Score("accuracy", 0.84, 432),
        0.03,
        (0.01, 0.05),
        0.95,
        "better",
        rows=432,
        blocks=11,
    )
    told = outcome_to_json(
        Outcome(
            "promoted",
            "why",
            production_on_new=Score("accuracy", 0.7, 1500),
            comparison=comparison,
            new_rows=1500,
        )
    )
    assert told["scores"] == {
        "production_on_new": 0.7,
        "production_on_test": 0.81,
        "challenger_on_test": 0.84,
    }
    assert (told["improvement"], told["interval"], told["confidence"], told["test_rows"]) == (
        0.03,
        [0.01, 0.05],
        0.95,
        432,
    )
    assert (told["verdict"], told["new_rows"]) == ("better", 1500)


def test_numbers_of_numpy_and_numbers_that_are_none_become_plain_json() -> None:
    drift = Drift(
        detected=np.True_,
        material=False,
        features=(
            FeatureDrift(
                "age",
                np.float32(0.5),
                np.float64(0.25),
                None,
                np.float64("nan"),
                1.0,
                detected=np.True_,
                material=np.False_,
            ),
        ),
    )
    told = outcome_to_json(
        Outcome(
            "kept",
            "why",
            production_version=np.int64(3),
            drift=drift,
            seconds={"scoring": np.float32(0.5)},
        )
    )
    again = json.loads(json.dumps(told, allow_nan=False))
    assert again["drift"] == {
        "detected": True,
        "material": False,
        "features": [
            {
                "name": "age",
                "distance": 0.5,
                "p": 0.25,
                "q": None,
                "psi": None,
                "psi_corrected": 1.0,
                "detected": True,
                "material": False,
            }
        ],
    }
    assert type(told["production_version"]) is int
    assert again["seconds"] == {"scoring": 0.5}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (datetime(2026, 11, 20, tzinfo=UTC), "2026-11-20T00:00:00+00:00"),
        (float("-inf"), None),
        ((1, (2,)), [1, [2]]),
        ({3: {4}}, {"3": [4]}),
        (np.arange(3), [0, 1, 2]),
    ],
)
def test_plain_values(value: object, expected: object) -> None:
    assert plain(value) == expected


@pytest.mark.parametrize("ending", list(get_args(EndingName)))
def test_an_outcome_read_back_is_written_the_same(ending: EndingName) -> None:
    content = json.loads(json.dumps(outcome_to_json(samples.of_ending(ending))))
    assert outcome_to_json(outcome_from_json(content)) == content


def test_a_decision_that_an_older_release_wrote_is_read_to_the_last_figure() -> None:
    content = json.loads((Path(__file__).parent / "decision_0_1_0.json").read_text())
    record = record_from_json(content)
    comparison = record.outcome.comparison
    assert record.ending == "rejected"
    assert record.outcome.drift.features[0].psi_corrected == pytest.approx(0.0123)
    assert comparison is not None
    assert (comparison.verdict, comparison.rows) == ("worse", 400)
    assert comparison.champion.value == pytest.approx(0.84)
    assert record.served == Score("accuracy", 0.78, 1500, (0.75, 0.81))
    assert record.hindsight == record.outcome.hindsight
    written = json.loads(json.dumps(record_to_json(record)))
    assert written.pop("copied_rows") is None  # that release did not count them
    assert written.pop("traffic") is None  # nor did it have a log
    assert written == content


def test_a_past_cycle_tells_its_start_and_what_later_rows_say_of_it() -> None:
    (record,) = samples.records(1)
    told = cycle_to_json(record, Hindsight(2, 1, True, 0.021, (0.004, 0.038), 4500))
    assert list(told) == [*KEYS, "started", "hindsight"]
    assert told["started"] == record.started.isoformat()
    assert told["hindsight"]["gain"] == pytest.approx(0.021)
    assert cycle_to_json(record, None)["hindsight"] is None
