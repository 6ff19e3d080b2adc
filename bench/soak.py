"""Nothing is lost, at length: `make soak` kills, fails, overlaps and feeds the job for up to an
hour, and prints the figures.

Every unit of work has a key; those that are done stand in `build/soak/SEED.jsonl`, so that a soak
that was interrupted goes on where it was. Another seed tries other moments, calls and files:
`python -m bench.soak --seed 2`.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from bench.soak_figures import Figures
from bench.soak_work import Work, all_work, goals
from tests import postgres
from tests.crash.forked import Zygote

CLONE = Path(__file__).resolve().parents[1]


def main() -> int:
    """Do all that is not done yet; 0 where nothing was violated."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="only work whose name begins with this")
    parser.add_argument("--minutes", type=float, default=60, help="begin nothing new after so many")
    parser.add_argument(
        "--workers", type=int, default=2, help="units at the same time; each keeps a core busy"
    )
    args = parser.parse_args()
    (CLONE / "build" / "soak").mkdir(parents=True, exist_ok=True)
    figures = Figures(CLONE / "build" / "soak" / f"{args.seed}.jsonl").load()
    ends = time.monotonic() + 60 * args.minutes
    memory = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else None
    folder = Path(tempfile.mkdtemp(prefix="retraining-soak-", dir=memory))
    signal.signal(signal.SIGTERM, partial(_stop, folder))
    chosen = [work for work in all_work(figures, args.seed) if work[0].startswith(args.only)]
    try:
        left_out = _work_through(chosen, folder, ends, args.workers)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(figures.table(goals()))
    if left_out:
        print(
            f"Not begun in {args.minutes:g} minutes: {', '.join(left_out)}. Start again to go on."
        )
    return 1 if figures.violations or left_out else 0


def _stop(folder: Path, *_: object) -> None:
    """End at once.

    What was done is noted, and forking processes and servers end when their parent does.
    """
    postgres.end_all()
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
