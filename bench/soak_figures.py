"""What a soak did, kept on the disk after each unit of work, and its table against the goals."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

ON_SQLITE, ON_SERVER = "kill points survived on sqlite", "kill points survived on a server"
ON_POSTGRES = "kill points survived on PostgreSQL"
ON_POSTGRES_SERVER = "the same through a server on it"
RANDOM_ON_POSTGRES = "random kills on PostgreSQL"
RANDOM_ON_POSTGRES_SERVER = "the same, through a server on it"
DATABASE = "PostgreSQL stopped, restarted, let go"
DATABASE_BELOW_SERVER = "the same below a server"
IN_COMMITS = "kills in a half-changed database"
RANDOM, OVERLAPS, NIGHTS, CYCLES = (
    "random kills",
    "eight starts at once",
    "nights, of which one trained",
    "soak cycles, a fifth killed",
)
CALLS, CLEAN, SERVER = "failing calls", "kinds of failing calls, to a clean pass", "server faults"
PEOPLE, TROUBLES, INPUTS = (
    "deletions by a person",
    "disks, locks, models, clocks",
    "inputs with their exact outcome",
)


@dataclass
class Figures:
    """What was done and held, and what did not hold."""

    file: Path
    done: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    seconds: float = 0.0  # of all workers together
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
        began = time.monotonic()
        try:
            wrong = trial()
        except AssertionError as error:
            wrong = [str(error)]
        seconds = round(time.monotonic() - began, 2)
        with self.lock:
            self._count(kind, name, wrong, times, seconds)
            with self.file.open("a") as stream:
                stream.write(
                    json.dumps(
                        {
                            "kind": kind,
                            "name": name,
                            "wrong": wrong,
                            "times": times,
                            "seconds": seconds,
                        }
                    )
                    + "\n"
                )
        if wrong:
            print(f"VIOLATION {kind}: {name}: {' | '.join(wrong)[:800]}", flush=True)

    def _count(self, kind: str, name: str, wrong: list[str], times: int, seconds: float) -> None:
        self.keys.add(f"{kind}: {name}")
        self.done[kind] += 0 if wrong else times
        self.seconds += seconds
        self.violations += [f"{kind}: {name}: {one}" for one in wrong]

    def wants(self, kind: str, names: list[str]) -> bool:
        """Whether any of these units is still to be done."""
        return any(f"{kind}: {name}" not in self.keys for name in names)

    def table(self, goals: Mapping[str, int]) -> str:
        """One line for each goal: what was done, how much of it is asked, and whether that is
        met.
        """
        lines = [f"{'':42} {'done':>7} {'goal':>7}"]
        for what, goal in goals.items():
            lines.append(
                f"{what:42} {self.done[what]:7,} {goal:7,} "
                f" {'met' if self.done[what] >= goal else 'NOT MET'}"
            )
        lines.append(
            f"{'violations':42} {len(self.violations):7,} {0:7,} "
            f" {'NOT MET' if self.violations else 'met'}"
        )
        lines.append(f"{self.seconds / 60:.0f} minutes of work")
        return "\n".join(lines)
