"""Rows that a model may have learned are kept from testing, in whatever file they come again."""

from __future__ import annotations

import hashlib
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from retraining.cycle.rows import Section, leave_out_learned
from retraining.datasets import TableStore
from retraining.records import Column, DataFile, Schema
from retraining.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

SCHEMA = Schema((Column("x", "number"),), "target", "integer", (0, 1))


@pytest.fixture
def job(tmp_path: Path) -> Any:
    """As much of a job as reading takes."""
    store = TableStore(tmp_path / "tables", Settings(project=tmp_path))
    return SimpleNamespace(tables=store, tables_of=store.tables_many)


def written(folder: Path, name: str, values: Sequence[float]) -> DataFile:
    path = folder / name
    path.write_text(
        "x,target\n" + "".join(f"{value},{place % 2}\n" for place, value in enumerate(values))
    )
    return DataFile(name, hashlib.sha256(path.read_bytes()).hexdigest(), path, rows=len(values))


def left_out(sections: Sequence[Section]) -> list[list[bool]]:
    return [[] if one.left_out is None else one.left_out.tolist() for one in sections]


def test_values_that_were_learned_are_left_out_and_counted(job: Any, tmp_path: Path) -> None:
    learned, tested = (
        written(tmp_path, "a.csv", [1, 2, 2, 0.0]),
        written(tmp_path, "b.csv", [5, 2, -0.0, 6, 7, 5]),
    )
    files = {learned.sha256: learned}
    sections, dropped = leave_out_learned(
        job,
        [Section(tested, (0, 3)), Section(tested, (3, 6))],
        SCHEMA,
        [{learned.sha256: ((0, 4),)}],
        files,
    )
    assert left_out(sections) == [
        [False, True, True],
        [],
    ]  # 5 stands twice in the tested rows, which is no harm
    assert dropped == 2


def test_only_the_runs_that_were_learned_count(job: Any, tmp_path: Path) -> None:
    learned, tested = (
        written(tmp_path, "a.csv", [1, 2, 3, 4]),
        written(tmp_path, "b.csv", [1, 2, 3, 4]),
    )
    sections, dropped = leave_out_learned(
        job,
        [Section(tested, (0, 4))],
        SCHEMA,
        [{learned.sha256: ((1, 2),)}, {learned.sha256: ((3, 4),)}],
        {learned.sha256: learned},
    )
    assert left_out(sections) == [[False, True, False, True]]
    assert dropped == 2


def test_nothing_is_left_out_where_nothing_was_learned_or_nothing_is_tested(
    job: Any, tmp_path: Path
) -> None:
    tested = written(tmp_path, "b.csv", [0, 1])
    assert leave_out_learned(job, [Section(tested, (0, 2))], SCHEMA, [{}], {}) == (
        (Section(tested, (0, 2)),),
        0,
    )
    withdrawn = {"f" * 64: ((0, 9),)}
    assert leave_out_learned(job, [Section(tested, (0, 2))], SCHEMA, [withdrawn], {}) == (
        (Section(tested, (0, 2)),),
        0,
    )
    assert leave_out_learned(
        job, [], SCHEMA, [{tested.sha256: ((0, 2),)}], {tested.sha256: tested}
    ) == ((), 0)


def test_many_rows_are_told_apart_as_python_would(job: Any, tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    learned = [
        written(tmp_path, f"{name}.csv", random.integers(0, 3000, 1500).tolist())
        for name in ("a", "c")
    ]
    values = random.integers(0, 3000, 2000)
    tested = written(tmp_path, "b.csv", values.tolist())
    known = {
        float(line.split(",")[0])
        for file in learned
        for line in file.path.read_text().splitlines()[1:]
    }
    runs = {file.sha256: ((0, 1500),) for file in learned}
    sections, dropped = leave_out_learned(
        job, [Section(tested, (0, 2000))], SCHEMA, [runs], {file.sha256: file for file in learned}
    )
    assert left_out(sections) == [[float(value) in known for value in values]]
    assert 0 < dropped < 2000
