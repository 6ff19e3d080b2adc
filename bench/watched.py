"""How much longer answers take while `monitor` looks at a long log: `python -m bench.watched`.

A service answers callers who ask at a steady pace, from a process of their own. In turns nobody
looks at its log of a million rows, and `monitor` does at the priority that the service gives it.
An answer's time begins when it was due, not when it was asked for: what waits behind a slow answer
counts too. `--rows` sets how long the log is, `--turns` how often each is tried. Read the ratios.
"""

from __future__ import annotations

import argparse
import http.client
import json
import multiprocessing
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.log import NAMES, serving, write_a_day
from bench.measuring import measured, ratio
from examples.electricity import demo
from retraining.prediction_log.connection import JOB, open_database
from retraining.prediction_log.layout import ensure_layout
from retraining.serving.jobs import NICENESS_OF_A_LOOK, give_way

if TYPE_CHECKING:
    from collections.abc import Iterator

CLIENTS, ASKED_A_SECOND = 4, 25  # each of the clients
DAYS = 25
LOOKS = ("nobody", "monitor")


def main() -> None:
    """Print the percentiles of each kind of turn, and the ratios to those without a look."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the log")
    parser.add_argument("--seconds", type=float, default=8, help="of each turn")
    parser.add_argument("--turns", type=int, default=6)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "project"
        demo.prepare(project, demo.weeks(demo.days_of_the_market()))
        demo.start(project, "register_first_model.py", "--train-from", "used_data", "--set-alias")
        write_log(project, args.rows)
        _compare(project, args.seconds, args.turns)


def write_log(project: Path, rows: int) -> None:
    """A log of the last days, each row with its label."""
    (project / "predictions").mkdir()
    database = open_database(f"sqlite:///{project}/predictions/predictions.db", JOB)
    ensure_layout(database)
    first_day = datetime.now(UTC) - timedelta(days=DAYS)
    for day in range(DAYS):
        for _ in write_a_day(database, first_day + timedelta(days=day), rows // DAYS):
            pass
    database.close()
    found = json.loads(measured(monitor_on(project)).out)["predictions"]
    if found < rows:
        raise RuntimeError(f"monitor finds {found:,} of {rows:,} rows")


def monitor_on(project: Path) -> list[str]:
    """The command that looks at a project's log."""
    script = str(demo.CLONE / "pipeline_orchestrator.py")
    return [sys.executable, script, "monitor", "--json", "--project", str(project), "-q"]


def _compare(project: Path, seconds: float, turns: int) -> None:
    found: dict[str, list[float]] = {name: [] for name in LOOKS}
    with serving(project, "1") as service:
        _asked_for_a_while(service.port, seconds)  # warms up
        for _ in range(turns):
            for name in LOOKS:
                with _looking(project, name):
                    taken = _asked_for_a_while(service.port, seconds)
                found[name].append(float(np.percentile(taken, 99)))
    print("while monitor looks; median of the turns' p99 in ms; ratio to turns without")
    for name, p99 in found.items():
        compared = ratio(p99, found["nobody"])
        print(f"{name:<15} {np.median(p99) * 1000:>7.1f} {compared}")


@contextmanager
def _looking(project: Path, name: str) -> Iterator[None]:
    """`monitor` runs again and again meanwhile, unless nobody looks."""
    if name == "nobody":
        yield
        return
    ended = threading.Event()
    watcher = threading.Thread(target=_look_until, args=(project, ended))
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


def _look_until(project: Path, ended: threading.Event) -> None:
    while not ended.is_set():
        process = subprocess.Popen(monitor_on(project), stdout=subprocess.DEVNULL)
        give_way(process.pid, NICENESS_OF_A_LOOK)
        while process.poll() is None:
            if ended.wait(0.1):
                process.kill()  # it only reads
        process.wait()


def _asked_for_a_while(port: int, seconds: float) -> list[float]:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_ask_at_a_pace, (port, seconds))


def _ask_at_a_pace(port: int, for_seconds: float) -> list[float]:
    """Seconds from when each answer was due until it was there."""
    body = json.dumps({"dataframe_records": [dict.fromkeys(NAMES, 0.25)]}).encode()
    taken: list[float] = []

    def client(number: int) -> None:
        link = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        began = time.perf_counter() + number / CLIENTS / ASKED_A_SECOND
        for place in range(int(for_seconds * ASKED_A_SECOND)):
            due = began + place / ASKED_A_SECOND
            time.sleep(max(0.0, due - time.perf_counter()))
            link.request("POST", "/predict", body, {"Content-Type": "application/json"})
            link.getresponse().read()
            taken.append(time.perf_counter() - due)
        link.close()

    threads = [threading.Thread(target=client, args=(number,)) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return taken


if __name__ == "__main__":
    main()
