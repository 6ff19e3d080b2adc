"""How well policies decide, on streams whose end is known: `python -m bench.decisions [STREAMS]
[--offsets 6] [--recipe shipped|hgb]`.

Plays the shipped defaults, and what `PROMOTE_WHEN=unless_worse` would add to them, over every
stream of a folder, beside the yardsticks, and prints the goals' measures. Without a folder it plays
the demo's stream from two offsets. What was played is kept in `build/bench-decisions` and taken
from there as long as the code that decides, the recipe, the settings and the rows are the same: an
interrupted run goes on.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from fractions import Fraction
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scipy import stats

import pipeline_orchestrator
from retraining import settings as settings_module
from retraining.replay.history import cut_at_offsets, read_history, sensible_rows_per_cycle
from retraining.replay.judging import Play
from retraining.replay.policies import Lineup, from_file
from retraining.replay.replaying import Stage, play_from
from retraining.replay.scratch import scratch_folder
from retraining.replay.summary import gap_of, rows_always_fits
from retraining.replay.yardsticks import ALL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from retraining.replay.history import Cut, History
    from retraining.settings import Settings

CLONE = Path(__file__).resolve().parent.parent
STREAMS = CLONE.parent / "shared" / "streams"
DEMO = CLONE / "examples" / "electricity" / "electricity.csv.gz"
CACHE = CLONE / "build" / "bench-decisions"
RECIPES = {
    "shipped": CLONE / "train_classification_model.py",
    "hgb": CLONE / "bench" / "hgb_recipe.py",
}
FILES_PER_CYCLE = 15
CUTS = {  # rows of the first model, rows of a cycle; other streams are cut as `replay` cuts them
    "electricity": (2688, 672),
    "noaa_weather": (730, 365),
    "bank_marketing": (3000, 760),
    "beijing_pm25": (1344, 800),
    "metro_traffic": (2880, 750),
}
UNLESS_WORSE = CLONE / "bench" / "unless_worse.env"
GOALS = ("*goal*", ">= -0.15", ">= -0.30", "", "<= 30%", "", "2.5%", "> 0", ">= 0", "", "<= 0.5, 2")
NO_ORDER = ("pima_diabetes",)
YARDSTICKS = "yardsticks"
DEFAULTS = "defaults"
DECIDES = (
    "decisions.py",
    "ledger.py",
    "cycle",
    "statistics",
    "datasets",
    "scoring.py",
    "replay/playing.py",
    "replay/judging.py",
)
MEASURES = ("replay/yardsticks.py", "replay/judging.py", "scoring.py", "statistics/metrics.py")


@dataclass(frozen=True)
class Task:
    """One policy, or all yardsticks, over one stream from one offset."""

    stream: Path
    offset: int
    offsets: int
    policy: str  # `defaults`, `yardsticks` or a settings file
    recipe: str

    @property
    def key(self) -> str:
        """Equal where nothing that bears on the result is different."""
        start = str(Fraction(self.offset, self.offsets))  # the third of six is the second of three
        content = [start, self.recipe, _digest(self.stream), _digest(RECIPES[self.recipe])]
        if self.policy == YARDSTICKS:
            content += [YARDSTICKS, _code(MEASURES)]
        else:
            settings = policy_named(self.policy)
            content += [
                _code(DECIDES),
                settings_module.deciding_digest(settings),
                str(settings.probation_batches),
            ]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:32]


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _code(names: Iterable[str]) -> str:
    roots = [CLONE / "retraining" / name for name in names]
    files = [
        file for root in roots for file in (sorted(root.rglob("*.py")) if root.is_dir() else [root])
    ]
    return hashlib.sha256(
        "".join(_digest(file) for file in (*files, CLONE / "pipeline_orchestrator.py")).encode()
    ).hexdigest()


def policy_named(name: str) -> Settings:
    """The settings that a task plays; a project without `.env` has the shipped defaults."""
    with tempfile.TemporaryDirectory() as empty:
        defaults = settings_module.load(Path(empty), {})
        return defaults if name in (DEFAULTS, YARDSTICKS) else from_file(name, defaults, {})


def cuts_of(stream: Path, history: History, offsets: int) -> tuple[Cut, ...]:
    """The offsets of a stream."""
    per_cycle = sensible_rows_per_cycle(history, policy_named("defaults"), FILES_PER_CYCLE)
    initial, per_cycle = CUTS.get(stream.name.split(".")[0], (4 * per_cycle, per_cycle))
    return cut_at_offsets(history, initial=initial, per_cycle=per_cycle, offsets=offsets)


def play(task: Task) -> dict[str, Any]:
    """Name -> play, and the rows that retraining on everything each cycle would fit."""
    settings = policy_named(task.policy)
    names = ALL if task.policy == YARDSTICKS else (task.policy,)
    policies = {} if task.policy == YARDSTICKS else {task.policy: settings}
    lineup = Lineup(names, policies, ALL if task.policy == YARDSTICKS else (), settings)
    with scratch_folder(10 * task.stream.stat().st_size) as folder:
        history = read_history([task.stream], settings, folder / "sources")
        cut = cuts_of(task.stream, history, task.offsets)[task.offset]
        stage = Stage(
            pipeline_orchestrator.run_cycle,
            history,
            RECIPES[task.recipe],
            folder,
            FILES_PER_CYCLE,
            1.0,
        )
        plays = play_from(cut, lineup, stage)
    return {
        "plays": {name: asdict(one) for name, one in plays.items()},
        "always": rows_always_fits(cut),
    }


def play_all(tasks: Sequence[Task], workers: int) -> dict[Task, dict[str, Any]]:
    """Every task's result, from the cache where it is there.

    What is played is added to it at once.
    """
    CACHE.mkdir(parents=True, exist_ok=True)
    file = CACHE / "plays.jsonl"
    kept = (
        {line["key"]: line["result"] for line in map(json.loads, file.read_text().splitlines())}
        if file.exists()
        else {}
    )
    keys = {task: task.key for task in tasks}
    results = {task: kept[key] for task, key in keys.items() if key in kept}
    missing = [task for task in tasks if task not in results]
    with (
        ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool,
        file.open("a") as stream,
    ):
        running = {pool.submit(play, task): task for task in missing}
        for number, done in enumerate(as_completed(running), start=1):
            task = running[done]
            results[task] = done.result()
            stream.write(
                json.dumps({"key": keys[task], "task": str(task), "result": results[task]}) + "\n"
            )
            stream.flush()
            print(f"\r{number} of {len(missing)} played", end="", file=sys.stderr, flush=True)
    return results


# --- the table ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Measured:
    """One policy over one stream, all offsets: scores in points, shares of 1."""

    stream: str
    gap: float
    cycles_that_fit: float
    rows_fitted: float
    promotions: int
    harmful: int
    gain: tuple[float, ...]  # of each promotion, in the next three cycles
    rollbacks: int
    bias: float | None  # of the comparison, for the challenger


def measure(stream: str, name: str, plays: Mapping[str, Sequence[Play]], always: int) -> Measured:
    """What one policy did on one stream."""
    own = plays[name]
    gaps = [gap_of(name, place, plays, greater_is_better=True) or 0.0 for place in range(len(own))]
    flattery = [value for one in own for value in one.flattery]
    return Measured(
        stream,
        100 * sum(gaps) / len(gaps),
        sum(one.fits for one in own) / sum(len(one.rows) for one in own),
        sum(one.rows_fitted for one in own) / always,
        sum(one.promotions for one in own),
        sum(one.harmful_promotions for one in own),
        tuple(100 * gain for one in own for gain in one.gains),
        sum(one.rollbacks for one in own),
        100 * sum(flattery) / len(flattery) if flattery else None,
    )


def table(measured: Mapping[str, Sequence[Measured]]) -> str:
    """The goals' measures, a line a policy; then the gap and the fits of each stream."""
    head = (
        "policy",
        "mean gap",
        "worst stream",
        "cycles that fit",
        "rows fitted",
        "promotions",
        "harmful",
        "mean gain of a promotion",
        "its worst stream",
        "rolled back",
        "bias, worst",
    )
    lines = [
        _row(head),
        _row(["---"] * len(head)),
        _row(GOALS),
        *(_row(_cells(name, found)) for name, found in measured.items()),
    ]
    lines += _by_stream("gap by stream", measured, lambda one: f"{one.gap:+.2f}")
    lines += _by_stream("cycles that fit", measured, lambda one: f"{one.cycles_that_fit:.0%}")
    lines += _by_stream("rows fitted", measured, lambda one: f"{one.rows_fitted:.0%}")
    judged = {name: found for name, found in measured.items() if found[0].bias is not None}
    if judged:
        lines += _by_stream("bias by stream", judged, _signed_bias)
    if DEFAULTS in measured and str(UNLESS_WORSE) in measured:
        lines += ["", what_it_adds(measured[DEFAULTS], measured[str(UNLESS_WORSE)])]
    return "\n".join(lines)


