"""The job on real data, in a project of its own: `make demo`.

A first model learns eight weeks of the electricity market of New South Wales. Then a file arrives
for each day, and once a week the job is started, as cron would start it, until there are enough
cycles to see one keep, one reject and one promote. Everything lies in `build/demo`, which is made
afresh each time; nothing of the clone's own project is touched.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

HERE = Path(__file__).resolve().parent
CLONE = HERE.parent.parent
PROJECT = CLONE / "build" / "demo"
FIRST_DAY = datetime(1996, 5, 7, tzinfo=UTC)
ROWS_A_DAY, FIRST_DAYS, DAYS_A_WEEK = 48, 56, 7
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "OMP_NUM_THREADS")
WANTED, NEEDED = {"kept", "rejected", "promoted"}, {"kept", "promoted"}
FEWEST_CYCLES, MOST_CYCLES, MOST_SECONDS = 8, 16, 140
SETTINGS = """# The settings of `make demo`; .env.example of the clone lists them all.
MODEL_NAME=electricity
RETRAIN_THRESHOLD=0.8
MIN_NEW_FILES=15
MIN_FILE_AGE_SECONDS=0
"""
COLUMNS = "{:<7}{:<12}{:<13}{:<7}{:>8}  {:<24}{:>6}"


@dataclass(frozen=True)
class Day:
    """The half-hours of one day as a CSV file, with the time at which it is whole."""

    name: str
    content: bytes
    arrival: datetime


def main() -> int:
    """Play until the table of cycles shows what a cycle can do, then say where to look.

    The exit code.
    """
    started = time.monotonic()
    print(f"The job on the New South Wales electricity market, in {shown(PROJECT)}.\n", flush=True)
    week = weeks(days_of_the_market())
    prepare(PROJECT, week)
    print(
        start(
            PROJECT, "register_first_model.py", "--train-from", "used_data", "--set-alias"
        ).strip(),
        flush=True,
    )
    print(
        "\n"
        + COLUMNS.format(
            "cycle", "data until", "ending", "serves", "accuracy", "challenger's gain", "s"
        ),
        flush=True,
    )
    seen = play(PROJECT, week, until=started + MOST_SECONDS)
    print(
        f"\n{len(seen)} cycles: "
        + ", ".join(f"{seen.count(ending)} {ending}" for ending in sorted(set(seen)))
        + "."
    )
    print(how_to_look())
    return 0 if set(seen) >= NEEDED else 1


def days_of_the_market() -> Iterator[Day]:
    """The stream cut into days, each a file with a header."""
    with gzip.open(HERE / "electricity.csv.gz", "rb") as stream:
        header = stream.readline()
        arrival = FIRST_DAY
        while (
            len(rows := [line for _, line in zip(range(ROWS_A_DAY), stream, strict=False)])
            == ROWS_A_DAY
        ):
            arrival += timedelta(days=1)
            yield Day(
                f"electricity-{arrival - timedelta(days=1):%Y-%m-%d}.csv",
                header + b"".join(rows),
                arrival,
            )


def weeks(days: Iterator[Day]) -> Iterator[list[Day]]:
    """The first weeks, all in one, then week after week."""
    yield [next(days) for _ in range(FIRST_DAYS)]
    while (
        len(week := [day for _, day in zip(range(DAYS_A_WEEK), days, strict=False)]) == DAYS_A_WEEK
    ):
        yield week


def prepare(project: Path, week: Iterator[list[Day]]) -> None:
    """Make the project afresh, with the first weeks in its archive."""
    shutil.rmtree(project, ignore_errors=True)
    for folder in ("new_data", "used_data"):
        (project / folder).mkdir(parents=True)
    (project / ".env").write_text(SETTINGS)
    deliver(project / "used_data", next(week))


def deliver(folder: Path, days: Sequence[Day]) -> None:
    """Put each day's file into a folder as a careful sender does: written aside, then renamed."""
    for day in days:
        aside = folder / f".{day.name}.part"
        aside.write_bytes(day.content)
        os.utime(aside, (day.arrival.timestamp(),) * 2)
        aside.rename(folder / day.name)


def play(
    project: Path, week: Iterator[list[Day]], *, until: float, most: int = MOST_CYCLES
) -> list[str]:
    """Deliver weeks and start the job after each, printing a line a cycle.

    The endings of the cycles that passed the gate.
    """
    endings: list[str] = []
    for days in week:
        deliver(project / "new_data", days)
        outcome = json.loads(start(project, "pipeline_orchestrator.py", "run", "--json"))
        if outcome["ending"] in ("too_few_files", "unchanged"):
            continue
        endings.append(outcome["ending"])
        print(line(len(endings), days[-1], outcome), flush=True)
        shows_all = len(endings) >= FEWEST_CYCLES and set(endings) >= WANTED
        late = time.monotonic() > until and set(endings) >= NEEDED
        if shows_all or late or len(endings) == most:
            break
    return endings


def start(project: Path, script: str, *words: str) -> str:
    """Start a script of the clone on the project as cron would; what it printed.

    Raises:
        SystemExit: it failed; what it said goes to stderr.
    """
    command = [sys.executable, str(CLONE / script), *words, "--project", str(project)]
    done = subprocess.run(
        command,
        env=environment(os.environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.stderr.write(done.stderr)
        raise SystemExit(done.returncode)
    return done.stdout


def environment(inherited: Mapping[str, str]) -> dict[str, str]:
    """As bare as cron's: an exported MLFLOW_TRACKING_URI, or any other setting, would lead the demo
    to somebody's registry.
    """
    return {
        "OMP_NUM_THREADS": "1",
        **{name: value for name, value in inherited.items() if name in INHERITED},
    }


def line(number: int, day: Day, outcome: Mapping[str, Any]) -> str:
    """One cycle as a line of the table."""
    gain = ""
    if outcome["improvement"] is not None:
        low_high = outcome["interval"]
        gain = f"{outcome['improvement']:+.3f}" + (
            f" [{low_high[0]:+.3f}, {low_high[1]:+.3f}]" if low_high else ""
        )
    served = outcome["scores"]["production_on_new"]
    until = f"{day.arrival - timedelta(days=1):%Y-%m-%d}"
    serving = f"v{outcome['production_version']}"
    return COLUMNS.format(
        number,
        until,
        outcome["ending"],
        serving,
        f"{served:.3f}",
        gain,
        f"{sum(outcome['seconds'].values()):.1f}",
    )


def shown(path: Path) -> str:
    """A path relative to the clone, where it lies in it."""
    return str(path.relative_to(CLONE)) if path.is_relative_to(CLONE) else str(path)


def how_to_look() -> str:
    """What to type next."""
    job = f"{shown(Path(sys.executable))} pipeline_orchestrator.py"
    return f"""
See it in the MLflow UI:       make server PROJECT={shown(PROJECT)}
                               then open http://127.0.0.1:5000
Why the last cycle ended so:    {job} explain --project {shown(PROJECT)}
What each decision brought:    {job} history --project {shown(PROJECT)}
Undo the last promotion:       {job} rollback --project {shown(PROJECT)}"""


if __name__ == "__main__":
    sys.exit(main())
