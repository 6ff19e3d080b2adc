"""How a start that failed is reported: three lines for people, and an exit code.

Standard library only.
"""

from __future__ import annotations

from pathlib import Path

from retraining.console.byte_code import damaged_code
from retraining.errors import RetrainingError, SettingsError
from retraining.folders.disks import is_forbidden, is_full

LATER = "What was committed stays; the next start finishes or undoes the rest."
AGAIN = "Start it again when you like; nothing needs to be cleaned up."


class Terminated(KeyboardInterrupt):
    """SIGTERM; a KeyboardInterrupt, so that nothing on the way takes it for an error of its own."""


def in_three_lines(error: BaseException) -> tuple[int, tuple[str, ...]]:
    """The exit code, and what a person reads: what failed and where, what was left unchanged, what
    to try.
    """
    if isinstance(error, SettingsError) and len(error.problems) > 1:
        return error.exit_code, (*error.problems, error.in_short, *error.lines()[1:])
    damaged = damaged_code(error)
    if damaged is not None:
        return damaged.exit_code, damaged.lines()
    if isinstance(error, RetrainingError):
        return error.exit_code, error.lines()
    if isinstance(error, KeyboardInterrupt):
        code, how = (143, "SIGTERM") if isinstance(error, Terminated) else (130, "Ctrl-C")
        return code, (
            f"Interrupted by {how}.",
            LATER,
            AGAIN,
        )
    if isinstance(error, OSError) and (said := _of_the_disk(error)):
        return 1, (said[0], LATER, said[1])
    message = " ".join(str(error).split())
    what = f"{type(error).__name__} in {_place(error)}: {message[:500]}"
    return 1, (
        what,
        LATER,
        (
            "Look at the log in .retraining/logs/, or run again with -v; if it stays, report it"
            " with that log."
        ),
    )


def _of_the_disk(error: OSError) -> tuple[str, str] | None:
    """What failed and what to try, where a disk is full or a right is missing: no fault of ours,
    and nothing to report.
    """
    if is_full(error):
        where = (
            f"The disk of {error.filename}" if error.filename else "A disk that the job writes to"
        )
        return (
            f"{where} is full ({_place(error)}).",
            "Free space there (`df` shows each disk), then run again.",
        )
    if is_forbidden(error) and error.filename:
        remedy = "Give the job's user the right to it, or start as the user who owns the project."
        return (
            (
                f"This user may not read or write {error.filename}: {error.strerror}"
                f" ({_place(error)})."
            ),
            remedy,
        )
    return None


def _place(error: BaseException) -> str:
    """The innermost line of ours; a line of a library says little."""
    ours, trace, place = Path(__file__).parents[2], error.__traceback__, "the start"
    while trace is not None:
        path = Path(trace.tb_frame.f_code.co_filename)
        if path.is_relative_to(ours) and "site-packages" not in path.parts:
            place = f"{path.relative_to(ours)} line {trace.tb_lineno}"
        trace = trace.tb_next
    return place