def _by_stream(
    title: str, measured: Mapping[str, Sequence[Measured]], shown: Callable[[Measured], str]
) -> list[str]:
    """A table of one measure, a column a stream."""
    streams = [one.stream for one in next(iter(measured.values()))]
    head = ["", _row([title, *streams]), _row(["---"] * (len(streams) + 1))]
    return head + [
        _row([_short(name), *(shown(one) for one in found)]) for name, found in measured.items()
    ]


def _signed_bias(one: Measured) -> str:
    """Below zero: the comparison favoured production."""
    return "-" if one.bias is None else f"{one.bias:+.2f}"


def what_it_adds(defaults: Sequence[Measured], unless_worse: Sequence[Measured]) -> str:
    """What `unless_worse` adds to the defaults, in points."""
    added = [other.gap - one.gap for one, other in zip(defaults, unless_worse, strict=True)]
    each = [f"{one.stream} {gain:+.2f}" for one, gain in zip(defaults, added, strict=True)]
    return f"PROMOTE_WHEN=unless_worse adds {_mean(added):+.2f} points: {', '.join(each)}"


def _short(name: str) -> str:
    """A settings file by its name alone."""
    return Path(name).name


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _cells(name: str, found: Sequence[Measured]) -> list[str]:
    gaps = [one.gap for one in found]
    promotions, harmful = sum(one.promotions for one in found), sum(one.harmful for one in found)
    biases = [one.bias for one in found if one.bias is not None]
    return [
        _short(name),
        f"{_mean(gaps):+.2f}",
        f"{min(gaps):+.2f}",
        f"{_mean([one.cycles_that_fit for one in found]):.0%}",
        f"{_mean([one.rows_fitted for one in found]):.0%}",
        str(promotions),
        f"{harmful / promotions:.1%}" if promotions else "-",
        _with_interval([gain for one in found for gain in one.gain]),
        f"{min(_mean(one.gain) for one in found if one.gain):+.2f}" if promotions else "-",
        str(sum(one.rollbacks for one in found)),
        f"{abs(_mean(biases)):.2f}, {max(map(abs, biases)):.2f}" if biases else "-",
    ]


