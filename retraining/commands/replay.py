"""`replay`: what would have happened under other settings."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retraining.commands import Answer
from retraining.errors import UsageError
from retraining.folders.local_state import LocalState
from retraining.inbox import Inbox
from retraining.phrases import first_few

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from retraining.replay.history import Cut, History
    from retraining.replay.judging import Play
    from retraining.replay.playing import RunCycle
    from retraining.replay.policies import Lineup
    from retraining.replay.replaying import Stage
    from retraining.settings import Settings

GZIP = 10  # times that packed tables grow


def add_flags(command: argparse.ArgumentParser) -> None:
    """What is played, in which steps, under which policies."""
    command.add_argument(
        "files",
        nargs="*",
        type=Path,
        metavar="FILES",
        help="CSV, CSV.gz or Parquet in time order; used_data/ by default",
    )
    command.add_argument(
        "--policy",
        metavar="NAME[,NAME]",
        help="`current`, settings files, or simple loops such as always; by default all of these",
    )
    _add_steps(command)
    command.add_argument(
        "--recipe",
        type=Path,
        metavar="FILE",
        help="the training recipe; the project's by default",
    )
    command.add_argument(
        "--advise",
        action="store_true",
        help="print the .env lines worth changing, with gain and interval",
    )


def _add_steps(command: argparse.ArgumentParser) -> None:
    """How the history is cut into cycles."""
    command.add_argument(
        "--rows-per-cycle",
        type=int,
        metavar="N",
        help="rows in a cycle; by default those of MIN_NEW_FILES files, or a fiftieth of all",
    )
    command.add_argument(
        "--files-per-cycle",
        type=int,
        default=15,
        metavar="N",
        help="how many equal files hold the rows of each cycle, whatever files you named (15)",
    )
    command.add_argument(
        "--initial-rows",
        type=int,
        metavar="N",
        help="rows that the first model learns; by default as many as four cycles hold",
    )
    command.add_argument(
        "--offsets",
        type=int,
        default=1,
        metavar="K",
        help="repeat K times, each from a later row (1)",
    )
    command.add_argument(
        "--days-per-cycle",
        type=float,
        default=1.0,
        metavar="D",
        help="days that pass between cycles (1)",
    )


def answer(args: argparse.Namespace, settings: Settings, run_cycle: RunCycle) -> Answer:
    """Play the history under every policy that was named.

    Raises:
        UsageError: there is nothing to play, or a number, name or file cannot be used.
    """
    _check_numbers(args)
    # read at the first fit: OpenMP crawls on small tables
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    from retraining.replay import advice, policies, scratch, summary
    from retraining.replay.history import read_history
    from retraining.replay.replaying import Stage

    paths, recipe = _files(args, settings), _recipe(args, settings)
    if args.policy is not None:
        names = tuple(name.strip() for name in args.policy.split(","))
    else:
        names = (policies.CURRENT,) if args.advise else policies.DEFAULT
    lineup = policies.line_up(names, settings, os.environ, args.env_file)
    if args.advise:
        lineup = advice.with_candidates(lineup)
    with scratch.scratch_folder(sum(_typed_size(path) for path in paths)) as folder:
        history = read_history(paths, settings, folder / "sources")
        cuts = _cuts(args, settings, history)
        stage = Stage(run_cycle, history, recipe, folder, args.files_per_cycle, args.days_per_cycle)
        if settings.engine is None:
            plays = _play(cuts, lineup, stage, quiet=args.quiet)
        else:
            plays = _play_on(settings.engine, cuts, lineup, stage, quiet=args.quiet)
    result: dict[str, Any] = {
        "cycles": len(cuts[0].cycles),
        "policies": {name: [play.as_json() for play in played] for name, played in plays.items()},
    }
    text = summary.in_words(
        plays, cuts, settings.metric, greater_is_better=settings.greater_is_better
    )
    if args.advise:
        candidates = advice.advise(plays, lineup, cuts)
        result["advice"] = [candidate.as_json() for candidate in candidates]
        text = f"{text}\n\n{advice.in_words(candidates)}"
    return Answer(result, text)


def _play(
    cuts: Sequence[Cut], lineup: Lineup, stage: Stage, *, quiet: bool
) -> Mapping[str, list[Play]]:
    from retraining.replay.progress import Progress
    from retraining.replay.replaying import play_from

    progress = Progress(
        len(lineup.names) * sum(len(cut.cycles) for cut in cuts), None if quiet else sys.__stderr__
    )
    plays: dict[str, list[Play]] = {name: [] for name in lineup.names}
    try:
        for cut in cuts:
            for name, play in play_from(cut, lineup, replace(stage, tick=progress.tick)).items():
                plays[name].append(play)
    finally:
        progress.clear()
    return plays


def _play_on(
    engine: str, cuts: Sequence[Cut], lineup: Lineup, stage: Stage, *, quiet: bool
) -> Mapping[str, list[Play]]:
    """The same, each policy and each offset as a task of its own.

    Raises:
        EngineUnreachableError: there is no scheduler, or it was lost.
        OtherVersionsError: its workers have other versions of packages.
    """
    from retraining.engines import on_dask, worker
    from retraining.replay.progress import Progress

    tasks = [
        worker.PlayTask(
            cut, one, stage.recipe, stage.scratch, stage.files_per_cycle, stage.days_per_cycle
        )
        for cut in cuts
        for one in lineup.one_by_one()
    ]
    progress = Progress(len(tasks), None if quiet else sys.__stderr__, "plays")
    plays: dict[tuple[str, int], Play] = {}
    try:
        with on_dask.engine(engine) as workers:
            history = workers.shared(stage.history)
            sent = [workers.submit(worker.play, task, history) for task in tasks]
            for place in workers.ended(sent, lambda: None):
                progress.tick()
                for name, play in sent[place].result().items():
                    plays[name, tasks[place].cut.offset] = play
    finally:
        progress.clear()
    return {name: [plays[name, cut.offset] for cut in cuts] for name in lineup.names}


def _check_numbers(args: argparse.Namespace) -> None:
    whole = {
        "--rows-per-cycle": args.rows_per_cycle,
        "--files-per-cycle": args.files_per_cycle,
        "--offsets": args.offsets,
    }
    for flag, value in {**whole, "--initial-rows": args.initial_rows}.items():
        if value is not None and value < 1:
            raise UsageError(
                f"{flag} {value} is too small.", remedy="Name a whole number of 1 or more."
            )
    if not 0 <= args.days_per_cycle < 10_000:
        raise UsageError(
            f"--days-per-cycle {args.days_per_cycle:g} is no number of days to play.",
            remedy="Name one of 0 to 9,999.",
        )
    if args.rows_per_cycle is not None and args.rows_per_cycle < max(
        args.files_per_cycle, args.offsets
    ):
        raise UsageError(
            f"--rows-per-cycle {args.rows_per_cycle} is fewer than the {args.files_per_cycle}"
            " files a cycle, or than the offsets.",
            remedy="Name more rows, or fewer files with --files-per-cycle.",
        )


def _files(args: argparse.Namespace, settings: Settings) -> list[Path]:
    """The files named, or those of the archive by arrival."""
    if args.files:
        lacking = [str(path) for path in args.files if not path.is_file()]
        if lacking:
            raise UsageError(
                f"No such file: {first_few(lacking, 5)}.",
                remedy="Name CSV, CSV.gz or Parquet files in order of time.",
            )
        return list(args.files)
    folder = settings.used_data_dir
    archive = Inbox(
        settings._replace(new_data_dir=folder, min_file_age_seconds=0.0),
        LocalState(settings.state_dir),
    )
    names = archive.listing().ready if folder.is_dir() else ()
    if not names:
        raise UsageError(
            f"There is no history to play: {folder} holds no data file.",
            remedy="Name files in order of time.",
        )
    return [folder / name for name in names]


def _typed_size(path: Path) -> int:
    return path.stat().st_size * (GZIP if path.name.lower().endswith(".gz") else 1)


def _recipe(args: argparse.Namespace, settings: Settings) -> Path:
    recipe: Path = args.recipe if args.recipe is not None else settings.recipe_path
    if not recipe.is_file():
        raise UsageError(f"The training recipe {recipe} is not there.", remedy="Correct --recipe.")
    return recipe


def _cuts(args: argparse.Namespace, settings: Settings, history: History) -> tuple[Cut, ...]:
    from retraining.replay.history import INITIAL_CYCLES, cut_at_offsets, sensible_rows_per_cycle

    per_cycle = args.rows_per_cycle or sensible_rows_per_cycle(
        history, settings, args.files_per_cycle
    )
    initial = args.initial_rows or INITIAL_CYCLES * per_cycle
    return cut_at_offsets(history, initial=initial, per_cycle=per_cycle, offsets=args.offsets)
