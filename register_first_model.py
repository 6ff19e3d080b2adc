"""Puts a first model into the registry: trained here, pickled, or registered by somebody else.

`--train-from DIR` trains the recipe on a folder of files, `--model FILE --trust-pickle` takes a
pickled estimator, and `--adopt N` takes up a version that is in the registry already. With no
argument: the one file in `model/`, else training from `used_data/`.
"""

from __future__ import annotations

import atexit
import gc
import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.dont_write_bytecode = True  # a full disk would cut it short, and every later start would fail
atexit.register(gc.freeze)  # memory ends with the process: taking packages apart takes a second

from retraining.cli import obey
from retraining.console.command_lines import REGISTER, program_name
from retraining.console.command_words import Parser, common_flags

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from retraining.commands import Answer
    from retraining.logs import OpenLog
    from retraining.settings import Settings
WHAT = (
    "Put a first model into the registry. With nothing named: the one file in model/, else trained"
    " on the files in used_data/."
)


def parse(words: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = Parser(prog=program_name(REGISTER), parents=[common_flags()], description=WHAT)
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--model", type=Path, metavar="FILE", help="a pickled estimator (needs --trust-pickle)"
    )
    source.add_argument(
        "--train-from",
        type=Path,
        metavar="DIR",
        help="train on the files of this folder of the project and of the archive",
    )
    source.add_argument(
        "--adopt", type=int, metavar="N", help="adopt version N, which somebody else registered"
    )
    parser.add_argument(
        "--trust-pickle",
        action="store_true",
        help="load the pickle, which runs the code in it: only if you trust where it comes from",
    )
    parser.add_argument(
        "--example",
        type=Path,
        metavar="DATAFILE",
        help="a file with the columns and types that a pickled model takes; used_data/ by default",
    )
    parser.add_argument(
        "--set-alias", action="store_true", help="give the version the production alias"
    )
    return parser.parse_args(words)


def register(args: argparse.Namespace, settings: Settings, open_log: OpenLog) -> Answer:
    """Register what was asked for, under the project's lock."""
    from retraining import registering
    from retraining.cycle.job import Hooks, Job
    from retraining.folders.lock import one_cycle_at_a_time

    kept = open_log()
    with one_cycle_at_a_time(settings.state_dir):
        job = Job.open(settings, hooks=Hooks(log_lines=lambda: kept.lines))
        request = registering.Request(
            args.model,
            args.train_from,
            args.adopt,
            args.example,
            set_alias=args.set_alias,
            trust_pickle=args.trust_pickle,
        )
        return registering.register(job, request)


def main(words: Sequence[str]) -> int:
    """Obey one command line; the exit code."""
    return obey(words, parse, register)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