def _with_interval(values: Sequence[float]) -> str:
    """The mean and its 95 % interval by Student's t, the values taken as independent."""
    if len(values) < 2:
        return "-"
    half = float(stats.t.ppf(0.975, len(values) - 1) * stats.sem(values))
    mean = _mean(values)
    return f"{mean:+.2f} [{mean - half:+.2f}, {mean + half:+.2f}]"


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def summarise(
    results: Mapping[Task, dict[str, Any]], streams: Sequence[Path], offsets: int
) -> dict[str, list[Measured]]:
    """Policy -> what it did on each stream."""
    measured: dict[str, list[Measured]] = {}
    for stream in streams:
        plays: dict[str, list[Play]] = {}
        always = 0
        for offset in range(offsets):
            of_offset = [
                result
                for task, result in results.items()
                if (task.stream, task.offset) == (stream, offset)
            ]
            always += of_offset[0]["always"]
            for result in of_offset:
                for name, one in result["plays"].items():
                    plays.setdefault(name, []).append(Play(**one))
        for name in plays:
            measured.setdefault(name, []).append(
                measure(stream.name.split(".")[0], name, plays, always)
            )
    return measured


def main() -> None:
    """Play what is missing, then print the table and the simulations."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "streams",
        nargs="?",
        type=Path,
        help="a folder of CSV or CSV.gz streams, label column `target`",
    )
    parser.add_argument("--offsets", type=int, help="6; without streams 2")
    parser.add_argument("--recipe", choices=RECIPES, default="shipped")
    parser.add_argument(
        "--policy",
        action="append",
        help=(
            "a settings file; may be given again; `defaults` and bench/unless_worse.env by default"
        ),
    )
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--no-simulations", action="store_true", help="leave the simulations out")
    args = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    folder = args.streams or (STREAMS if STREAMS.is_dir() else None)
    found = (
        sorted(path for path in folder.glob("*.csv*") if path.name.split(".")[0] not in NO_ORDER)
        if folder
        else [DEMO]
    )
    offsets = args.offsets or (6 if folder else 2)
    policies = args.policy or [DEFAULTS, str(UNLESS_WORSE)]
    every = [
        (stream, offset, name)
        for offset in range(offsets)
        for stream in found
        for name in (YARDSTICKS, *policies)
    ]
    tasks = [
        Task(stream.resolve(), offset, offsets, name, args.recipe) for stream, offset, name in every
    ]
    results = play_all(tasks, args.workers)
    print(f"\n{len(found)} streams, {offsets} offsets, recipe: {args.recipe}\n")
    print(table(summarise(results, [stream.resolve() for stream in found], offsets)), flush=True)
    if not args.no_simulations:
        print(flush=True)
        subprocess.run([sys.executable, "-m", "bench.simulations"], cwd=CLONE, check=True)


if __name__ == "__main__":
    main()
