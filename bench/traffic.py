"""How often drift of traffic is a false alarm, and how often it is seen:
`python -m bench.traffic [--quick]`.

Traffic is simulated where the truth is known: five features, of which two follow the hour of the
day and one the day of the week, and requests that come in bursts of rows which are alike. Night has
a quarter of the day's requests. A version learned 30 files of a day each. Then the last window of a
later day is judged as `monitor` judges it, many times: nothing moved, or one feature did by a part
of its standard deviation.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from retraining.cycle.drift import Sketch
from retraining.cycle.traffic_drift import judge_traffic
from retraining.prediction_log.traffic import WindowRow
from retraining.records import Column, Schema
from retraining.statistics import number_bins, number_histograms

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

NAMES = ("hour", "warmth", "weekday", "amount", "age")
SCHEMA = Schema(tuple(Column(name, "number") for name in NAMES), "target", "integer", (0, 1), 1)
MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
FILES, ROWS_A_FILE = 30, 400
DAY = 24.0
THRESHOLD = 0.1
HEAD = "| traffic | window | moved by | alarms | not judged |"


@dataclass(frozen=True)
class Habit:
    """How traffic comes: rows in a request at most, how alike those are (0 to 1), and whether
    weekends differ.
    """

    name: str
    burst: int
    alike: float
    weekends: bool
    window_hours: float


CALM = Habit("day and night", 1, 0.0, weekends=False, window_hours=24)
BURSTS = Habit("bursts", 20, 0.3, weekends=False, window_hours=24)
WEEKENDS = Habit("weekends, DRIFT_WINDOW_HOURS=168", 5, 0.1, weekends=True, window_hours=168)
HABITS = (CALM, BURSTS, WEEKENDS)


def hours_of_requests(rng: np.random.Generator, count: int, start: float, stop: float) -> Floats:
    """(n,) sorted times of requests, in hours since a Monday's midnight.

    At night a quarter as many.
    """
    drawn = rng.uniform(start, stop, 4 * count)
    is_day = np.abs(drawn % DAY - 14) < 7
    kept = drawn[is_day | (rng.random(drawn.size) < 0.25)][:count]
    return np.sort(kept)


def rows_at(rng: np.random.Generator, hours: Floats, habit: Habit) -> tuple[Floats, Floats]:
    """The hour of each row (n,), and its features (n, 5)."""
    sizes = rng.integers(1, habit.burst + 1, hours.size)
    at = np.repeat(hours, sizes)
    level = np.repeat(rng.normal(size=(hours.size, len(NAMES))), sizes, axis=0)
    own = rng.normal(size=(at.size, len(NAMES)))
    X = np.sqrt(habit.alike) * level + np.sqrt(1 - habit.alike) * own
    turn = 2 * np.pi * at / DAY
    X[:, 0] += 1.5 * np.sin(turn)
    X[:, 1] += np.cos(turn)
    if habit.weekends:
        X[:, 2] += (at % (7 * DAY) >= 5 * DAY) * 1.0
    return at, X


def reference(rng: np.random.Generator, habit: Habit) -> Sketch:
    """What a version learned: files of a day each."""
    requests = -(-ROWS_A_FILE * 2 // (habit.burst + 1))
    files = [
        rows_at(rng, hours_of_requests(rng, requests, day * DAY, (day + 1) * DAY), habit)[1]
        for day in range(FILES)
    ]
    X, blocks = np.concatenate(files), np.repeat(np.arange(FILES), [len(one) for one in files])
    bins = {name: number_bins(X[:, place]) for place, name in enumerate(NAMES)}
    return Sketch(
        bins,
        {
            name: number_histograms(X[:, place], bins[name], blocks, FILES)
            for place, name in enumerate(NAMES)
        },
    )


def window(rng: np.random.Generator, habit: Habit, rows: int, moved: float) -> list[WindowRow]:
    """The last rows of traffic as the log has them, ending at any hour; `amount` moved."""
    end = (FILES + rng.uniform(0, 28)) * DAY
    requests = -(-rows * 2 // (habit.burst + 1))
    hours = hours_of_requests(rng, requests, end - habit.window_hours, end)
    at, X = rows_at(rng, hours, habit)
    X[:, 3] += moved
    found = []
    for hour, values in zip(at.tolist(), X.tolist(), strict=True):
        asked = MONDAY + timedelta(hours=hour)
        content = orjson.dumps(dict(zip(NAMES, values, strict=True))).decode()
        found.append(WindowRow(asked, f"{hour:.9f}", 1, content, None))
    return found


def shares(habit: Habit, rows: int, moved: float, repeats: int) -> tuple[float, float]:
    """Of so many windows, each beside a reference of its own: the share of alarms, and of those not
    judged.
    """
    alarms = unjudged = 0
    for seed in range(repeats):
        rng = np.random.default_rng([seed, rows])
        learned = reference(rng, habit)
        seen = window(rng, habit, rows, moved)
        found = judge_traffic(learned, SCHEMA, 1, seen, threshold=THRESHOLD)
        alarms += found.detected is True
        unjudged += found.detected is None
    return alarms / repeats, unjudged / repeats


def lines(repeats: int, sizes: tuple[int, ...]) -> Iterator[str]:
    """The table's lines."""
    cases: list[Any] = [(habit, rows, 0.0) for habit in HABITS for rows in sizes]
    cases += [(CALM, 1000, 0.3), (BURSTS, 1000, 0.3), (CALM, 300, 0.3)]
    for habit, rows, moved in cases:
        alarms, unjudged = shares(habit, rows, moved, repeats)
        yield f"| {habit.name} | {rows:,} | {moved:g} | {alarms:.1%} | {unjudged:.0%} |"


def main() -> None:
    """Print the table, line by line as it comes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a tenth of the repeats")
    args = parser.parse_args()
    print(f"{HEAD}\n|---|---:|---:|---:|---:|", flush=True)
    for line in lines(40 if args.quick else 200, (100, 300, 1000, 5000)):
        print(line, flush=True)


if __name__ == "__main__":
    main()
