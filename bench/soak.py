"""Nothing is lost, at length: `make soak` kills, fails, overlaps and feeds the job for up to an hour, and prints the figures.

Every unit of work has a key; those that are done stand in `build/soak/SEED.jsonl`, so that a soak that was interrupted goes on where
it was. Another seed tries other moments, calls and files: `python -m bench.soak --seed 2`.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tests.crash.faults import CALLS, ERRNOS
from tests.crash.forked import ForkedProject, Zygote
from tests.crash.nights import hundreds_of_cycles, thirty_nights
from tests.crash.scenarios import SCENARIOS
from tests.crash.trials import Stage, answering, damaged, disk_with, locked_for, moved_away, on_server, overlapping, small_disk
from tests.model_registry.misbehaving import in_front_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CLONE = Path(__file__).resolve().parents[1]
RANDOM_KILLS = {"promote": 160, "reject": 80, "leave to a person": 80, "finish what a person approved": 80, "roll back": 100}
OVERLAPS, CYCLES, CHAINS = 50, 500, 10
PRIVATE_COPIES = 28  # openings of them in one start, and one more
BEFORE_VERSION_2 = ("after_recovery", "after_claim", "after_scoring", "mid_training")
AFTER_VERSION_2 = (
    *("after_version_creation", "after_comparison", "before_winning_tag", "before_commit", "after_commit", "between_archived_files"),
    *("after_last_file", "after_approved", "before_run_ends", "after_run_ends", "before_unlock"),
)
SERVER_FAULTS = 6  # of each kind
CALLS_AT_MOST = 120  # of one kind, spread evenly over a start; the seed says where it begins


@dataclass
class Figures:
    """What was done, and what did not hold; kept on the disk after each unit."""

    file: Path
    done: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def load(self) -> Figures:
        """Go on from an interrupted soak."""
        for line in self.file.read_text().splitlines() if self.file.is_file() else ():
            self._count(**json.loads(line))
        return self

    def unit(self, kind: str, name: str, trial: Callable[[], list[str]], *, times: int = 1) -> None:
        """Do one unit, unless it was done before."""
        if f"{kind}: {name}" in self.keys:
            return
        try:
            wrong = trial()
        except AssertionError as error:
            wrong = [str(error)]
        with self.lock:
            self._count(kind, name, wrong, times)
            with self.file.open("a") as stream:
                stream.write(json.dumps({"kind": kind, "name": name, "wrong": wrong, "times": times}) + "\n")
        if wrong:
            print(f"VIOLATION {kind}: {name}: {' | '.join(wrong)[:800]}", flush=True)

    def _count(self, kind: str, name: str, wrong: list[str], times: int) -> None:
        self.keys.add(f"{kind}: {name}")
        self.done[kind] += times
        self.violations += [f"{kind}: {name}: {one}" for one in wrong]

    def wants(self, kind: str, names: list[str]) -> bool:
        """Whether any of these units is still to be done."""
        return any(f"{kind}: {name}" not in self.keys for name in names)


Work = tuple[str, "Callable[[Path, Zygote], None]"]


def kills_on_sqlite(figures: Figures, name: str) -> Work:
    """Every named place of one scenario, on a bare store."""

    def work(folder: Path, zygote: Zygote) -> None:
        scenario = SCENARIOS[name]
        names = [f"{name} at {place}" for place in scenario.places]
        if figures.wants("kill points on sqlite", names):
            stage = Stage.set_for(scenario, ForkedProject.at(folder / "project", zygote))
            for unit, place in zip(names, scenario.places, strict=True):
                figures.unit("kill points on sqlite", unit, partial(stage.killed_at, place))

    return f"kills: {name}", work


def kills_on_server(figures: Figures) -> Work:
    """Every named place of every scenario, on a server."""

    def work(folder: Path, zygote: Zygote) -> None:
        kind = "kill points on a server"
        if not figures.wants(kind, [f"{s.name} at {place}" for s in SCENARIOS.values() for place in s.places]):
            return
        with on_server(folder / "project", zygote) as new:
            for scenario in SCENARIOS.values():
                stage = Stage.set_for(scenario, new.restore())
                for place in scenario.places:
                    figures.unit(kind, f"{scenario.name} at {place}", partial(stage.killed_at, place))

    return "kills on a server", work


def random_kills(figures: Figures, name: str, part: range, seed: int) -> Work:
    """Kills by the clock."""

    def work(folder: Path, zygote: Zygote) -> None:
        names = [f"{name}, number {number}" for number in part]
        if figures.wants("random kills", names):
            stage = Stage.set_for(SCENARIOS[name], ForkedProject.at(folder / "project", zygote))
            whole = stage.scenario.start(stage.project).seconds
            for unit in names:
                moment = random.Random(f"{seed} {unit}").uniform(0, 1.05 * whole)
                figures.unit("random kills", unit, partial(stage.killed_after, moment))

    return f"random kills: {name} {part}", work


def failing_calls(figures: Figures, call: str, seed: int) -> Work:
    """The Nth call of one kind fails, for every N or as many as there is time for, until one passes cleanly."""

    def work(folder: Path, zygote: Zygote) -> None:
        if not figures.wants("failing calls", [f"{call}, a clean pass"]):
            return
        stage = Stage.set_for(SCENARIOS["promote"], ForkedProject.at(folder / "project", zygote))
        count = stage.calls_of(call)
        step = max(1, -(-count // CALLS_AT_MOST))
        for nth in range(1 + seed % step, count + 1, step):
            error = ERRNOS[(nth + seed) % len(ERRNOS)]
            figures.unit("failing calls", f"{call} number {nth}: {error}", partial(stage.failed_call, call, error, nth))
        figures.unit("failing calls", f"{call}, a clean pass", lambda: stage.failed_call(call, "EIO", count + 99))

    return f"failing calls: {call}", work


def failing_copies(figures: Figures) -> Work:
    """Every opening of a private copy of an artifact."""

    def work(folder: Path, zygote: Zygote) -> None:
        stage = Stage.set_for(SCENARIOS["keep"], ForkedProject.at(folder / "project", zygote))
        for nth in range(1, PRIVATE_COPIES + 1):
            figures.unit("failing calls", f"open of a private copy, number {nth}", partial(stage.failed_copy, nth))

    return "failing copies", work


def troubles(figures: Figures) -> Work:
    """A locked database, damaged models, folders that are not there, full disks, a clock that went back."""

    def work(folder: Path, zygote: Zygote) -> None:
        stage = Stage.set_for(SCENARIOS["promote"], ForkedProject.at(folder / "project", zygote))
        figures.unit("other faults", "database locked for 30 s", lambda: stage.meanwhile(locked_for(30), {0}))
        for how in ("truncated", "flipped", "swapped", "missing"):
            figures.unit("other faults", f"model {how}", partial(stage.meanwhile, damaged(how), {3}))
        for name in ("new_data", "used_data"):
            figures.unit("other faults", f"{name} unmounted", partial(stage.meanwhile, moved_away(name), {3}))
        figures.unit("other faults", "clock back an hour", lambda: _an_hour_back(stage))
        with small_disk(folder / "disk", 64) as is_ours:
            if is_ours:
                full = Stage.set_for(SCENARIOS["promote"], ForkedProject.at(folder / "disk" / "project", zygote))
                for kilobytes in (0, 4, 16, 40, 80, 120, 160, 240, 400):
                    said = f"{kilobytes} KB left on the disk"
                    figures.unit("other faults", said, partial(full.meanwhile, disk_with(kilobytes), {0, 1, 3, 69}))

    return "troubles", work


def failing_server(figures: Figures, seed: int) -> Work:
    """A server that is down, hangs, breaks down, or breaks down after it did what it was asked to, from or at some request."""

    def work(folder: Path, zygote: Zygote) -> None:
        quick = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "8", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}
        with on_server(folder / "project", zygote, **quick) as new:
            project = new.restore()
            with in_front_of(project.store) as front:
                project.configure(MLFLOW_TRACKING_URI=front.url)
                stage = Stage.set_for(SCENARIOS["promote"], project)
                before = len(front.seen)
                stage.scenario.start(project).expect(0)
                requests = len(front.seen) - before
                dice = random.Random(seed)
                for what in ("hang", "503", "500", "after-503", "after-500", "after-drop"):
                    for number in range(SERVER_FAULTS):
                        once, place = number % 2 == 0, dice.randrange(requests)
                        said = f"server: {what} {'at' if once else 'from'} request {place} of {requests}"
                        trouble = answering(front, what, place, once=once)
                        figures.unit("other faults", said, partial(stage.meanwhile, trouble, {0, 1, 69}))

    return "failing server", work


def _an_hour_back(stage: Stage) -> list[str]:
    stage.eve.restore()
    stage.scenario.start(stage.project, clock=-3600).expect(0)
    return stage.scenario.broken(stage.project, stage.delivered)


def overlaps(figures: Figures) -> Work:
    """Eight real processes at once, again and again."""

    def work(folder: Path, zygote: Zygote) -> None:
        stage = Stage.set_for(SCENARIOS["keep"], ForkedProject.at(folder / "project", zygote))
        for number in range(OVERLAPS):
            figures.unit("overlaps of 8 starts", f"number {number}", partial(_overlap, stage, thoroughly=number % 10 == 0))

    return "overlaps", work


def _overlap(stage: Stage, *, thoroughly: bool) -> list[str]:
    stage.eve.restore()
    wrong = overlapping(stage.project)
    return [*wrong, *stage.scenario.broken(stage.project, stage.delivered)] if thoroughly else wrong


def nights(figures: Figures) -> Work:
    """Thirty nights of an unchanged inbox."""

    def work(folder: Path, zygote: Zygote) -> None:
        project = ForkedProject.at(folder / "project", zygote)
        figures.unit("nights with one training", "unchanged inbox", lambda: thirty_nights(project), times=30)

    return "nights", work


def chain(figures: Figures, number: int, seed: int) -> Work:
    """Cycles with arrivals, a fifth of them killed."""

    def work(folder: Path, zygote: Zygote) -> None:
        cycles = CYCLES // CHAINS
        project = ForkedProject.at(folder / "project", zygote)
        figures.unit("soak cycles", f"chain {number}", lambda: hundreds_of_cycles(project, cycles, seed=100 * seed + number), times=cycles)

    return f"chain {number}", work


def deletions(figures: Figures) -> Work:
    """A person deletes an alias or a version in the middle of a start."""

    def work(folder: Path, zygote: Zygote) -> None:
        stage = Stage.set_for(SCENARIOS["promote"], ForkedProject.at(folder / "project", zygote))
        for place in (*BEFORE_VERSION_2, *AFTER_VERSION_2):
            for what in (("delete_registered_model_alias", "production"), ("delete_model_version", "1")):
                figures.unit("other faults", f"{' '.join(what)} at {place}", partial(stage.deleted_under_it, place, *what))
        for place in AFTER_VERSION_2:
            trial = partial(stage.deleted_under_it, place, "delete_model_version", "2")
            figures.unit("other faults", f"delete_model_version 2 at {place}", trial)

    return "deletions", work


def all_work(figures: Figures, seed: int) -> Iterator[Work]:
    """The long ones first."""
    yield kills_on_server(figures)
    yield failing_server(figures, seed)
    yield overlaps(figures)
    yield troubles(figures)
    yield deletions(figures)
    yield failing_copies(figures)
    yield nights(figures)
    yield from (kills_on_sqlite(figures, name) for name in SCENARIOS)
    yield from (chain(figures, number, seed) for number in range(CHAINS))
    for name, count in RANDOM_KILLS.items():
        yield from (random_kills(figures, name, range(start, min(count, start + 40)), seed) for start in range(0, count, 40))
    yield from (failing_calls(figures, call, seed) for call in CALLS)


def main() -> int:
    """Do all that is not done yet; 0 where nothing was violated."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="only work whose name begins with this")
    parser.add_argument("--minutes", type=float, default=60, help="begin nothing new after so many")
    parser.add_argument("--workers", type=int, default=2, help="units at the same time; each keeps a core busy")
    asked = parser.parse_args()
    (CLONE / "build" / "soak").mkdir(parents=True, exist_ok=True)
    figures = Figures(CLONE / "build" / "soak" / f"{asked.seed}.jsonl").load()
    ends = time.monotonic() + 60 * asked.minutes
    memory = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else None
    folder = Path(tempfile.mkdtemp(prefix="retraining-soak-", dir=memory))
    signal.signal(signal.SIGTERM, partial(_stop, folder))
    chosen = [work for work in all_work(figures, asked.seed) if work[0].startswith(asked.only)]
    try:
        left_out = _work_through(chosen, folder, ends, asked.workers)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for kind, count in sorted(figures.done.items()):
        print(f"{count:6,}  {kind}")
    print(f"{len(figures.violations):6,}  violations")
    if left_out:
        print(f"Not begun in {asked.minutes:g} minutes: {', '.join(left_out)}. Start again to go on.")
    return 1 if figures.violations or left_out else 0


def _stop(folder: Path, *_: object) -> None:
    """End at once; what was done is noted, and forking processes and servers end when their parent does."""
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(128 + signal.SIGTERM)


def _work_through(chosen: list[Work], folder: Path, ends: float, workers: int) -> list[str]:
    left_out: list[str] = []
    free = [Zygote(folder / f"zygote-{number}") for number in range(workers)]

    def one(numbered: tuple[int, Work]) -> None:
        number, (name, work) = numbered
        if time.monotonic() > ends:
            left_out.append(name)
            return
        zygote, place = free.pop(), folder / str(number)
        try:
            place.mkdir()
            work(place, zygote)
            print(f"done: {name}", flush=True)
        finally:
            free.append(zygote)
            shutil.rmtree(place, ignore_errors=True)

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(one, enumerate(chosen)))
    for zygote in free:
        zygote.close()
    return left_out


if __name__ == "__main__":
    raise SystemExit(main())
