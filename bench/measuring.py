"""Measures one process: wall and CPU seconds, peak memory, what it said.

The machine may be shared, so ratios are taken of both times.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Command = Sequence[str]


@dataclass(frozen=True)
class Measured:
    """One run: seconds on the clock, seconds of CPU (children included), peak memory in bytes, both
    streams.
    """

    wall: float
    cpu: float
    peak: int
    out: str = ""
    err: str = ""

    def less(self, wall: float, cpu: float) -> Measured:
        """The same run with a part of it taken off."""
        return replace(self, wall=self.wall - wall, cpu=self.cpu - cpu)


def measured(command: Command) -> Measured:
    """Run a process to its end.

    Raises:
        RuntimeError: it failed; the message is what it said last.
    """
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        began = time.perf_counter()
        process = subprocess.Popen(command, stdout=out, stderr=err, env=_environment())
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        texts = [(stream.seek(0), stream.read())[1] for stream in (out, err)]
    if process.returncode:
        raise RuntimeError(
            f"{' '.join(command)} ended with {process.returncode}: {texts[1][-2000:]}"
        )
    return Measured(wall, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024, *texts)


def _environment() -> dict[str, str]:
    """Ours, but Python may keep its compiled files, as it does under cron."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def python(code: str) -> Command:
    """A Python of its own that runs some code."""
    return [sys.executable, "-c", code]


def in_turn(times: int, *runs: Callable[[], Measured]) -> list[list[Measured]]:
    """Each of some runs as often as asked, one after the other in turn, so that a busy minute hits
    all alike.
    """
    rounds = [[run() for run in runs] for _ in range(times)]
    return [list(one) for one in zip(*rounds, strict=True)]


@dataclass(frozen=True)
class Ratio:
    """The median of some ratios, and their spread."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        spread = f" ({self.low:.2f}..{self.high:.2f})" if self.low != self.high else ""
        return f"{self.median:.2f}{spread}" if self.median >= 0.1 else f"{self.median:.3f}{spread}"


def ratio(above: Sequence[float], below: Sequence[float]) -> Ratio:
    """Ratios of runs that stood beside each other."""
    ratios = sorted(a / b for a, b in zip(above, below, strict=True))
    quarter = len(ratios) // 4
    return Ratio(statistics.median(ratios), ratios[quarter], ratios[-1 - quarter])
