"""How fast a cycle is, against a tutorial's script and against what no cycle can save:
`make bench`, or `python -m bench.speed`.

Data is generated, ours and the yardsticks run in turn in one session, each in a process of its own,
and every goal gets a line: what was measured, by the clock and by CPU time (on a shared machine the
steadier of the two), and whether it is met.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import sys
import tempfile
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bench.data import BYTES_A_ROW, CLONE, QUICK_RECIPE, Project, write_files
from bench.measuring import Measured, Ratio, in_turn, measured, python, ratio

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

NEW_FILES = 20
MANY = 1_000  # used files: below, imports weigh more than rows, and two goals do not apply
# never written in place: a copy of the project shares them
LINKED = ("used_data", ".retraining/tables")
SETTINGS = {"MIN_NEW_FILES": NEW_FILES, "RETRAIN_WHEN": "always", "RETRAIN_THRESHOLD": 0.8}
BARE = "import argparse, pathlib"
IDLE_GOAL = 2.3
MEMORY_GUARD = 3.5  # tables: scikit-learn's own copy stands in the way of 3
FEW_JUDGED = 15
SAME_PACKAGES = (
    "import mlflow.sklearn, mlflow.store.tracking.sqlalchemy_store, sklearn.ensemble,"
    " sklearn.metrics, pandas, pyarrow.csv, scipy.stats, jinja2"
)


@dataclass(frozen=True)
class Size:
    """How much is measured.

    Attributes:
        used: files in the archive -> how often a cycle on them is run; one of a thousand files
            takes minutes with its yardsticks.
        rows: of each of these files.
        archives: files of the growth series.
        judged: files that wait in the inbox, judged.
        times: how often all else is run.
        forest: whether the tutorial's forest is grown, once, on the first of `used`.
    """

    used: Mapping[int, int]
    rows: int
    archives: tuple[int, ...]
    judged: int
    times: int
    forest: bool


SIZES = {
    "small": Size({10: 2}, 500, (10, 50), 200, 2, forest=True),
    "medium": Size({100: 3}, 5_000, (10, 100, 1_000), 2_000, 2, forest=False),
    "full": Size({100: 3, 1_000: 1}, 5_000, (10, 100, 1_000, 5_000), 10_000, 2, forest=True),
}


@dataclass
class Table:
    """The lines that are printed in the end: what, goal, measured, met."""

    lines: list[tuple[str, str, str, str]] = field(default_factory=list)

    def add(self, what: str, goal: float | None, **measured: Ratio) -> None:
        """A line, by each way in which it was measured.

        Without a goal it is there to compare with.
        """
        shown = ", ".join(f"{ratio} by {way}" for way, ratio in measured.items())
        self.lines.append(
            (
                what,
                "" if goal is None else f"<= {goal:g}",
                shown,
                "" if goal is None else _met(goal, measured),
            )
        )
        print("  ".join(self.lines[-1]), flush=True)

    def __str__(self) -> str:
        return "\n".join(
            f"| {' | '.join(line)} |"
            for line in [("what", "goal", "measured", ""), ("---",) * 4, *self.lines]
        )


def _met(goal: float, measured: Mapping[str, Ratio]) -> str:
    within = [way for way, ratio in measured.items() if ratio.median <= goal]
    return (
        "missed"
        if not within
        else "met"
        if len(within) == len(measured)
        else f"met by {within[0]} only"
    )


class Stand:
    """A project that can be put back to where it stood: a cycle changes it."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._kept = project.folder.with_name(f"{project.folder.name}.kept")
        _copy(project.folder, self._kept)

    def put_back(self) -> Project:
        """The project as it was; archived files and their tables are linked, all else is copied."""
        shutil.rmtree(self.project.folder)
        _copy(self._kept, self.project.folder)
        return self.project


def _copy(source: Path, target: Path) -> None:
    linked = tuple(f"{source / name}{os.sep}" for name in LINKED)

    def one(file: str, to: str) -> None:
        os.link(file, to) if file.startswith(linked) else shutil.copy2(file, to)

    shutil.copytree(source, target, copy_function=one)


def a_project(where: Path, used: int, rows: int, *, recipe: str | None = None) -> Stand:
    """A project with a registered model, `used` archived files and 20 new ones."""
    project = Project.made(
        Path(tempfile.mkdtemp(dir=where, prefix=f"ours-{used}x{rows}-")), SETTINGS
    )
    write_files(project.folder / "used_data", used, rows)
    project.register()
    write_files(project.folder / "new_data", NEW_FILES, rows, first=used)
    if recipe is not None:
        (project.folder / "train_classification_model.py").write_text(recipe)
    return Stand(project)


def one_cycle(stand: Stand) -> Measured:
    """A cycle of ours."""
    return measured(stand.put_back().start("run", "--json"))


# --- what is measured -----------------------------------------------------------------------------


