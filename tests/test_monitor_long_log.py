"""`monitor` on a log of five million rows: what it costs, and that it still tells the truth."""

from __future__ import annotations

import json
import os
import random
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from retraining.prediction_log.connection import JOB, open_database
from retraining.prediction_log.layout import ensure_layout
from retraining.prediction_log.times import text_of
from tests.projects import ORCHESTRATOR, Project, environment_of_cron

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROWS, ROWS_A_REQUEST, DAYS = 5_000_000, 20, 29.9
COLUMNS = (
    "model_name, prediction_id, request_id, request_time, row_index, model_version, features, "
    "prediction, classes, probabilities, execution_ms, schema_version, label_waits"
)
LABEL_COLUMNS = "model_name, prediction_id, label, label_time, received_time, superseded"


def requests(now: datetime) -> Iterator[tuple[int, str, datetime]]:
    """Number, id and time of each request."""
    for number in range(ROWS // ROWS_A_REQUEST):
        before = (1 - number * ROWS_A_REQUEST / ROWS) * DAYS
        yield number, f"{number:032x}", now - timedelta(days=before)


def predictions(now: datetime) -> Iterator[tuple[object, ...]]:
    """Rows as the service writes them.

    Every answer is as likely to be right as its probability says.
    """
    draw = random.Random(1)
    for number, name, at in requests(now):
        version = 1
        for row in range(ROWS_A_REQUEST):
            second = draw.random()
            features = json.dumps(
                {"speed": draw.gauss(0, 1), "load": draw.gauss(0, 1), "city": "north"}
            )
            answer, given = str(int(second > 0.5)), json.dumps([1 - second, second])
            yield (
                "classifier", f"{name}-{row}", name, text_of(at), row, version, features,
                answer, "[0,1]", given, 1.5, 1, int(number % 10 < 6),
            )  # fmt: skip


def labels(now: datetime) -> Iterator[tuple[object, ...]]:
    """Six requests of ten get all their labels, within three days; every second label is 1."""
    draw = random.Random(2)
    for number, name, at in requests(now):
        if number % 10 < 6:
            came = text_of(min(now, at + timedelta(days=3 * draw.random())))
            for row in range(ROWS_A_REQUEST):
                yield "classifier", f"{name}-{row}", str(row % 2), came, came, 0


def fill(path: Path) -> None:
    database = open_database(f"sqlite:///{path}", JOB)
    ensure_layout(database)
    database.close()
    now = datetime.now(UTC)
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        for table, columns, rows in (
            ("predictions", COLUMNS, predictions(now)),
            ("labels", LABEL_COLUMNS, labels(now)),
        ):
            places = ", ".join("?" * len(columns.split(",")))
            connection.executemany(f"INSERT INTO {table} ({columns}) VALUES ({places})", rows)
    connection.close()


@pytest.mark.soak
@pytest.mark.timeout(7200)  # it writes the five million rows first
def test_five_million_rows_cost_under_ten_seconds_of_cpu_and_500_mb(
    tmp_path: Path, empty_store: Path
) -> None:
    project = Project.with_first_model(tmp_path / "project", empty_store)
    (project.folder / "predictions").mkdir()
    fill(project.folder / "predictions" / "predictions.db")
    command = [sys.executable, ORCHESTRATOR, "monitor", "--json", "--project", str(project.folder)]
    output = tmp_path / "told.json"
    with output.open("w") as stream:
        process = subprocess.Popen(command, stdout=stream, env=environment_of_cron(project.folder))
        _, status, usage = os.wait4(process.pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    told = json.loads(output.read_text())
    assert (told["predictions"], told["labelled"]) == (ROWS, ROWS * 6 // 10)
    assert told["realised"]["rows"] == ROWS * 6 // 10
    assert sum(day["predictions"] for day in told["days"]) == ROWS
    seconds, megabytes = usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024
    print(f"\n{seconds:.1f} s of CPU, {megabytes:.0f} MB")
    assert seconds < 10
    assert megabytes < 500
