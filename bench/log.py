"""What the prediction log costs: answers with it against without, and how exports and retention
bear a long history: `python -m bench.log`.

The service runs in a process of its own, the clients in another, on one machine: read the ratios,
not the figures beside them. `--rows` sets how long the history is (5,000,000); it is written by the
log's own writer, so it takes a while.
"""

from __future__ import annotations

import argparse
import http.client
import json
import multiprocessing
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from examples.electricity import demo
from examples.electricity.loop import Service
from retraining.prediction_log.appending import append_all
from retraining.prediction_log.connection import JOB, open_database
from retraining.prediction_log.exports import FileAside, claim, mark_delivered
from retraining.prediction_log.labels import GivenLabel, take_labels
from retraining.prediction_log.layout import ensure_layout
from retraining.prediction_log.ready import ready_rows
from retraining.prediction_log.retention import remove_old
from retraining.prediction_log.rows import AnsweredRequest
from retraining.prediction_log.waits import Waits
from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from retraining.prediction_log.connection import Database

CLIENTS, ROUNDS = 16, 3
MODEL = "electricity"  # the demo's: its `monitor` finds these rows
NAMES = [f"feat_{number}" for number in range(1, 7)]
AT_ONCE, DAYS = 1000, 50


@dataclass(frozen=True)
class Pace:
    """Rows a second that were answered, the median of a request's seconds, and the service's CPU
    seconds a row.
    """

    rows: float
    median: float
    cpu: float


@dataclass(frozen=True)
class Served:
    """A service that runs."""

    port: int
    pid: int


def main() -> None:
    """Print both parts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=5_000_000, help="rows of history")
    parser.add_argument("--seconds", type=float, default=5, help="of each round of answers")
    parser.add_argument("--only", choices=("answers", "history"), help="one of the two parts")
    args = parser.parse_args()
    if args.only != "history":
        compare_answers(args.seconds)
    if args.only != "answers":
        bear_history(args.rows)


# --- answers --------------------------------------------------------------------------------------
def compare_answers(seconds: float) -> None:
    """Answers with the log and without, in turns, by the same clients."""
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "project"
        demo.prepare(project, demo.weeks(demo.days_of_the_market()))
        demo.start(project, "register_first_model.py", "--train-from", "used_data", "--set-alias")
        print("rows in a request; rows a second with the log, without, ratio; ratio of medians;")
        print("microseconds of CPU a row with the log, without")
        for rows in (1, 64):
            on, off = _in_turns(project, rows, seconds)
            ratio, medians = on.rows / off.rows, on.median / off.median
            paces = f"{on.rows:>9,.0f} {off.rows:>9,.0f} {ratio:>6.2f} {medians:>6.2f}"
            print(f"{rows:>3} {paces} {on.cpu * 1e6:>9,.0f} {off.cpu * 1e6:>9,.0f}", flush=True)


def _in_turns(project: Path, rows: int, seconds: float) -> tuple[Pace, Pace]:
    found: dict[str, list[Pace]] = {"1": [], "0": []}
    with serving(project, "1") as on, serving(project, "0") as off:
        for turn in range(ROUNDS + 1):
            for share, service in (("1", on), ("0", off)):
                pace = _paced(service, rows, seconds)
                if turn:  # the first one warms up
                    found[share].append(pace)
    return _middle(found["1"]), _middle(found["0"])


def _middle(paces: list[Pace]) -> Pace:
    return Pace(
        statistics.median(pace.rows for pace in paces),
        statistics.median(pace.median for pace in paces),
        statistics.median(pace.cpu for pace in paces),
    )


def _paced(served: Served, rows: int, seconds: float) -> Pace:
    before = _cpu_seconds(served.pid)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        taken = pool.apply(_ask_for_a_while, (served.port, rows, seconds))
    cpu = _cpu_seconds(served.pid) - before
    answered = len(taken) * rows
    return Pace(answered / seconds, statistics.median(taken), cpu / answered)


def _cpu_seconds(pid: int) -> float:
    """What a process has used, by Linux's own books: it does not depend on who else is at work."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _ask_for_a_while(port: int, rows: int, for_seconds: float) -> list[float]:
    """Seconds of each request that some clients made, each on a connection of its own."""
    record = dict.fromkeys(NAMES, 0.25)
    body = json.dumps({"dataframe_records": [record] * rows}).encode()
    seconds: list[float] = []
    end = time.monotonic() + for_seconds

    def client() -> None:
        link = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        while time.monotonic() < end:
            began = time.perf_counter()
            link.request("POST", "/predict", body, {"Content-Type": "application/json"})
            link.getresponse().read()
            seconds.append(time.perf_counter() - began)
        link.close()

    threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return seconds


