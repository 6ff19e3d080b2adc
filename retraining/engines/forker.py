"""A process beside a worker that forks a child for each cycle:
`python -m retraining.engines.forker`.

A cycle wants a process of its own: it handles signals, and a recipe may crash. This process has the
packages loaded and runs nothing itself, so that its forks are safe. It reads a request a line from
its stdin and answers each with a line on stdout. When the worker is gone (end of stdin), its child
is killed, since the task is run again elsewhere: a cycle may be killed anywhere.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from retraining.fleet.child import fork_child
from retraining.fleet.packages import load_packages
from retraining.machine import share_with

if TYPE_CHECKING:
    from collections.abc import Mapping

STDIN, STDOUT = 0, 1
STOP = "stop"
PAUSE = 0.02  # seconds between two looks at the child
DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of Linux


@dataclass(frozen=True)
class Request:
    """A start to make.

    Attributes:
        project: its folder.
        words: of its command line.
        environment: names that are set for it; those in `unset` are taken away.
        cycles: how many run at once on this machine.
    """

    project: str
    words: tuple[str, ...]
    environment: Mapping[str, str]
    unset: tuple[str, ...]
    cycles: int


@dataclass(frozen=True)
class Answer:
    """How a start ended.

    Attributes:
        code: its exit code; a negative one is the signal that ended its process, with a minus.
        out: what it printed on stdout.
        err: what it printed on stderr.
        seconds: from its start to its end.
        had_begun: False where it was to be stopped before its process was made.
    """

    code: int
    out: str
    err: str
    seconds: float
    had_begun: bool = True


def main(lent: Mapping[str, str]) -> None:
    """Serve until stdin ends."""
    load_packages(tuple(lent.items()))
    for name in lent:
        os.environ.pop(name, None)  # each project's own word on these comes first
    lines = _Lines()
    while (line := lines.wait()) is not None:
        if line == STOP:
            continue  # it came after the child had ended
        content = json.loads(line)
        answer = _serve(Request(**content), lines)
        sys.__stdout__.write(json.dumps(asdict(answer)) + "\n")  # type: ignore[union-attr]
        sys.__stdout__.flush()  # type: ignore[union-attr]


def _serve(request: Request, lines: _Lines) -> Answer:
    """Fork a child, and look after it until it ends."""
    began = time.monotonic()
    parent = os.getpid()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        pid = fork_child(partial(_live, request, parent), out, err, (signal.SIGTERM, signal.SIGINT))
        code = _code_of(pid, lines)
        said, complained = _text_of(out), _text_of(err)
    return Answer(code, said, complained, time.monotonic() - began)


def _text_of(stream: IO[bytes]) -> str:
    stream.seek(0)
    return stream.read().decode("utf-8", "backslashreplace")


def _live(request: Request, parent: int) -> int:
    """What the child does: the start that was asked for."""
    _die_with(parent)
    for name in request.unset:
        os.environ.pop(name, None)
    os.environ.update(request.environment)
    share_with(request.cycles)
    code: int = import_module("pipeline_orchestrator").main(list(request.words))
    return code


def _code_of(pid: int, lines: _Lines) -> int:
    """Wait for the child; a line that says stop ends it in order, the end of stdin at once."""
    was_told = False
    while True:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            if lines.have_ended:
                sys.exit(0)  # nobody is left to tell
            return os.waitstatus_to_exitcode(status)
        if not lines.say_stop(PAUSE):
            continue
        if lines.have_ended:
            os.kill(pid, signal.SIGKILL)
        elif not was_told:
            was_told = True
            os.kill(pid, signal.SIGTERM)


def _die_with(parent: int) -> None:
    """Have Linux kill this process when the forker is killed: its task is run again elsewhere."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


class _Lines:
    """Lines of stdin, looked for without waiting where need be."""

    def __init__(self) -> None:
        self._rest = b""
        self.have_ended = False

    def wait(self) -> str | None:
        """The next line; None at the end."""
        while b"\n" not in self._rest and not self.have_ended:
            self._read()
        if b"\n" not in self._rest:
            return None
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode()

    def say_stop(self, seconds: float) -> bool:
        """Whether to stop: a line says so, or there will be none any more."""
        if self.have_ended:
            time.sleep(seconds)
            return True
        if select.select([STDIN], [], [], seconds)[0]:
            self._read()
        if b"\n" in self._rest:
            return self.wait() == STOP
        return self.have_ended

    def _read(self) -> None:
        chunk = os.read(STDIN, 65536)
        self._rest += chunk
        self.have_ended = not chunk


def start_line() -> dict[str, Any]:
    """How a worker starts this process."""
    clone = Path(__file__).resolve().parents[2]
    return {"args": [sys.executable, "-m", "retraining.engines.forker"], "cwd": clone}


if __name__ == "__main__":
    main(json.loads(sys.argv[1]) if len(sys.argv) > 1 else {})
