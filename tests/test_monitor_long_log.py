"""`monitor` on a log of five million rows: what it costs, and that it still tells the truth."""

from __future__ import annotations

import contextlib
import json
import os
import random
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import islice
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
ROWS_AT_ONCE = 100_000
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
            speed, load = draw.gauss(0, 1), draw.gauss(0, 1)
            features = f'{{"speed":{speed!r},"load":{load!r},"city":"north"}}'
            answer, given = str(int(second > 0.5)), f"[{1 - second!r},{second!r}]"
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
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        connection.execute(
            "PRAGMA cache_size=-400000"
        )  # KiB: the indexes fit, so it is far quicker
        for table, columns, rows in (
            ("predictions", COLUMNS, predictions(now)),
            ("labels", LABEL_COLUMNS, labels(now)),
        ):
            places = ", ".join("?" * len(columns.split(",")))
            insert = f"INSERT INTO {table} ({columns}) VALUES ({places})"
            while some := list(islice(rows, ROWS_AT_ONCE)):
                with connection:  # a commit: one of all rows would be written twice
                    connection.executemany(insert, some)


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