def idle(table: Table, where: Path, times: int) -> None:
    """(a) A start whose gate is closed: three files waiting, then judged files alone."""
    project = Project.made(where / "idle", SETTINGS)
    write_files(project.folder / "used_data", 10, 200)
    project.register()
    write_files(project.folder / "new_data", 3, 200, first=10)
    project.cycle()
    crowded = _with_judged_files(where / "few", FEW_JUDGED)
    bare, ours, beside = in_turn(
        times,
        lambda: measured(python(BARE)),
        lambda: measured(project.start()),
        lambda: measured(crowded.start()),
    )
    told = "bare interpreter importing argparse and pathlib"
    _compare(table, f"idle exit / {told}", IDLE_GOAL, ours, bare)
    _compare(table, f"idle exit, {FEW_JUDGED} judged files / {told}", IDLE_GOAL, beside, bare)


def cycles(table: Table, where: Path, used: int, times: int, rows: int, *, forest: bool) -> None:
    """(b) A whole cycle, against the tutorial's; (c) against its floor; its memory."""
    stand = a_project(where, used, rows)
    tutorial = _tutorial(where, stand)
    runs = [
        lambda: one_cycle(stand),
        lambda: measured(
            [*python_module("bench.tutorial"), str(tutorial.put_back().folder), "recipe"]
        ),
        lambda: measured([*python_module("bench.floor"), str(stand.put_back().folder)]),
    ]
    ours, theirs, floors = in_turn(times, *runs)
    _stages(f"ours, {used} used files", ours)
    _stages(f"the tutorial, {used} used files", theirs)
    without = _minus_fit(ours, theirs)
    _compare(
        table,
        f"cycle minus fit, {used} used files / the tutorial with our recipe, minus its fit",
        0.35 if used >= MANY else 0.45,
        *without,
    )
    lowest = [
        Measured(found["wall"], found["cpu"], 0)
        for found in (json.loads(run.out) for run in floors)
    ]
    _compare(
        table,
        f"whole cycle / its floor, {used} used files",
        1.25 if used >= MANY else None,
        ours,
        lowest,
    )
    _memory(table, ours, used)
    if forest:
        trees = measured(
            [*python_module("bench.tutorial"), str(tutorial.put_back().folder), "forest"]
        )
        scores = (
            json.loads(ours[0].out)["scores"]["challenger_on_test"],
            json.loads(trees.out)["accuracy"],
        )
        told = (
            f"whole cycle, {used} used files / the tutorial with RandomForest (accuracy"
            f" {scores[0]:.4f} against {scores[1]:.4f})"
        )
        _compare(table, told, 0.05, ours[:1], [trees])


def growth(table: Table, where: Path, size: Size) -> None:
    """(e) A cycle's cost by the files in the archive, fit and reading of the training table taken
    off; then judged files in the inbox.
    """
    stands = [a_project(where, files, 500, recipe=QUICK_RECIPE) for files in size.archives]
    runs_by_size = in_turn(size.times, *(partial(one_cycle, stand) for stand in stands))
    found = [[_minus_learning(run) for run in runs] for runs in runs_by_size]
    for files, runs in zip(size.archives, found, strict=True):
        print(f"{files} archived files: {_seconds(runs)}", flush=True)
    _compare(
        table,
        f"cycle at {size.archives[-1]} archived files of 500 rows / at {size.archives[0]}",
        3,
        found[-1],
        found[0],
    )
    crowded = _with_judged_files(where, size.judged)
    runs, alone = in_turn(
        size.times, lambda: measured(crowded.start("run", "--json")), lambda: measured(python(BARE))
    )
    _compare(table, f"idle exit, {size.judged} judged files / bare interpreter", None, runs, alone)
    write_files(crowded.folder / "new_data", NEW_FILES, 500, name="fresh")
    kept = measured(
        [*crowded.start("run", "--json"), "--env-file", str(crowded.folder / "open.env")]
    )
    print(
        f"cycle that keeps production with {size.judged} judged files in new_data:"
        f" {_seconds([kept])}",
        flush=True,
    )


def drifting(table: Table, times: int) -> None:
    """(d) Drift, in one process."""
    from bench.drift import seconds

    ours, scipys = seconds(times)
    table.add(
        "drift, 100,000 x 50,000 rows x 15 features / scipy's own tests, one core",
        1.5,
        CPU=ratio(ours, scipys),
    )


# --- parts ----------------------------------------------------------------------------------------


def python_module(name: str) -> list[str]:
    """How a module of the bench is started."""
    return [sys.executable, "-m", name]


def _tutorial(where: Path, stand: Stand) -> Stand:
    folder = where / f"tutorial-{stand.project.folder.name}"
    for place in ("used_data", "new_data"):
        shutil.copytree(stand.project.folder / place, folder / place)
    measured([*python_module("bench.tutorial"), str(folder), "prepare"])
    return Stand(Project(folder))


