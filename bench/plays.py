"""What an engine gains a replay: `python -m bench.scale plays [--offsets 8] [--rows 12000]`.

The electricity market, the shipped recipe, one policy from so many offsets: in this process, and on
ENGINE=dask with a worker for each core. On quiet cores the goals are 1.5 times the speed for 1.3
times the CPU. The output must be equal.
"""

from __future__ import annotations

import argparse
import gzip
import sys
import tempfile
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from bench.measuring import measured

if TYPE_CHECKING:
    from collections.abc import Sequence

CLONE = Path(__file__).resolve().parent.parent
STREAM = CLONE / "examples" / "electricity" / "electricity.csv.gz"
GOAL_OF_TIME, GOAL_OF_CPU = 1.5, 1.3


def plays(words: Sequence[str]) -> int:
    """Print both ratios; 1 where one misses its goal, or the output differs."""
    flags = argparse.ArgumentParser(prog="bench.scale plays", description=__doc__)
    flags.add_argument("--offsets", type=int, default=8)
    flags.add_argument("--rows", type=int, default=12_000, help="of the stream, from its start")
    args = flags.parse_args(words)
    with tempfile.TemporaryDirectory() as folder:
        stream = Path(folder) / "stream.csv"
        with gzip.open(STREAM, "rt") as lines:
            stream.write_text("".join(islice(lines, args.rows + 1)))
        (Path(folder) / ".env").write_text("RETRAIN_THRESHOLD=0.8\n")
        command = [str(CLONE / "pipeline_orchestrator.py"), "replay", str(stream), "--json", "-q"]
        command += ["--project", folder, "--policy", "current"]
        command += ["--rows-per-cycle", "600", "--offsets", str(args.offsets)]
        here = measured([sys.executable, *command])
        there = measured(["env", "ENGINE=dask", sys.executable, *command])
    faster, dearer = here.wall / there.wall, there.cpu / here.cpu
    same = "equal" if here.out == there.out else "ANOTHER"
    print(f"{args.offsets} plays: {here.wall:.0f} s here, {there.wall:.0f} s on ENGINE=dask: ")
    print(f"{faster:.2f} times as fast (goal {GOAL_OF_TIME}), ", end="")
    print(f"{dearer:.2f} times the CPU (goal {GOAL_OF_CPU}); {same} output")
    is_good = faster >= GOAL_OF_TIME and dearer <= GOAL_OF_CPU and here.out == there.out
    return int(not is_good)
