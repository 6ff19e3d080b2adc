"""A running scheduler with workers, and what they have forked."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.fleets import fleet_command
from tests.projects import CLONE, environment_of_cron

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.projects import Project


class Cluster:
    """A running scheduler with workers, as docs/scale.md starts them."""

    def __init__(self, port: int) -> None:
        self.address = f"127.0.0.1:{port}"
        self.scheduler = self._start("scheduler", "--host", "127.0.0.1", "--port", str(port))
        self.workers: list[subprocess.Popen[bytes]] = []

    def add_worker(self) -> None:
        self.workers.append(self._start("worker", self.address, "--nthreads", "1", "--no-nanny"))

    def _start(self, *words: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "dask", *words, "--no-dashboard"],
            cwd=CLONE,
            env=environment_of_cron(CLONE),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def end(self) -> None:
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()


def child_pids(pid: int) -> list[int]:
    """The processes that a process started and that live."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        texts = [(task / "children").read_text() for task in tasks]
    except OSError:
        return []  # it has just ended
    return [int(word) for text in texts for word in text.split()]


def fleet_on(cluster: Cluster, projects: Sequence[Project]) -> subprocess.Popen[str]:
    """A fleet that works on the cluster."""
    return subprocess.Popen(
        fleet_command(*(str(project.folder) for project in projects), "--json"),
        env={**environment_of_cron(CLONE), "ENGINE": f"dask://{cluster.address}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
