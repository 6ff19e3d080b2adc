"""`prediction_service.py` as a person starts it: a process of its own on a free port."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.ports import free_port
from tests.projects import CLONE, environment_of_cron
from tests.serving.services import Caller, until

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRIPT = "prediction_service.py"


@dataclass(frozen=True)
class Started:
    """A started service."""

    process: subprocess.Popen[str]
    port: int
    log: Path

    def caller(self) -> Caller:
        return Caller(self.port)

    def answers(self) -> bool:
        """Whether somebody listens on the port."""
        with contextlib.suppress(OSError):
            return self.caller().ask("GET", "/live").status == 200
        assert self.process.poll() is None, self.log.read_text()
        return False

    def workers(self) -> list[int]:
        """The processes that it forked."""
        pid = self.process.pid
        told = subprocess.run(
            ["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False
        )
        return [int(line) for line in told.stdout.split()]


@contextlib.contextmanager
def started(project: Path, *words: str, first: str = "", **extra: str) -> Iterator[Started]:
    """A service that listens; killed where the test has not ended it.

    `first` is a program that becomes the service, whose words it gets.
    """
    port = free_port()
    log = project / f"service-{port}.log"
    command = [sys.executable, *(["-c", first] if first else [])]
    command += [str(CLONE / SCRIPT), "--project", str(project), "--port", str(port)]
    with log.open("w") as stream:
        process = subprocess.Popen(
            [*command, *words],
            cwd="/",
            # probes are pickled by reference to the tests' module
            env={**environment_of_cron(project), "PYTHONPATH": str(CLONE), **extra},
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            text=True,
            start_new_session=True,
        )
    service = Started(process, port, log)
    try:
        assert until(service.answers, 120), log.read_text()
        yield service
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def starts_on(project: Path) -> list[int]:
    """The processes of the job that run on this project."""
    processes = [path for path in Path("/proc").iterdir() if path.name.isdecimal()]
    return [int(path.name) for path in processes if _mentions(path, str(project))]


def _mentions(process: Path, text: str) -> bool:
    """Whether a start of the job has this text on its command line."""
    try:
        words = (process / "cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return False
    return text in words and "pipeline_orchestrator" in words