@contextmanager
def serving(project: Path, share: str) -> Iterator[Served]:
    """The service, with a share of its requests logged."""
    port = free_port()
    command = [sys.executable, str(demo.CLONE / "prediction_service.py"), "-q"]
    command += ["--project", str(project), "--port", str(port)]
    environment = {**demo.environment(os.environ), "PREDICTION_LOG_SHARE": share}
    process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL)
    try:
        Service(port).wait_for()
        yield Served(port, process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


# --- history --------------------------------------------------------------------------------------
def bear_history(rows: int) -> None:
    """A log that grows: what an export of 1,000 rows costs as it does, and one day's retention at
    the end.
    """
    with tempfile.TemporaryDirectory() as folder:
        database = open_database(f"sqlite:///{folder}/predictions.db", JOB)
        ensure_layout(database)
        today = datetime(2026, 3, 1, tzinfo=UTC)
        print("rows exported before, CPU seconds of the next export of 1,000 rows")
        for day in range(DAYS):
            when = today - timedelta(days=DAYS - day)
            seconds = _a_day(database, when, rows // DAYS)
            if day in (0, DAYS // 2, DAYS - 1):
                print(f"{day * rows // DAYS:>12,} {seconds:>8.3f}", flush=True)
        began, cpu = time.perf_counter(), time.process_time()
        removed = remove_old(database, MODEL, DAYS - 1, today).predictions
        wall, cpu = time.perf_counter() - began, time.process_time() - cpu
        print(f"retention: {removed:,} rows of one day in {wall:.1f} s, {cpu:.1f} s of CPU")
        database.close()


def _a_day(database: Database, when: datetime, count: int) -> float:
    """Rows of a day, all labelled and exported; CPU seconds of the first of its exports."""
    first = 0.0
    for at in write_a_day(database, when, count):
        began = time.process_time()
        _export(database, at)
        first = first or time.process_time() - began
    return first


def write_a_day(database: Database, when: datetime, count: int) -> Iterator[datetime]:
    """Rows of a day with their labels, a request of `AT_ONCE` rows at a time; each one's time."""
    for start in range(0, count, AT_ONCE):
        at = when + timedelta(seconds=start / count * 86_000)
        ids = [f"{when:%j}-{number:07d}" for number in range(start, start + AT_ONCE)]
        with database.writing() as connection:
            append_all(connection, MODEL, [_request(ids, at)])
        given = [GivenLabel(name, "1", is_class=True) for name in ids]
        take_labels(database, MODEL, given, at)
        yield at


def _export(database: Database, at: datetime) -> None:
    waits = Waits(("0", "1"), rows_per_file=AT_ONCE)
    with database.reading() as connection:
        rows = ready_rows(connection, MODEL, waits, at)
    export = claim(database, MODEL, FileAside("predictions", "parquet", "0" * 64, 1, ""), rows, at)
    assert export is not None
    mark_delivered(database, MODEL, export, at)


def _request(ids: list[str], at: datetime) -> AnsweredRequest:
    columns: dict[str, Any] = {name: [0.25] * len(ids) for name in NAMES}
    return AnsweredRequest(
        request_id=f"r-{ids[0]}",
        request_time=at,
        model_version=1,
        prediction_ids=ids,
        ids_are_the_callers=False,
        features=columns,
        predictions=["1"] * len(ids),
        classes=(0, 1),
        probabilities=[[0.5, 0.5]] * len(ids),
    )


if __name__ == "__main__":
    main()
