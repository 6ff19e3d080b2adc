"""A forked child that becomes a start of its own. Standard library only.

A fork takes over more of its parent than a new process would: text streams with what they hold
back, signal handlers, functions to call at the end, and numpy's global random state. All of these
are put right here, so that a recipe cannot tell whether it was started alone.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
import traceback
from typing import TYPE_CHECKING, Literal, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from io import TextIOWrapper
    from typing import IO

STDIN, STDOUT, STDERR = 0, 1, 2
INTERRUPTED, FAILED = 130, 1
_streams_of_the_parent: list[object] = []  # one that is let go of closes its descriptor


def fork_child(
    start: Callable[[], int],
    out: IO[bytes],
    err: IO[bytes],
    signals: Iterable[signal.Signals],
) -> int:
    """Fork a child that runs `start` and ends with its exit code; the pid of the child.

    The caller holds `signals` back, or one could come before the child's pid is known.

    Args:
        start: what the child does.
        out: takes what the child prints on stdout.
        err: the same for stderr.
        signals: those that the parent handles; the child handles them as a new process does.

    Raises:
        OSError: the machine has no room for another process.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return pid
    code = FAILED
    try:
        _become_a_process_of_its_own(out, err, signals)
        code = start()
    except KeyboardInterrupt:
        code = INTERRUPTED
    except BaseException:  # noqa: BLE001 - nothing may run on in the frames of the parent
        traceback.print_exc()
    finally:
        _end(code)


def _become_a_process_of_its_own(
    out: IO[bytes], err: IO[bytes], signals: Iterable[signal.Signals]
) -> None:
    os.setpgid(0, 0)  # Ctrl-C reaches the parent alone, which passes it on: once, not twice
    # the parent's are the parent's; multiprocessing does the same from Python 3.13 on
    atexit._clear()  # noqa: SLF001
    _open_streams(out, err)
    _reseed()
    for number in signals:
        if signal.getsignal(number) is not signal.SIG_IGN:
            handler = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
            signal.signal(number, handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)


def _open_streams(out: IO[bytes], err: IO[bytes]) -> None:
    _streams_of_the_parent.extend((sys.stdin, sys.stdout, sys.stderr))
    _streams_of_the_parent.extend((sys.__stdin__, sys.__stdout__, sys.__stderr__))
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, STDIN)
    os.dup2(out.fileno(), STDOUT)
    os.dup2(err.fileno(), STDERR)
    os.close(nothing)
    sys.stdin = sys.__stdin__ = _text_stream(STDIN, "r")  # type: ignore[misc]
    sys.stdout = sys.__stdout__ = _text_stream(STDOUT, "w")  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = _text_stream(STDERR, "w")  # type: ignore[misc]


def _text_stream(descriptor: int, mode: Literal["r", "w"]) -> TextIOWrapper:
    """Line by line, so that a child that crashes has said what it knew."""
    return open(
        descriptor, mode, buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False
    )


def _reseed() -> None:
    """Give numpy's global generator a state of this child's own; `random` does so by itself."""
    if "numpy.random" in sys.modules:
        import numpy as np

        np.random.seed()  # noqa: NPY002 - it is the global generator that recipes may draw from


def _end(code: int) -> NoReturn:
    """End as the interpreter would: threads first, then what was to be called at the end."""
    try:
        threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001
        atexit._run_exitfuncs()  # noqa: SLF001
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)
