"""What is gained beyond one project, one process, one table:
`python -m bench.scale [fleet|plays|rows|places]`.

`fleet` (or nothing) [--projects 40] [--closed 30] [--alone 3]:
CPU seconds of one `fleet` against as many starts alone, for projects at a closed gate and for all.
Of those that open, `--alone` are started alone, and the others are taken to need the same.
Goals: at most 0.5 for the closed ones, 0.55 for all.
`plays`: a replay on an engine (bench.plays).
`rows`, `places`: what many rows take (bench.large).
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bench import large
from bench.measuring import measured
from bench.plays import plays

if TYPE_CHECKING:
    from collections.abc import Sequence

CLONE = Path(__file__).resolve().parent.parent
ORCHESTRATOR = [sys.executable, str(CLONE / "pipeline_orchestrator.py")]
REGISTER = [sys.executable, str(CLONE / "register_first_model.py")]
SETTINGS = "MIN_NEW_FILES=3\nMIN_FILE_AGE_SECONDS=0\n"
GOAL_OF_THE_CLOSED, GOAL_OF_ALL = 0.5, 0.55


def main(words: Sequence[str]) -> int:
    """Print what was asked for; 1 where a goal is missed."""
    benches = {"fleet": fleet, "plays": plays, "rows": large.rows, "places": large.places}
    if words and words[0] in benches:
        return benches[words[0]](words[1:])
    return fleet(words)


def fleet(words: Sequence[str]) -> int:
    """Print both ratios; 1 where one misses its goal."""
    flags = argparse.ArgumentParser(description=__doc__)
    flags.add_argument("--projects", type=int, default=40)
    flags.add_argument("--closed", type=int, default=30, help="of them, those at a closed gate")
    flags.add_argument("--alone", type=int, default=3, help="open ones that are started alone too")
    args = flags.parse_args(words)
    with tempfile.TemporaryDirectory() as folder:
        base = _first_project(Path(folder) / "base")
        opens = args.projects - args.closed
        closed = [_copy(base, f"closed-{place}", 1) for place in range(args.closed)]
        of_fleet = [_copy(base, f"open-{place}", 3) for place in range(opens)]
        of_alone = [_copy(base, f"alone-{place}", 3) for place in range(min(args.alone, opens))]
        closed_alone = sum(_cpu("run", "--project", str(one)) for one in closed)
        closed_together = _cpu("fleet", *map(str, closed))
        a_cycle = sum(_cpu("run", "--project", str(one)) for one in of_alone) / len(of_alone)
        together = _cpu("fleet", *map(str, [*closed, *of_fleet]))
    alone = closed_alone + a_cycle * opens
    of_closed, of_all = closed_together / closed_alone, together / alone
    print(f"{args.closed} closed gates: {closed_together:.2f} s of CPU in a fleet, ", end="")
    print(f"{closed_alone:.2f} s alone: {of_closed:.2f} (goal {GOAL_OF_THE_CLOSED})")
    print(f"all {args.projects}: {together:.1f} s of CPU in a fleet, ", end="")
    print(f"{alone:.1f} s alone: {of_all:.2f} (goal {GOAL_OF_ALL})")
    return int(of_closed > GOAL_OF_THE_CLOSED or of_all > GOAL_OF_ALL)


def _cpu(*words: str) -> float:
    return measured([*ORCHESTRATOR, *words, "-q"]).cpu


def _first_project(folder: Path) -> Path:
    """A project with a first model, whose last start ended well."""
    for name in ("new_data", "used_data"):
        (folder / name).mkdir(parents=True)
    (folder / ".env").write_text(SETTINGS)
    for place in range(12):
        _write_table(folder / "used_data" / f"{place}.csv", seed=place, turned=False)
    words = ["--project", str(folder)]
    named = ["--train-from", "used_data", "--set-alias"]
    subprocess.run([*REGISTER, *words, *named, "-q"], check=True, capture_output=True)
    subprocess.run([*ORCHESTRATOR, *words, "-q"], check=True, capture_output=True)
    return folder


def _copy(base: Path, name: str, files: int) -> Path:
    """The same project elsewhere, with some files waiting that no start has seen."""
    folder = base.with_name(name)
    shutil.copytree(base, folder)
    for place in range(files):
        _write_table(folder / "new_data" / f"new-{place}.csv", seed=100 + place, turned=True)
    return folder


def _write_table(path: Path, *, seed: int, turned: bool) -> None:
    """100 rows of two columns; the label follows the one or, turned, the other."""
    rng = random.Random(seed)
    lines = ["speed,load,target"]
    for _ in range(100):
        speed, load = rng.gauss(0, 1), rng.gauss(0, 1)
        lines.append(f"{speed:.4f},{load:.4f},{int((load if turned else speed) > 0)}")
    path.write_text("\n".join(lines) + "\n")
    os.utime(path, (time.time() - 600,) * 2)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