def _with_judged_files(where: Path, count: int) -> Project:
    """A project whose inbox is full of judged files, with settings that make them and, in
    `open.env`, that open the gate for 20.
    """
    keeps = {**SETTINGS, "RETRAIN_WHEN": "threshold", "RETRAIN_THRESHOLD": 0}
    project = Project.made(where / "crowded", {**keeps, "MIN_NEW_FILES": count})
    (project.folder / "open.env").write_text(
        "".join(f"{name}={value}\n" for name, value in keeps.items())
    )
    write_files(project.folder / "used_data", 10, 50)
    project.register()
    write_files(project.folder / "new_data", count, 50, first=10)
    ending = project.cycle()["ending"]
    assert ending == "kept", ending
    return project


def _minus_fit(
    ours: Sequence[Measured], theirs: Sequence[Measured]
) -> tuple[list[Measured], list[Measured]]:
    """Runs without their fits.

    The tutorial measures the CPU time of its own; ours is the same recipe on about as many rows.
    """
    told = [
        (json.loads(one.out), json.loads(other.out))
        for one, other in zip(ours, theirs, strict=True)
    ]
    fit_cpu = [other["cpu_seconds"]["fit"] for _, other in told]
    shares = [
        _rows_learned(run) / other["rows"] for run, (_, other) in zip(ours, told, strict=True)
    ]
    return (
        [
            run.less(one["seconds"]["training"], cpu * share)
            for run, (one, _), cpu, share in zip(ours, told, fit_cpu, shares, strict=True)
        ],
        [
            run.less(other["seconds"]["fit"], cpu)
            for run, (_, other), cpu in zip(theirs, told, fit_cpu, strict=True)
        ],
    )


def _minus_learning(run: Measured) -> Measured:
    """Without fit and reading of the training table by the clock.

    Their CPU time is not known, so it stays in.
    """
    seconds = json.loads(run.out)["seconds"]
    return run.less(seconds["training"] + seconds["reading"], 0.0)


def _rows_learned(run: Measured) -> int:
    return int(re.findall(r"training on (\d+) rows", run.err)[0])


def _memory(table: Table, ours: Sequence[Measured], used: int) -> None:
    bare, rows = measured(python(SAME_PACKAGES)), _rows_learned(ours[0])
    print(
        f"peak {ours[0].peak / 1e6:.0f} MB; the packages alone: {bare.peak / 1e6:.0f} MB,"
        f" {bare.cpu:.1f} s of CPU; {rows:,} rows learned",
        flush=True,
    )
    ratios = ratio(
        [run.peak - bare.peak for run in ours], [_rows_learned(run) * BYTES_A_ROW for run in ours]
    )
    what = (
        f"peak memory less that of its packages / bytes of the typed training table, {used} used"
        " files"
    )
    table.add(what, MEMORY_GUARD if used >= MANY else None, bytes=ratios)


def _compare(
    table: Table,
    what: str,
    goal: float | None,
    ours: Sequence[Measured],
    theirs: Sequence[Measured],
) -> None:
    by_clock, by_cpu = (
        ratio([getattr(run, time) for run in ours], [getattr(run, time) for run in theirs])
        for time in ("wall", "cpu")
    )
    table.add(what, goal, clock=by_clock, CPU=by_cpu)


def _stages(whose: str, runs: Sequence[Measured]) -> None:
    print(
        f"{whose}: {_seconds(runs)}; seconds a stage:"
        f" {json.dumps(json.loads(runs[-1].out)['seconds'])}",
        flush=True,
    )


def _seconds(runs: Sequence[Measured]) -> str:
    return (
        f"{min(run.wall for run in runs):.2f} s by clock, {min(run.cpu for run in runs):.2f} s of"
        f" CPU, the best of {len(runs)}"
    )


def _busyness() -> str:
    """How much of the machine others may have taken."""
    return f"{len(os.sched_getaffinity(0))} cores, load {os.getloadavg()[0]:.1f}"


def _work_folder(asked: Path | None) -> Iterator[Path]:
    (CLONE / "build").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=asked or CLONE / "build", prefix="bench-") as folder:
        yield Path(folder)


def main() -> None:
    """Measure, and print the goals' table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", choices=SIZES, default="medium", help="how much data (medium)")
    parser.add_argument(
        "--only", nargs="*", choices=("idle", "cycles", "growth", "drift"), help="not all of it"
    )
    parser.add_argument(
        "--in",
        dest="where",
        type=Path,
        metavar="DIR",
        help="where the data goes meanwhile (build/)",
    )
    args = parser.parse_args()
    size, table = SIZES[args.size], Table()
    wanted = args.only or ("idle", "cycles", "growth", "drift")
    os.chdir(CLONE)
    print(_busyness(), flush=True)
    for where in _work_folder(args.where):
        if "idle" in wanted:
            idle(table, where, 15 * size.times)
        if "drift" in wanted:
            drifting(table, 5)
        if "cycles" in wanted:
            for used, times in size.used.items():
                cycles(
                    table,
                    where,
                    used,
                    times,
                    size.rows,
                    forest=size.forest and used == min(size.used),
                )
        if "growth" in wanted:
            growth(table, where, size)
    print(f"{_busyness()}\n\n{table}")


if __name__ == "__main__":
    main()
