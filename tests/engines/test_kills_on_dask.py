"""Seeded kills of workers, of what they forked, and of the scheduler, under a fleet: nothing is
lost or doubled.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from retraining.folders.lock import is_held
from tests.engines.clusters import Cluster, child_pids, fleet_on
from tests.fleets import QUICK_RECIPE, Maker

if TYPE_CHECKING:
    from tests.projects import Project

WHOM = ("child", "child", "forker", "worker", "worker", "scheduler")
BETWEEN = (0.3, 3.0)  # seconds from one kill of a start to the next
GIVES_UP_AFTER = 40  # starts


def kill_one(whom: str, cluster: Cluster) -> bool:
    """Kill a process of that kind, if there is one."""
    workers = [one.pid for one in cluster.workers if one.poll() is None]
    forkers = [pid for worker in workers for pid in child_pids(worker)]
    of_kind = {
        "scheduler": [cluster.scheduler.pid],
        "worker": workers,
        "forker": forkers,
        "child": [pid for forker in forkers for pid in child_pids(forker)],
    }[whom]
    for pid in of_kind[:1]:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            return True
    return False


def start_with_kills(
    projects: list[Project], port: int, rng: random.Random, wanted: int
) -> tuple[int, int]:
    """One fleet under which up to `wanted` processes are killed.

    How many were, and its exit code.
    """
    cluster = Cluster(port)
    killed = 0
    try:
        cluster.add_worker()
        cluster.add_worker()
        process = fleet_on(cluster, projects)
        while process.poll() is None:
            with suppress(subprocess.TimeoutExpired):
                process.wait(rng.uniform(*BETWEEN))
            if process.poll() is None and killed < wanted:
                whom = rng.choice(WHOM)
                killed += kill_one(whom, cluster)
                if whom == "worker":
                    cluster.add_worker()
        process.communicate()
        return killed, process.returncode
    finally:
        cluster.end()


def violations(project: Project) -> list[str]:
    """What is not as it would be after one cycle that promoted."""
    found = []
    status = project.start("status", "--json").expect(0).json
    if status["production_version"] != 2:
        found.append(f"production is v{status['production_version']}")
    if status["waiting"] or status["judged"] or status["quarantined"]:
        found.append(f"files are left: {status}")
    if len(project.names("used_data")) != 15:
        found.append(f"{len(project.names('used_data'))} files are archived")
    endings = [one["ending"] for one in project.start("history", "--json").expect(0).json]
    if endings.count("promoted") != 1:
        found.append(f"endings: {endings}")
    if is_held(project.folder / ".retraining"):
        found.append("the lock is held")
    return [f"{project.folder.name}: {one}" for one in found]


def kill_under_fleets(make: Maker, port: int, *, size: int, kills: int, seed: int) -> None:
    rng = random.Random(seed)
    done = 0
    for round_number in range(GIVES_UP_AFTER):
        projects = [make(f"{round_number}-{n}", recipe=QUICK_RECIPE) for n in range(size)]
        for _ in range(GIVES_UP_AFTER):
            killed, code = start_with_kills(projects, port, rng, min(4, kills - done))
            done += killed
            if code == 0:
                break
            assert code in (1, 69, 75), f"exit {code}"
        assert [one for project in projects for one in violations(project)] == []
        if done >= kills:
            return
    pytest.fail(f"only {done} processes could be killed")


@pytest.mark.slow
@pytest.mark.timeout(900)  # it starts some five clusters and as many fleets
def test_ten_kills_lose_nothing(make: Maker, unused_port: int) -> None:
    kill_under_fleets(make, unused_port, size=3, kills=10, seed=1)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_hundred_kills_under_fleets_of_eight_lose_nothing(make: Maker, unused_port: int) -> None:
    kill_under_fleets(make, unused_port, size=8, kills=100, seed=2)
