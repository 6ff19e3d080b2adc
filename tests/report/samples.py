"""Outcomes, records and material as a year of cycles could leave them; all randomness seeded."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from retraining.outcomes import TrafficTrial
from retraining.records import (
    ClassResult,
    Comparison,
    CycleRecord,
    DataFile,
    Drift,
    FeatureDrift,
    FileCounts,
    Hindsight,
    Outcome,
    Score,
    SliceResult,
)
from retraining.report.material import Distribution, RefusedFile, ReportMaterial, TestSet
from retraining.statistics import Predictions

NIGHT = datetime(2026, 11, 20, 2, 17, tzinfo=UTC)
CLASSES = ("down", "up")
HOSTILE = "=cmd|' /C calc'!A0<script>alert(1)</script>\u202e.csv"


def accuracy(value: float, rows: int, half: float = 0.03) -> Score:
    return Score("accuracy", value, rows, (value - half, value + half))


def comparison(improvement: float = 0.031, rows: int = 1432) -> Comparison:
    return Comparison(
        champion=accuracy(0.811, rows),
        challenger=accuracy(0.811 + improvement, rows),
        improvement=improvement,
        interval=(improvement - 0.027, improvement + 0.027),
        confidence=0.95,
        verdict=(
            "better"
            if improvement > 0.027
            else "worse"
            if improvement < -0.027
            else "not_enough_evidence"
        ),
        rows=rows,
        blocks=11,
        rows_dropped=3,
        per_class=tuple(
            ClassResult(name, rows // 2, *(0.8, 0.82, 0.84), *(0.8, 0.82, 0.84)) for name in CLASSES
        ),
        slices=(
            SliceResult("region = north", 720, 11, -0.041, 1.0, vetoes=False),
            SliceResult("region = south", 640, 11, 0.012, 0.31, vetoes=False),
            SliceResult("region = (other)", 72, 9, None, None, vetoes=False),
        ),
    )


def drift() -> Drift:
    features = [
        FeatureDrift(
            name=f"feature_{i}",
            distance=0.01 * i,
            p=0.4 / (i + 1) ** 2,
            q=0.5 / (i + 1) ** 2,
            psi=0.02 * i,
            psi_corrected=max(0.0, 0.02 * i - 0.03),
            detected=i > 3,
            material=i > 6,
        )
        for i in range(9)
    ]
    return Drift(detected=True, material=True, features=tuple(features))


def promoted() -> Outcome:
    return Outcome(
        "promoted",
        "production scored accuracy 0.7620, worse than the threshold 0.8; v8 beats v7",
        cycle_id="20261120T021700Z-ab12cd",
        number=30,
        started=NIGHT,
        run_id="4f1c0b9f6e0d4d3f9a7c2b1a0e9d8c7b",
        run_url="http://127.0.0.1:5000/#/experiments/1/runs/4f1c0b9f6e0d4d3f9a7c2b1a0e9d8c7b",
        trigger="threshold",
        production_version=8,
        previous_version=7,
        challenger_version=8,
        metric="accuracy",
        threshold=0.8,
        production_on_new=accuracy(0.762, 1500),
        comparison=comparison(),
        new_rows=1500,
        files=FileCounts(archived=15, quarantined=2),
        drift=drift(),
        traffic=TrafficTrial(1000, 0.934, 0),
        seconds={"monitoring": 0.412, "training": 4.21, "comparison": 0.2},
    )


def of_ending(ending: str) -> Outcome:
    """The sample outcome as it would have ended otherwise."""
    changes = {
        "kept": {
            "production_version": 7,
            "challenger_version": None,
            "comparison": None,
            "trigger": None,
        },
        "rejected": {"production_version": 7, "comparison": comparison(-0.035)},
        "awaiting_approval": {"production_version": 7},
        "rolled_back": {
            "production_version": 7,
            "previous_version": 8,
            "challenger_version": None,
            "comparison": None,
            "probation": comparison(-0.04, 1500),
        },
        "superseded": {"production_version": 5},
        "failed": {
            "exit_code": 1,
            "comparison": None,
            "production_on_new": None,
            "reason": "The disk is full.",
        },
        "too_few_files": {
            "comparison": None,
            "production_on_new": None,
            "cycle_id": None,
            "reason": "3 of 15 files waiting",
        },
        "unchanged": {
            "comparison": None,
            "production_on_new": None,
            "cycle_id": None,
            "reason": "no new files",
        },
    }
    return promoted()._replace(ending=ending, **changes.get(ending, {}))


def rows_compared(classes: tuple[str, ...] = CLASSES, rows: int = 1432) -> TestSet:
    random = np.random.default_rng(7)
    count = len(classes)
    truth = random.integers(0, count, rows)

    def model(skill: float) -> Predictions:
        weights = np.exp(random.normal(size=(rows, count)) + skill * np.eye(count)[truth])
        probabilities = weights / weights.sum(axis=1, keepdims=True)
        return Predictions(
            truth, probabilities.argmax(axis=1), probabilities, np.arange(rows) % 11, count
        )

    return TestSet(classes, model(1.2), model(1.7))


def distributions(bins: int = 10) -> dict[str, Distribution]:
    centre = np.linspace(-2, 2, bins)
    return {
        f"feature_{i}": Distribution(
            tuple(f"{edge:.1f}" for edge in centre),
            tuple(1000 * np.exp(-(centre**2))),
            tuple(300 * np.exp(-((centre - 0.12 * i) ** 2))),
        )
        for i in range(9)
    }


def records(count: int = 30) -> tuple[CycleRecord, ...]:
    random = np.random.default_rng(3)
    made, serving, score = [], 1, 0.83
    for number in range(1, count + 1):
        ending = (
            "promoted"
            if number % 7 == 0
            else "rolled_back"
            if number % 15 == 0
            else "rejected"
            if number % 5 == 0
            else "kept"
        )
        before = serving
        serving += (ending == "promoted") - (ending == "rolled_back")
        score = (
            0.83
            if ending == "rolled_back"
            else score
            - 0.006
            + random.normal() * 0.006
            + (0.04 if made and made[-1].ending == "promoted" else 0)
        )
        outcome = of_ending(ending)._replace(
            production_version=serving,
            previous_version=before,
            challenger_version=before + 1,
        )
        started = NIGHT - timedelta(days=count - number + 1)
        record = CycleRecord(
            number,
            f"cycle-{number}",
            f"run-{number}",
            started,
            outcome,
            served=accuracy(score, 1500, 0.02),
        )
        made.append(record)
    return tuple(made)


def hindsight() -> dict[str, Hindsight]:
    return {
        "cycle-7": Hindsight(2, 1, True, 0.021, (0.004, 0.038), 4500),
        "cycle-10": Hindsight(3, 2, False, -0.011, (-0.03, 0.008), 3000),
    }


def material(folder: Path = Path("new_data")) -> ReportMaterial:
    used = tuple(
        DataFile(
            f"day_{i:03}.csv",
            hashlib.sha256(bytes([i])).hexdigest(),
            folder / f"day_{i:03}.csv",
            100,
        )
        for i in range(15)
    )
    refused = (
        RefusedFile("broken.csv", "f" * 64, "row 17, column age: 'twelve' is not a number"),
        RefusedFile(
            HOSTILE,
            "e" * 64,
            "=HYPERLINK(\"http://evil\") row 1, column <b>: '\x1b[31m' is not a number",
            12,
        ),
    )
    return ReportMaterial(
        test_set=rows_compared(),
        distributions=distributions(),
        used=used,
        refused=refused,
        history=records(),
        hindsight=hindsight(),
        model_name="classifier",
    )
