"""Stdout and stderr of a start: there from the beginning, and no cause of a traceback at the end.

Standard library only: a closed gate prints too.
"""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TextIO

DONE = "The command had ended before; what it did stays."
ELSEWHERE = (
    "Free space where stdout goes to, or send it elsewhere; `status` and `history` tell how a cycle"
    " ended."
)


def stdout_and_stderr() -> tuple[TextIO, TextIO]:
    """Both, and nowhere instead of one that was closed before the start.

    A file that is opened gets the lowest free number. So where 1 is closed, what a library prints
    would land in the database that took its place.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets this number, the lowest that is free
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", closefd=False)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", closefd=False)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # a file's name may not fit the terminal's encoding
            stream.reconfigure(errors="backslashreplace")
    return sys.stdout, sys.stderr


def code_when_unsaid(error: OSError, code: int, out: TextIO, err: TextIO) -> int:
    """The exit code where stdout or stderr took no more of what was to be said.

    A reader who went away (`| head`) had enough of it: the code stays. Anything else is told on
    stderr, and is a failure.
    """
    _forget_the_rest(out)
    if isinstance(error, BrokenPipeError):
        return code
    what = f"What this command has to say could not be written: {error.strerror}."
    try:
        err.write("\n".join([what, DONE, ELSEWHERE]) + "\n")
    except OSError:
        _forget_the_rest(err)
    return code or 1


def _forget_the_rest(stream: TextIO) -> None:
    """What waits to be written goes nowhere: at its end Python would fail on it once more."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
