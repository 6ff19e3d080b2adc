"""What keeps the thousandth cycle as cheap as the tenth: counts, never seconds.

The seconds are `make bench`'s.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from retraining.cycle.sampling import drawn_rows, last_rows_by_class, rows_to_keep
from retraining.datasets import tables as table_store
from retraining.folders import local_state
from retraining.model_registry.connection import Connection
from retraining.records import DataFile
from tests.projects import CLONE, table, tables

if TYPE_CHECKING:
    from tests.projects import Project


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that were parsed."""
    names: list[str] = []
    read = table_store.read_typed

    def counted(data_file: Any, *rest: Any) -> Any:
        names.append(data_file.name)
        return read(data_file, *rest)

    monkeypatch.setattr(table_store, "read_typed", counted)
    return names


def calls_of(project: Project, monkeypatch: pytest.MonkeyPatch) -> int:
    """Questions to MLflow in one cycle that keeps the production version."""
    asked: list[int] = []
    tell = Connection._tell
    with monkeypatch.context() as patch:
        patch.setattr(Connection, "_tell", lambda self, *rest: asked.append(1) or tell(self, *rest))
        project.deliver(*tables(3, seed=len(project.names("new_data")) + 100))
        assert project.cycle()["ending"] == "kept"
    return len(asked)


def test_a_cycle_that_retrains_parses_each_new_file_once_and_no_archived_one(
    registered: Project, parsed: list[str]
) -> None:
    registered.configure(RETRAIN_WHEN="always", PROMOTE_WHEN="unless_worse")
    for seed in (2, 3):
        parsed.clear()
        new = [path.name for path in registered.deliver(*tables(3, seed=seed))]
        assert registered.cycle()["ending"] in ("promoted", "rejected")
        assert sorted(parsed) == sorted(new)


def test_judged_files_that_still_wait_are_not_parsed_again(
    registered: Project, parsed: list[str]
) -> None:
    registered.deliver(*tables(3, seed=2))
    assert registered.cycle()["ending"] == "kept"
    parsed.clear()
    registered.configure(RETRAIN_WHEN="always")
    registered.deliver(*tables(3, seed=3))
    registered.cycle()
    assert len(parsed) == 3


def test_the_number_of_questions_to_mlflow_does_not_grow_with_history(
    registered: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, *others = [calls_of(registered, monkeypatch) for _ in range(4)]
    assert others == [others[0]] * 3
    assert first <= others[0] + 5  # the first cycle makes the timeline


def test_a_closed_gate_reads_no_file_that_it_has_seen(
    registered: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    registered.deliver(table(seed=5))
    assert registered.cycle()["ending"] == "too_few_files"
    monkeypatch.setattr(
        local_state, "sha256_of", lambda path: pytest.fail(f"{path.name} was read again")
    )
    assert registered.cycle()["ending"] == "too_few_files"


@pytest.mark.parametrize("script", ["pipeline_orchestrator", "register_first_model"])
def test_a_start_ends_without_taking_apart_what_it_loaded(script: str) -> None:
    code = (
        "import atexit, gc\n"
        "atexit.register(lambda: print(gc.get_freeze_count() > 0))\n"  # runs last
        f"import {script}"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=CLONE, capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"


@pytest.mark.parametrize("limit", [4, 10, 50, 99])
def test_sampled_rows_are_the_most_recent_of_each_class_in_their_shares(limit: int) -> None:
    codes = np.tile([0, 0, 0, 1, -1], 25)  # 75 and 25 labelled rows, every fifth without a label
    chosen = last_rows_by_class(codes, rows_to_keep(np.array([75, 25]), limit))
    for code, share in ((0, 0.75), (1, 0.25)):
        rows = np.flatnonzero(codes == code)
        taken = np.flatnonzero(chosen & (codes == code))
        assert abs(len(taken) - share * limit) <= 1
        assert taken.tolist() == rows[-len(taken) :].tolist()
    assert not chosen[codes == -1].any()
    assert chosen.sum() <= limit


def test_rows_drawn_are_the_same_each_time_and_fewer_of_the_same_for_a_smaller_share() -> None:
    file = DataFile("a.csv", "5f" * 32, Path("a.csv"), rows=10_000)
    half, tenth = drawn_rows(file, 0.5), drawn_rows(file, 0.1)
    assert abs(half.mean() - 0.5) < 0.03
    assert abs(tenth.mean() - 0.1) < 0.02
    assert not (tenth & ~half).any()
    assert not drawn_rows(file, 0.0).any()
    assert drawn_rows(file, 1.0).all()


def test_a_class_of_one_row_is_sampled_too() -> None:
    codes = np.array([1, *[0] * 1000])
    assert last_rows_by_class(codes, rows_to_keep(np.array([1000, 1]), 10))[0]
