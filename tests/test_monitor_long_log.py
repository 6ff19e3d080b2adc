"""`monitor` on a log of five million rows: what it costs, and that it still tells the truth."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import random
import sqlite3
import subprocess
import sys
import time
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

ROWS, ROWS_A_REQUEST, DAYS = 5_000_000, 20, 28.9  # `monitor` looks at 29 whole days and today
ROWS_AT_ONCE = 100_000
COLUMNS = (
    "model_name, prediction_id, request_id, request_time, row_index, model_version, features, "
    "prediction, classes, probabilities, execution_ms, schema_version, label_waits"
)
MOST_TIMES = 3  # what sqlite takes at least
ANSWERS_AND_LABELS = """
    SELECT COUNT(prediction), COUNT(model_version), COUNT(label)
    FROM predictions INDEXED BY predictions_by_time
    LEFT JOIN labels ON labels.model_name = predictions.model_name
        AND labels.prediction_id = predictions.prediction_id AND labels.superseded = 0
    WHERE predictions.model_name = 'classifier' AND request_time >= '2'"""
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


def cpu_of_sqlite(path: Path) -> float:
    """Seconds of CPU that sqlite takes at least: to read each answer and to find its label."""
    began = time.process_time()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute(ANSWERS_AND_LABELS).fetchall()
    return time.process_time() - began


@pytest.mark.soak
@pytest.mark.timeout(7200)  # it writes the five million rows first
def test_five_million_rows_are_told_truly_in_500_mb_and_few_times_what_sqlite_takes(
    tmp_path: Path, empty_store: Path
) -> None:
    project = Project.with_first_model(tmp_path / "project", empty_store)
    (project.folder / "predictions").mkdir()
    log = project.folder / "predictions" / "predictions.db"
    # in a process of its own: what is started from here is never told as smaller than this one
    filling = multiprocessing.get_context("spawn").Process(target=fill, args=(log,))
    filling.start()
    filling.join()
    assert filling.exitcode == 0
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
    at_least = cpu_of_sqlite(log)
    print(f"\n{seconds:.1f} s of CPU, {at_least:.1f} s of sqlite alone, {megabytes:.0f} MB")
    assert seconds < MOST_TIMES * at_least
    assert megabytes < 500
