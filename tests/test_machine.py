"""Memory that a cycle may count on, and OpenMP's threads: few rows get one."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import sklearn.ensemble  # noqa: F401 - loads OpenMP
from threadpoolctl import threadpool_info

from retraining import machine
from retraining.machine import MANY_ROWS, threads_for
from tests.projects import CLONE, Project, environment_of_cron

if TYPE_CHECKING:
    from pathlib import Path


def limits(tmp_path: Path, membership: str, files: dict[str, str]) -> list[int]:
    (tmp_path / "cgroup").write_text(membership)
    for name, text in files.items():
        file = tmp_path / "root" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return sorted(machine._limits(tmp_path / "cgroup", tmp_path / "root"))


def test_limits_of_the_group_and_of_those_above_it_count(tmp_path: Path) -> None:
    files = {
        "jobs.slice/night.service/memory.max": "max\n",
        "jobs.slice/memory.max": "8000\n",
        "memory.max": "9000\n",
    }
    assert limits(tmp_path, "0::/jobs.slice/night.service\n", files) == [8000, 9000]


def test_in_a_container_the_top_alone_is_there(tmp_path: Path) -> None:
    assert limits(tmp_path, "0::/docker/abc\n", {"memory.max": "7000\n"}) == [7000]


def test_the_older_groups_have_a_folder_and_a_name_of_their_own(tmp_path: Path) -> None:
    membership = "12:cpu:/jobs\n5:memory:/jobs\n"
    files = {"memory/jobs/memory.limit_in_bytes": "6000\n"}
    assert limits(tmp_path, membership, files) == [6000]


def test_a_cycle_may_count_on_half_and_shares_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine._Shared, "cycles", 1)
    alone = machine.half_a_share()
    assert alone == machine.granted() // 2
    machine.share_with(4)
    assert machine.half_a_share() == alone // 4


def openmp_threads() -> set[int]:
    return {
        library["num_threads"] for library in threadpool_info() if library["user_api"] == "openmp"
    }


@pytest.fixture(autouse=True)
def _nothing_set_by_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)


def test_few_rows_get_one_thread_and_others_get_theirs_back() -> None:
    before = openmp_threads()
    with threads_for(MANY_ROWS - 1):
        assert openmp_threads() == {1}
    assert openmp_threads() == before


def test_many_rows_keep_theirs_however_busy_the_machine_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getloadavg", lambda: (16.0, 16.0, 16.0))
    before = openmp_threads()
    with threads_for(MANY_ROWS):
        assert openmp_threads() == before


def test_what_the_user_set_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    before = openmp_threads()
    with threads_for(1):
        assert openmp_threads() == before


SAYS_HOW_THREADS_WAIT = """
import os
from retraining.cli import main
main(["status", "-q", "--project", {project!r}], lambda: None)
print(os.environ["OMP_WAIT_POLICY"])
"""


@pytest.mark.parametrize(
    ("users", "found"), [({}, "passive"), ({"OMP_WAIT_POLICY": "active"}, "active")]
)
def test_a_start_lets_threads_wait_without_spinning_unless_the_user_says_so(
    tmp_path: Path, users: dict[str, str], found: str
) -> None:
    folder = Project.made(tmp_path / "project").folder
    done = subprocess.run(
        [sys.executable, "-c", SAYS_HOW_THREADS_WAIT.format(project=str(folder))],
        env={**environment_of_cron(folder), "PYTHONPATH": str(CLONE), **users},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == found
