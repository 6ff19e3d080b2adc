"""OpenMP's threads: few rows get one, and what the user set goes first."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import sklearn.ensemble  # noqa: F401 - loads OpenMP
from threadpoolctl import threadpool_info

from retraining.threads import MANY_ROWS, threads_for
from tests.projects import CLONE, Project, environment_of_cron

if TYPE_CHECKING:
    from pathlib import Path


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
