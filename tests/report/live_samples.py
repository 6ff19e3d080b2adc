"""What the live page could show of a project in its first month; all randomness seeded."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np

from retraining.folders.failed_start import FailedStart
from retraining.records import Batch, BatchFile, Drift
from retraining.report.live.material import (
    Age,
    AlertLine,
    AnswerShare,
    Books,
    CycleJob,
    Day,
    Doing,
    LiveFacts,
    LoggedRow,
    PageSettings,
    Part,
    Pulse,
    ScoreOnRows,
    SeenTraffic,
    Serving,
)
from tests.report import samples

NOW = samples.NIGHT + timedelta(hours=12)
COMMAND = "python pipeline_orchestrator.py --project /srv/retraining"
HOSTILE = "<script>window.ran=1</script><img src=x onerror=window.ran=1>'\"`{{7*7}}\u202e\x1b[31m"


def page_settings(**changes: Any) -> PageSettings:
    usual = PageSettings(
        model_name="classifier",
        alias="production",
        metric="accuracy",
        threshold=0.8,
        greater_is_better=True,
        min_new_files=15,
        monitor_every=300.0,
        command=COMMAND,
        register_command="python register_first_model.py --project /srv/retraining",
    )
    return replace(usual, **changes)


def serving(**changes: Any) -> Serving:
    usual = Serving(
        version=5,
        alias_version=5,
        since=NOW - timedelta(days=3),
        up_since=NOW - timedelta(days=9, hours=3),
        store_ok=True,
        store_since=NOW - timedelta(days=9),
    )
    return replace(usual, **changes)


def measured(value: float, rows: int, half: float = 0.02) -> ScoreOnRows:
    return ScoreOnRows(value, (value - half, value + half), rows)


def days(count: int = 30) -> tuple[Day, ...]:
    random = np.random.default_rng(11)
    made = []
    for back in reversed(range(count)):
        rows = int(400 + 80 * random.normal())
        labelled = rows if back > 5 else max(0, rows * (back - 1) // 5)
        score = 0.84 + 0.015 * random.normal() - 0.002 * max(0, 14 - back) * (back > 3)
        realised = measured(score, labelled, 0.03) if labelled > 30 else None
        estimate = measured(0.84 + 0.006 * random.normal(), rows)
        made.append(
            Day((NOW - timedelta(days=back)).date(), Part(rows, labelled, realised, estimate))
        )
    return tuple(made)


def seen(**changes: Any) -> SeenTraffic:
    of_days = days()
    predictions = sum(day.part.predictions for day in of_days)
    labelled = sum(day.part.labelled for day in of_days)
    whole = Part(
        predictions, labelled, measured(0.838, labelled, 0.008), measured(0.841, predictions)
    )
    of_five = Part(4_112, 3_024, measured(0.842, 3_024, 0.014), measured(0.843, 4_112))
    coverage = tuple(
        Age(age, 400, min(400, int(400 * (1 - 0.6**age)))) for age in range(len(of_days))
    )
    usual = SeenTraffic(
        made=NOW - timedelta(minutes=3),
        days=30,
        whole=whole,
        by_version={4: Part(8_000, 7_900, measured(0.836, 7_900)), 5: of_five},
        by_day=of_days,
        coverage=coverage,
        labels_in_days=6,
        drift=Drift(detected=True, material=False, features=samples.drift().features[::-1]),
        window_rows=1_000,
        reference_version=5,
        answers=(AnswerShare("down", 0.58, 0.49), AnswerShare("up", 0.42, 0.51)),
    )
    return replace(usual, **changes)


def books(**changes: Any) -> Books:
    records = tuple(
        replace(
            record,
            batch=Batch(
                record.number,
                tuple(BatchFile(f"{record.number}-{i}.csv", f"{i}", 100) for i in range(15)),
            ),
        )
        for record in samples.records()
    )
    usual = Books(
        read=NOW - timedelta(seconds=4),
        cycles=records,
        hindsight=samples.hindsight(),
        holder=5,
        promised=0.85,
        waiting=6,
    )
    return replace(usual, **changes)


def pulse(count: int = 60) -> tuple[Pulse, ...]:
    random = np.random.default_rng(5)
    made = []
    for place in range(count):
        requests = int(random.poisson(240 + 120 * np.sin(place / 9)))
        p50 = 0.004 + 0.0005 * random.random()
        start = NOW - timedelta(minutes=24 * (count - place))
        made.append(Pulse(start, 1440.0, requests * 24, p50, p50 * (2.5 + random.random())))
    return tuple(made)


def rows(count: int = 12) -> tuple[LoggedRow, ...]:
    return tuple(
        LoggedRow(
            time=NOW - timedelta(seconds=7 * place),
            prediction_id=f"01a2181f71{place:02d}-0",
            version=5,
            answer="up" if place % 3 else "down",
            sure=0.61 + 0.02 * place,
            milliseconds=4.2,
            caller="shop",
            features="speed=1.5, load=0.2, city=north, vicprice=0.003467, transfer=0.414912",
        )
        for place in range(count)
    )


def alerts() -> tuple[AlertLine, ...]:
    return (
        AlertLine(
            "data_drift",
            "inputs drifted: speed",
            "Find out why these columns changed.",
            NOW - timedelta(hours=5),
            "cycle-29",
        ),
        AlertLine(
            "promotion",
            "v5 replaced v4 in production",
            f"Nothing needs to be done; `{COMMAND} rollback` undoes it.",
            NOW - timedelta(days=3),
            "cycle-28",
        ),
    )


def job(**changes: Any) -> CycleJob:
    usual = CycleJob(
        job_id="01a2182f7b3d92b6a67213cb0775942c",
        state="ended",
        started=NOW - timedelta(minutes=50),
        ending="kept",
        exit_code=0,
        reason="production scored accuracy 0.8420, better than the threshold 0.8",
        cycle_id="cycle-30",
    )
    return replace(usual, **changes)


def facts(**changes: Any) -> LiveFacts:
    """All is well."""
    usual = LiveFacts(
        now=NOW,
        settings=page_settings(),
        serving=serving(),
        seen=seen(),
        books=books(),
        pulse=pulse(),
        rows=rows(),
        alerts=alerts(),
        doing=Doing(may_operate=True, job=job()),
        reports="page/reports/{}",
    )
    return replace(usual, **changes)


def in_trouble() -> LiveFacts:
    """Much is wrong at once."""
    low = replace(seen().by_version[5], realised=measured(0.712, 3_024, 0.014))
    failed = FailedStart("2026-11-20T02:17:31+00:00", 1, "The disk is full.", "Make room.")
    drift = samples.drift()._replace(features=samples.drift().features[::-1])
    return facts(
        serving=serving(log_dropped_lately=True),
        seen=seen(by_version={5: low}, drift=drift),
        books=books(failed_start=failed, awaiting_approval=6, quarantined=2),
        doing=Doing(may_operate=True, job=job(state="running", said="training a challenger")),
    )


def hostile() -> LiveFacts:
    """A stranger's words in every field that takes any."""
    drift = samples.drift()
    features = tuple(replace(one, name=HOSTILE) for one in drift.features)
    line = AlertLine(HOSTILE, HOSTILE, HOSTILE, NOW, HOSTILE)
    cycles = tuple(
        replace(
            record,
            cycle_id=HOSTILE,
            outcome=record.outcome._replace(
                reason=HOSTILE, run_url=f"javascript:{HOSTILE}", cycle_id=HOSTILE
            ),
        )
        for record in samples.records()
    )
    row = replace(
        rows()[0], prediction_id=HOSTILE, answer=HOSTILE, caller=HOSTILE, features=HOSTILE
    )
    return facts(
        settings=page_settings(
            model_name=HOSTILE, alias=HOSTILE, command=HOSTILE, register_command=HOSTILE
        ),
        serving=serving(unserved=HOSTILE),
        seen=seen(
            drift=drift._replace(features=features),
            answers=(AnswerShare(HOSTILE, 0.4, 0.6),),
            alerts=(line,),
            not_estimated=HOSTILE,
        ),
        books=books(
            cycles=cycles,
            hold=HOSTILE,
            failed_start=FailedStart(HOSTILE, 1, HOSTILE, HOSTILE),
            reason=HOSTILE,
        ),
        rows=(row,),
        alerts=(line,),
        doing=Doing(may_operate=True, job=job(state="running", said=HOSTILE)),
    )
