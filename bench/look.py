"""What a look of `monitor` at a long log is made of, in seconds of CPU: `python -m bench.look`.

The whole command is run without a log and on a long one. Between the two stands what sqlite must
do at least, each line on top of the one before: walk over the index of times, read each answer,
find each answer's label. Then come the steps of `monitor` itself. `--rows` sets how long the log
is.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bench.log import MODEL
from bench.measuring import measured
from bench.watched import DAYS, monitor_on, write_log
from examples.electricity import demo
from retraining.cycle.traffic import MOST_READ
from retraining.cycle.traffic_drift import MOST_ROWS
from retraining.prediction_log.connection import JOB, open_database
from retraining.prediction_log.traffic import draw_answers, newest_rows, traffic_groups

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.engine import Connection

ANSWERS = "FROM predictions WHERE model_name = ? AND request_time >= ?"
LABELS = """
    FROM predictions LEFT JOIN labels ON labels.model_name = predictions.model_name
        AND labels.prediction_id = predictions.prediction_id AND labels.superseded = 0
    WHERE predictions.model_name = ? AND request_time >= ?"""
AT_LEAST = {
    "walk over the index of times": f"SELECT COUNT(*) {ANSWERS}",
    "and read each answer": f"SELECT COUNT(prediction), COUNT(model_version) {ANSWERS}",
    "and find its label": f"SELECT COUNT(prediction), COUNT(model_version), COUNT(label) {LABELS}",
}


def main() -> None:
    """Print the seconds of each part."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of the log")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "project"
        demo.prepare(project, demo.weeks(demo.days_of_the_market()))
        demo.start(project, "register_first_model.py", "--train-from", "used_data", "--set-alias")
        _print("monitor where there is no log", measured(monitor_on(project)).cpu)
        write_log(project, args.rows)
        _print_parts(project, args.rows)
        _print(f"monitor on {args.rows:,} rows", measured(monitor_on(project)).cpu)


def _print_parts(project: Path, rows: int) -> None:
    now = datetime.now(UTC)
    since = now - timedelta(days=DAYS + 1)
    share = MOST_READ / rows
    database = open_database(f"sqlite:///{project}/predictions/predictions.db", JOB)
    with database.reading() as log:
        for name, query in AT_LEAST.items():
            _print(name, _cpu_of(partial(_ask, log, query, since)))
        _print("groups", _cpu_of(lambda: list(traffic_groups(log, MODEL, since, now))))
        drawn = partial(draw_answers, log, MODEL, since, share=share, share_of_labelled=share)
        _print("single answers", _cpu_of(drawn))
        window = partial(newest_rows, log, MODEL, 1000, timedelta(days=1), MOST_ROWS)
        _print("the window of drift", _cpu_of(window))
    database.close()


def _ask(log: Connection, query: str, since: datetime) -> object:
    return log.exec_driver_sql(query, (MODEL, since.isoformat())).all()


def _cpu_of(part: Callable[[], object]) -> float:
    """Seconds of this process: the shortest of three."""
    seconds = []
    for _ in range(3):
        began = time.process_time()
        part()
        seconds.append(time.process_time() - began)
    return min(seconds)


def _print(name: str, seconds: float) -> None:
    print(f"{name:<36} {seconds:>6.2f}", flush=True)


if __name__ == "__main__":
    main()
