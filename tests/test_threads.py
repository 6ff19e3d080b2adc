"""OpenMP's threads: few rows get one, and what the user set goes first."""

from __future__ import annotations

import os

import pytest
import sklearn.ensemble  # noqa: F401 - loads OpenMP
from threadpoolctl import threadpool_info

from retraining import threads
from retraining.threads import MANY_ROWS, threads_for


def openmp_threads() -> set[int]:
    return {
        library["num_threads"] for library in threadpool_info() if library["user_api"] == "openmp"
    }


@pytest.fixture(autouse=True)
def _two_idle_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: {0, 1})
    monkeypatch.setattr(os, "getloadavg", lambda: (0.2, 0.0, 0.0))


def test_few_rows_get_one_thread_and_others_get_theirs_back() -> None:
    before = openmp_threads()
    with threads_for(MANY_ROWS - 1):
        assert openmp_threads() == {1}
    assert openmp_threads() == before


@pytest.mark.parametrize(("load", "limited"), [(0.9, False), (1.1, True)])
def test_many_rows_get_one_thread_only_where_the_cores_are_busy(
    monkeypatch: pytest.MonkeyPatch, load: float, limited: bool
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(os, "getloadavg", lambda: (load, 0.0, 0.0))
    monkeypatch.setattr(
        threads,
        "threadpool_limits",
        lambda *_a, **_k: asked.append(1) or pytest.MonkeyPatch.context(),
    )
    with threads_for(MANY_ROWS):
        assert bool(asked) == limited


def test_what_the_user_set_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    before = openmp_threads()
    with threads_for(1):
        assert openmp_threads() == before
