"""How fast a cycle is, against a tutorial's script and against what no cycle can save:
`make bench`, or `python -m bench.speed`.

Data is generated, ours and the yardsticks run in turn in one session, each in a process of its own,
and every goal gets a line: what was measured, by the clock and by CPU time (on a shared machine the
steadier of the two), and whether it is met. What it prints last are the tables of docs/speed.md.
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
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bench.data import BYTES_A_ROW, CLONE, QUICK_RECIPE, Project, write_files
from bench.measuring import Measured, Ratio, in_turn, measured, python, ratio

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    Line = tuple[str, ...]

NEW_FILES = 20
MANY = 1_000  # used files: below, imports weigh more than rows, and two goals do not apply
# never written in place: a copy of the project shares them
LINKED = ("used_data", ".retraining/tables")
SETTINGS = {"MIN_NEW_FILES": NEW_FILES, "RETRAIN_WHEN": "always", "RETRAIN_THRESHOLD": 0.8}
BARE = "import argparse, pathlib"
BARE_PYTHON = "bare Python importing argparse and pathlib"
IDLE = "a start that finds nothing to do"
WALK = (
    "import argparse, os, pathlib\nfor file in os.scandir({!r}): file.stat(follow_symlinks=False)"
)
IDLE_GOAL = 2.3
IDLE_ROUNDS = 15  # times those of all else: a start takes no time, and its figures spread
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
class Report:
    """What is printed in the end, as Markdown: ratios beside their goals, then plain seconds."""

    ratios: list[Line] = field(default_factory=list)
    seconds: list[Line] = field(default_factory=list)

    def compare(
        self,
        what: str,
        goal: float | None,
        ours: Sequence[Measured],
        theirs: Sequence[Measured],
    ) -> None:
        """A line of ratios: runs of ours over those that stood beside them.

        Without a goal it is there to compare with.
        """
        clock = ratio([run.wall for run in ours], [run.wall for run in theirs])
        cpu = ratio([run.cpu for run in ours], [run.cpu for run in theirs])
        self.add(what, goal, len(ours), {"clock": clock, "CPU": cpu})

    def add(
        self, what: str, goal: float | None, rounds: int, measured: Mapping[str, Ratio]
    ) -> None:
        """A line of ratios, by each way in which it was measured: clock, CPU or bytes."""
        by_cpu = measured.get("CPU", "")
        if "bytes" in measured:
            by_cpu = f"{measured['bytes']} (bytes)"
        limit = "" if goal is None else f"{goal:g}"
        met = "" if goal is None else _met(goal, measured)
        line = (what, limit, str(measured.get("clock", "")), str(by_cpu), str(rounds), met)
        self.ratios.append(line)
        print("  ".join(line), flush=True)

    def tell(self, what: str, runs: Sequence[Measured], *, peak: bool = True) -> None:
        """A line of seconds: the best of some runs, and the most memory that one of them took."""
        clock, cpu = min(run.wall for run in runs), min(run.cpu for run in runs)
        memory = f"{max(run.peak for run in runs) / 1e6:,.0f} MB" if peak else ""
        line = (what, _in_seconds(clock), _in_seconds(cpu), memory, str(len(runs)))
        self.seconds.append(line)
        print("  ".join(line), flush=True)

    def __str__(self) -> str:
        ratios = _markdown(
            ("what is compared", "goal", "by the clock", "by CPU", "rounds", ""), self.ratios
        )
        head = ("what", "by the clock", "by CPU", "peak memory", "best of")
        return f"{ratios}\n\n{_markdown(head, self.seconds)}"


def _markdown(head: Line, lines: Sequence[Line]) -> str:
    """A table whose first column is text, and whose others are numbers."""
    sides = ("---", *("---:" if name else "---" for name in head[1:]))
    rows = [f"| {' | '.join(line)} |" for line in (head, *lines)]
    return "\n".join([rows[0], f"|{'|'.join(sides)}|", *rows[1:]])


def _met(goal: float, measured: Mapping[str, Ratio]) -> str:
    within = [way for way, found in measured.items() if found.median <= goal]
    if not within:
        return "missed"
    return "met" if len(within) == len(measured) else f"met by {within[0]} only"


def _in_seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"


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


def idle(report: Report, where: Path, size: Size) -> None:
    """(a) A start whose gate is closed: three files waiting, then judged files alone, few and many;
    then a cycle beside the many.
    """
    project = Project.made(where / "idle", SETTINGS)
    write_files(project.folder / "used_data", 10, 200)
    project.register()
    write_files(project.folder / "new_data", 3, 200, first=10)
    project.cycle()
    few = _with_judged_files(where / "few", FEW_JUDGED)
    many = _with_judged_files(where / "many", size.judged)
    walk_alone = WALK.format(str(many.folder / "new_data"))
    bare, walked, ours, beside_few, beside_many = in_turn(
        IDLE_ROUNDS * size.times,
        lambda: measured(python(BARE)),
        lambda: measured(python(walk_alone)),
        lambda: measured(project.start()),
        lambda: measured(few.start()),
        lambda: measured(many.start()),
    )
    judged = f"{size.judged:,} judged files"
    report.compare(f"{IDLE} / {BARE_PYTHON}", IDLE_GOAL, ours, bare)
    report.compare(f"the same beside {FEW_JUDGED} judged files", IDLE_GOAL, beside_few, bare)
    report.compare(f"{IDLE}, beside {judged} / beside none", None, beside_many, ours)
    lowest = [
        run.less(alone.wall - walk.wall, alone.cpu - walk.cpu)
        for run, alone, walk in zip(ours, bare, walked, strict=True)
    ]
    what = "the floor of that: beside none, and the size and time of each of them asked for"
    report.compare(what, None, lowest, ours)
    # no peaks: a small process is told that of the one that forked it
    report.tell(BARE_PYTHON, bare, peak=False)
    report.tell(f"the same, asking for size and time of {judged}", walked, peak=False)
    report.tell(IDLE, ours, peak=False)
    report.tell(f"the same beside {judged}", beside_many, peak=False)
    write_files(many.folder / "new_data", NEW_FILES, 500, name="fresh")
    opens = ("--env-file", str(many.folder / "open.env"))
    kept = measured([*many.start("run", "--json"), *opens])
    report.tell(f"a cycle that keeps production beside {judged}", [kept])


def cycles(report: Report, where: Path, used: int, times: int, rows: int, *, forest: bool) -> None:
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
    less_fit = f"cycle less its fit, {used:,} used files"
    report.compare(
        f"{less_fit} / the tutorial with our recipe, less its fit",
        0.35 if used >= MANY else 0.45,
        *without,
    )
    lowest = [_floor_of(run) for run in floors]
    goal = 1.25 if used >= MANY else None
    report.compare(f"cycle, {used:,} used files / its floor", goal, ours, lowest)
    report.tell(f"cycle, {used:,} used files, {_rows_learned(ours[0]):,} rows learned", ours)
    report.tell(less_fit, without[0], peak=False)
    report.tell("its floor", lowest, peak=False)
    report.tell("the tutorial with our recipe, the same files", theirs)
    report.tell("the same, less its fit", without[1], peak=False)
    _memory(report, ours, used)
    if forest:
        trees = measured(
            [*python_module("bench.tutorial"), str(tutorial.put_back().folder), "forest"]
        )
        scores = (
            json.loads(ours[0].out)["scores"]["challenger_on_test"],
            json.loads(trees.out)["accuracy"],
        )
        what = (
            f"cycle, {used:,} used files / the tutorial with a forest on one-hot columns (accuracy"
            f" {scores[0]:.4f} against {scores[1]:.4f})"
        )
        report.compare(what, 0.05, ours[:1], [trees])


def growth(report: Report, where: Path, size: Size) -> None:
    """(e) A cycle's cost by the files in the archive, fit and reading of the training table taken
    off.
    """
    stands = [a_project(where, files, 500, recipe=QUICK_RECIPE) for files in size.archives]
    runs_by_size = in_turn(size.times, *(partial(one_cycle, stand) for stand in stands))
    found = [[_minus_learning(run) for run in runs] for runs in runs_by_size]
    for files, runs in zip(size.archives, found, strict=True):
        report.tell(f"cycle at {files:,} archived files of 500 rows, learning taken off", runs)
    few, many = size.archives[0], size.archives[-1]
    what = f"cycle at {many:,} archived files of 500 rows / at {few}, learning taken off"
    report.compare(what, 3, found[-1], found[0])


def drifting(report: Report, times: int) -> None:
    """(d) Drift, in one process."""
    from bench.drift import seconds

    ours, scipys = seconds(times)
    what = "drift, 100,000 x 50,000 rows x 15 features / scipy's own tests, one core"
    report.add(what, 1.5, times, {"CPU": ratio(ours, scipys)})


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


def _floor_of(run: Measured) -> Measured:
    """What `bench.floor` measured inside its process."""
    found = json.loads(run.out)
    return Measured(found["wall"], found["cpu"], 0)


def _minus_learning(run: Measured) -> Measured:
    """Without fit and reading of the training table by the clock.

    Their CPU time is not known, so it stays in.
    """
    seconds = json.loads(run.out)["seconds"]
    return run.less(seconds["training"] + seconds["reading"], 0.0)


def _rows_learned(run: Measured) -> int:
    return int(re.findall(r"training on (\d+) rows", run.err)[0])


def _memory(report: Report, ours: Sequence[Measured], used: int) -> None:
    bare = measured(python(SAME_PACKAGES))
    report.tell("the packages alone, imported", [bare])
    ratios = ratio(
        [run.peak - bare.peak for run in ours], [_rows_learned(run) * BYTES_A_ROW for run in ours]
    )
    what = f"peak memory minus that of the packages / the typed training table, {used:,} used files"
    goal = MEMORY_GUARD if used >= MANY else None
    report.add(what, goal, len(ours), {"bytes": ratios})


def _stages(whose: str, runs: Sequence[Measured]) -> None:
    seconds = json.loads(runs[-1].out)["seconds"]
    print(f"{whose}, seconds a stage: {json.dumps(seconds)}", flush=True)


def _heading(size: str, only: Sequence[str], load_before: float) -> str:
    """How it was measured: the command, when, and how much of the machine others may have taken."""
    words = ["python -m bench.speed", "--size", size, *(("--only", *only) if only else ())]
    cores = len(os.sched_getaffinity(0))
    load = f"load {load_before:.1f} before and {os.getloadavg()[0]:.1f} after, its own included"
    return f"`{' '.join(words)}` on {cores} cores, {load} ({datetime.now(UTC):%Y-%m-%d}):"


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
    size, report = SIZES[args.size], Report()
    wanted = args.only or ("idle", "cycles", "growth", "drift")
    os.chdir(CLONE)
    # the CPU time of our fit is told from the tutorial's, whose threads would spin
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    load_before = os.getloadavg()[0]
    for where in _work_folder(args.where):
        if "idle" in wanted:
            idle(report, where, size)
        if "drift" in wanted:
            drifting(report, 5)
        if "cycles" in wanted:
            for used, times in size.used.items():
                cycles(
                    report,
                    where,
                    used,
                    times,
                    size.rows,
                    forest=size.forest and used == min(size.used),
                )
        if "growth" in wanted:
            growth(report, where, size)
    print(f"\n{_heading(args.size, args.only or (), load_before)}\n\n{report}")


if __name__ == "__main__":
    main()
