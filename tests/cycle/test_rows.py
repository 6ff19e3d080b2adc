"""Rows that a model may have learned are kept from testing, in whatever file they come again."""

from __future__ import annotations

import hashlib
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from retraining.cycle import rows
from retraining.cycle.copies import leave_out_learned
from retraining.cycle.rows import Section
from retraining.datasets import TableStore
from retraining.records import Column, Copies, DataFile, Schema
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
    old = [float(value) for value in range(100, 140)]
    learned = written(tmp_path, "a.csv", [*old, 0.0])
    tested = written(tmp_path, "b.csv", [5, 102, -0.0, 6, 7, 5])
    sections, copies = leave_out_learned(
        job,
        [Section(tested, (0, 3)), Section(tested, (3, 6))],
        SCHEMA,
        [{learned.sha256: ((0, 41),)}],
        {learned.sha256: learned},
    )
    # 5 stands twice in the tested rows, which is no harm
    assert left_out(sections) == [[False, True, True], []]
    assert copies == Copies(rows=2, of=6, files=1)


def test_only_the_runs_that_were_learned_count(job: Any, tmp_path: Path) -> None:
    learned, tested = (
        written(tmp_path, "a.csv", [1, 2, 3, 4]),
        written(tmp_path, "b.csv", [1.0, 2.0, 3.0, 4.0]),
    )
    sections, copies = leave_out_learned(
        job,
        [Section(tested, (0, 4))],
        SCHEMA,
        [{learned.sha256: ((1, 2),)}, {learned.sha256: ((3, 4),)}],
        {learned.sha256: learned},
    )
    assert left_out(sections) == [[False, True, False, True]]
    assert copies.rows == 2


def test_nothing_is_left_out_where_nothing_was_learned_or_nothing_is_tested(
    job: Any, tmp_path: Path
) -> None:
    tested = written(tmp_path, "b.csv", [0, 1])
    section = Section(tested, (0, 2))
    assert leave_out_learned(job, [section], SCHEMA, [{}], {}) == ((section,), Copies(0, 2, 0))
    withdrawn = {"f" * 64: ((0, 9),)}
    assert leave_out_learned(job, [section], SCHEMA, [withdrawn], {})[1].rows == 0
    nothing = leave_out_learned(
        job, [], SCHEMA, [{tested.sha256: ((0, 2),)}], {tested.sha256: tested}
    )
    assert nothing == ((), Copies())


def test_many_rows_are_told_apart_as_python_would(job: Any, tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    old = random.choice(10**6, 3000, replace=False)
    learned = [
        written(tmp_path, f"{n}.csv", part.tolist())
        for n, part in enumerate((old[:1500], old[1500:]))
    ]
    values = np.concatenate([random.choice(old, 600, replace=False), 10**6 + np.arange(1400)])
    random.shuffle(values)
    tested = written(tmp_path, "b.csv", values.tolist())
    runs = {file.sha256: ((0, 1500),) for file in learned}
    sections, copies = leave_out_learned(
        job, [Section(tested, (0, 2000))], SCHEMA, [runs], {file.sha256: file for file in learned}
    )
    assert left_out(sections) == [[value in set(old.tolist()) for value in values.tolist()]]
    assert copies == Copies(rows=600, of=2000, files=1)


def test_few_distinct_rows_are_equal_by_chance_and_stay(job: Any, tmp_path: Path) -> None:
    random = np.random.default_rng(4)
    learned = [written(tmp_path, f"{n}.csv", random.integers(0, 8, 100).tolist()) for n in range(9)]
    tested = written(tmp_path, "b.csv", random.integers(0, 8, 100).tolist())
    runs = {file.sha256: ((0, 100),) for file in learned}
    _, copies = leave_out_learned(
        job, [Section(tested, (0, 100))], SCHEMA, [runs], {file.sha256: file for file in learned}
    )
    assert copies == Copies(rows=0, of=100, files=0)


def test_an_unlabelled_row_is_no_copy_for_it_is_not_asked_about(job: Any, tmp_path: Path) -> None:
    learned = written(tmp_path, "a.csv", [1, 2, 3, 4])
    tested = tmp_path / "b.csv"
    tested.write_text("x,target\n1,0\n2,\n3,1\n")
    file = DataFile("b.csv", hashlib.sha256(tested.read_bytes()).hexdigest(), tested, rows=3)
    sections, copies = leave_out_learned(
        job,
        [Section(file, (0, 3))],
        SCHEMA,
        [{learned.sha256: ((0, 4),)}],
        {learned.sha256: learned},
    )
    assert left_out(sections) == [[True, False, True]]
    assert copies == Copies(rows=2, of=2, files=1)


def test_a_copy_with_another_label_is_news_to_who_is_asked_alone(job: Any, tmp_path: Path) -> None:
    learned = written(tmp_path, "a.csv", [float(value) for value in range(100, 140)])
    tested = written(tmp_path, "b.csv", [100.0, 102.0, 5.0, 6.0, 7.0])  # 102 had another label
    places = ([Section(tested, (0, 5))], SCHEMA, [{learned.sha256: ((0, 40),)}])
    files = {learned.sha256: learned}
    sections, copies = leave_out_learned(job, *places, files, with_its_label=True)
    assert left_out(sections) == [[True, False, False, False, False]]
    assert (copies.rows, copies.relabelled) == (1, 1)
    sections, copies = leave_out_learned(job, *places, files)
    assert (copies.rows, copies.relabelled) == (2, 0)
    assert left_out(sections) == [[True, True, False, False, False]]


def test_a_block_of_many_rows_is_asked_about_a_chunk_at_a_time(
    job: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "ROWS_PER_CHUNK", 4)
    file = written(tmp_path, "a.csv", range(19))
    asked: list[list[float]] = []

    class Remembers:
        def predict(self, X: Any) -> Any:
            asked.append(X["x"].tolist())
            return np.zeros(len(X), dtype=int)

    model = SimpleNamespace(number=1, estimator=Remembers(), schema=SCHEMA)
    job.settings = SimpleNamespace(needs_probabilities=False)
    left = np.arange(12) == 5
    sections = [Section(file, (0, 12), left), Section(file, (12, 19))]
    found = rows.predictions(job, model, sections)
    assert max(map(len, asked)) <= 7  # two pieces of 4 at most, less one row
    assert [x for chunk in asked for x in chunk] == [float(x) for x in range(19) if x != 5]
    assert found.blocks.tolist() == [0] * 11 + [1] * 7
