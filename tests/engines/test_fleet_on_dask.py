"""`fleet` on an engine: each project ends as it would alone, whatever becomes of a worker or of the
scheduler.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from retraining.folders.lock import is_held
from tests.engines.clusters import Cluster
from tests.fleets import QUICK_RECIPE, Maker, fleet, fleet_command, lasting
from tests.projects import CLONE, environment_of_cron

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.projects import Project

ENDS_ITS_PROCESS = """
import os, signal
def train_model(X_train, y_train):
    os.kill(os.getpid(), signal.SIGSEGV)
"""
TELLS = (
    QUICK_RECIPE
    + """
import json, os
from pathlib import Path
names = (
    "COLOUR", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "MALLOC_TRIM_THRESHOLD_", "OMP_WAIT_POLICY",
)
told = {name: os.environ.get(name) for name in names}
Path(__file__).with_name("told.json").write_text(json.dumps(told))
"""
)
# the first time it waits to be killed; the second time it learns
WAITS_ONCE = (
    QUICK_RECIPE
    + """
import os, time
from pathlib import Path
mark = Path(__file__).with_name("began")
if not mark.exists():
    mark.write_text(str(os.getpid()))
    time.sleep(120)
"""
)


def folders(*projects: Project) -> list[str]:
    return [str(project.folder) for project in projects]


def wait_until(holds: Callable[[], bool], seconds: float = 200) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.05)


def parent_of(pid: int) -> int:
    stat = Path(f"/proc/{pid}/stat").read_text()
    return int(stat.rpartition(")")[2].split()[1])


def is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


@pytest.fixture
def cluster(unused_port: int) -> Iterator[Cluster]:
    made = Cluster(unused_port)
    try:
        made.add_worker()
        made.add_worker()
        yield made
    finally:
        made.end()


@contextmanager
def running(projects: list[str], **environment: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        fleet_command(*projects, "--json"),
        env={**environment_of_cron(CLONE), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


@pytest.mark.slow
def test_each_project_ends_on_workers_as_it_ends_alone(make: Maker) -> None:
    alone = make("alone", recipe=TELLS).start_process("run", "--json").expect(0).json
    projects = [
        make("open", recipe=TELLS, COLOUR="red"),
        make("closed", opens=False),
        make("crashes", recipe=ENDS_ITS_PROCESS),
        make("broken", METRIC="acuracy"),
    ]
    done = fleet(*folders(*projects), "--json", ENGINE="dask").expect(2)
    opened, closed, crashed, broken = done.json
    assert lasting(opened) == lasting(alone)
    assert closed["ending"] == "too_few_files"
    assert "SIGSEGV" in crashed["reason"]
    assert "METRIC" in broken["reason"]
    told = json.loads((projects[0].folder / "told.json").read_text())
    names = ("MKL_NUM_THREADS", "MALLOC_TRIM_THRESHOLD_")
    assert [told[name] for name in names] == [None, None], "Dask's own settings reached a recipe"
    assert (told["COLOUR"], told["OMP_NUM_THREADS"]) == ("red", "1")
    assert told["OMP_WAIT_POLICY"] == "passive"


def test_a_worker_that_dies_costs_a_retry_and_no_ending(make: Maker, cluster: Cluster) -> None:
    waits, plain = make("waits", recipe=WAITS_ONCE), make("plain", recipe=QUICK_RECIPE)
    began = waits.folder / "began"
    with running(folders(waits, plain), ENGINE=f"dask://{cluster.address}") as process:
        wait_until(lambda: began.exists() and began.read_text() != "")
        child = int(began.read_text())
        worker = parent_of(parent_of(child))
        assert worker in [one.pid for one in cluster.workers]
        os.kill(worker, signal.SIGKILL)
        out, err = process.communicate(timeout=200)
    assert process.returncode == 0, err
    assert [cycle["ending"] for cycle in json.loads(out)] == ["promoted", "promoted"]
    assert not is_alive(child), "the first try went on beside the second"
    endings = [cycle["ending"] for cycle in waits.start("history", "--json").expect(0).json]
    assert endings.count("promoted") == 1


def test_a_scheduler_that_is_gone_ends_with_69(make: Maker, cluster: Cluster) -> None:
    waits = make("waits", recipe=WAITS_ONCE)
    began = waits.folder / "began"
    with running(folders(waits), ENGINE=f"dask://{cluster.address}") as process:
        wait_until(lambda: began.exists() and began.read_text() != "")
        cluster.scheduler.kill()
        out, err = process.communicate(timeout=200)
    assert process.returncode == 69, err
    [cycle] = json.loads(out)
    assert cluster.address in cycle["reason"]
    said = [line.removeprefix(f"{waits.folder}: ") for line in err.splitlines()]
    assert len(said) == 3, err
    assert said[0] == cycle["reason"]
    cluster.end()
    wait_until(lambda: not is_held(waits.folder / ".retraining"))
    assert waits.cycle()["ending"] == "promoted"


@pytest.mark.slow
def test_no_scheduler_is_told_at_once(make: Maker, unused_port: int) -> None:
    address = f"127.0.0.1:{unused_port}"
    opened, closed = make("open"), make("closed", opens=False)
    done = fleet(*folders(opened, closed), "--json", ENGINE=f"dask://{address}").expect(69)
    assert [cycle["ending"] for cycle in done.json] == ["failed", "too_few_files"]
    assert done.error[2].startswith(str(opened.folder))


def test_sigterm_ends_at_once_a_fleet_that_waits_for_the_first_word_of_its_engine(
    make: Maker,
) -> None:
    opened = make("open")
    before = opened.names("new_data")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"dask://127.0.0.1:{silent.getsockname()[1]}"
        with running(folders(opened), ENGINE=address) as process:
            connection, _ = silent.accept()
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=100)
            connection.close()
    assert process.returncode == 143, err
    [cycle] = json.loads(out)
    assert cycle["reason"] == "Interrupted by SIGTERM before it was started."
    assert len(err.splitlines()) == 3, err
    assert opened.names("new_data") == before


def test_sigterm_reaches_the_children_of_workers(make: Maker) -> None:
    waits = [make(name, recipe=WAITS_ONCE) for name in ("one", "two")]
    began = [project.folder / "began" for project in waits]
    with running(folders(*waits), ENGINE="dask") as process:
        wait_until(lambda: all(mark.exists() for mark in began))
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=100)
    assert process.returncode == 143, err
    assert [cycle["exit_code"] for cycle in json.loads(out)] == [143, 143]
    for project in waits:
        assert not is_held(project.folder / ".retraining")
