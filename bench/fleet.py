"""How often a fleet in which nothing changes is given a new model: `python -m bench.fleet [--runs
40] [--cycles 30] [--scenario none]`.

Each run is a fleet of its own seed (`examples/adas`), played by `replay` with its recipe and
settings, but asked every cycle (RETRAIN_WHEN=always) and strictly (PROMOTE_WHEN=significant). A
promotion under `none` is false by construction: the goal is at most 5 % of the runs. What was
played is kept in `build/bench-fleet` as long as the code is the same: an interrupted bench goes on.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pandas as pd

import pipeline_orchestrator
from retraining import settings as settings_module
from retraining.replay.history import cut_at_offsets, read_history
from retraining.replay.policies import Lineup
from retraining.replay.replaying import Stage, play_from
from retraining.replay.scratch import scratch_folder

if TYPE_CHECKING:
    from collections.abc import Sequence

CLONE = Path(__file__).resolve().parent.parent
EXAMPLE = CLONE / "examples" / "adas"
CACHE = CLONE / "build" / "bench-fleet"
STRICT = {"RETRAIN_WHEN": "always", "PROMOTE_WHEN": "significant"}
# rows and files of a batch; batches of the first model, as the example's README has them
ROWS, FILES, INITIAL = 1_500, 15, 2
GOAL = 0.05  # share of the runs under `none` that promote


def play(seed: int, cycles: int, scenario: str) -> dict[str, int]:
    """Play one fleet; the promotions and the fits of its run."""
    fleet = SimpleNamespace(**runpy.run_path(str(EXAMPLE / "data_simulator.py"), run_name="fleet"))
    options = fleet.parser().parse_args(["--seed", str(seed), "--scenario", scenario])
    settings = settings_module.load(EXAMPLE, STRICT)
    with scratch_folder(200 * ROWS * (INITIAL + cycles)) as folder:
        rows = pd.concat(
            [fleet.simulate(batch, ROWS, options) for batch in range(INITIAL + cycles)]
        )
        rows.to_csv(folder / "fleet.csv", index=False)
        history = read_history([folder / "fleet.csv"], settings, folder / "sources")
        [cut] = cut_at_offsets(history, initial=INITIAL * ROWS, per_cycle=ROWS, offsets=1)
        stage = Stage(
            pipeline_orchestrator.run_cycle, history, settings.recipe_path, folder, FILES, 1.0
        )
        played = play_from(cut, Lineup(("strict",), {"strict": settings}, (), settings), stage)[
            "strict"
        ]
    return {"promotions": played.promotions, "fits": played.fits}


def play_all(seeds: Sequence[int], cycles: int, scenario: str) -> list[dict[str, Any]]:
    """Play every seed that the cache does not hold; each is added to it at once."""
    CACHE.mkdir(parents=True, exist_ok=True)
    file, code = CACHE / "plays.jsonl", _code()
    lines = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    kept = {
        line["seed"]: line
        for line in lines
        if (line["code"], line["cycles"], line["scenario"]) == (code, cycles, scenario)
    }
    for number, seed in enumerate(seeds, start=1):
        if seed not in kept:
            kept[seed] = {
                "seed": seed,
                "cycles": cycles,
                "scenario": scenario,
                "code": code,
                **play(seed, cycles, scenario),
            }
            with file.open("a") as stream:
                stream.write(json.dumps(kept[seed]) + "\n")
            print(f"\r{number} of {len(seeds)} played", end="", file=sys.stderr, flush=True)
    return [kept[seed] for seed in seeds]


def _code() -> str:
    files = [
        *sorted((CLONE / "retraining").rglob("*.py")),
        *sorted(EXAMPLE.glob("*.py")),
        EXAMPLE / ".env",
        CLONE / "pipeline_orchestrator.py",
    ]
    return hashlib.sha256(
        b"".join(hashlib.sha256(path.read_bytes()).digest() for path in files)
    ).hexdigest()[:16]


def main(words: Sequence[str] | None = None) -> int:
    """Print the share of the runs that promote; 1 where it misses the goal."""
    flags = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    flags.add_argument(
        "--runs", type=int, default=40, help="fleets, seeds 1 to this number (default 40)"
    )
    flags.add_argument("--cycles", type=int, default=30, help="cycles of each (default 30)")
    flags.add_argument(
        "--scenario",
        default="none",
        help="another of the simulator's scenarios, to see what is found there (default none)",
    )
    args = flags.parse_args(words)
    played = play_all(range(1, args.runs + 1), args.cycles, args.scenario)
    promoting = sum(run["promotions"] > 0 for run in played)
    share = promoting / len(played)
    print(
        f"\n{args.scenario}: {promoting} of {len(played)} seeded runs of {args.cycles} cycles"
        f" promote ({share:.1%}), ",
        end="",
    )
    print(
        f"{sum(run['promotions'] for run in played)} promotions of"
        f" {sum(run['fits'] for run in played)} challengers"
    )
    if args.scenario != "none":
        return 0
    print(f"goal: at most {GOAL:.0%}: {'met' if share <= GOAL else 'MISSED'}")
    return int(share > GOAL)


if __name__ == "__main__":
    sys.exit(main())
