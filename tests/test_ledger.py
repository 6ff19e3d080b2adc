"""Counting and looking up what past cycles left: pure functions over their records."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retraining.ledger import (
    BackOff,
    Ledger,
    back_off,
    last_batches,
    learned_ranges,
    ranges_outside,
    ranges_overlap,
)
from retraining.records import Batch, BatchFile, CycleRecord, Manifest, Outcome, RowRange, Schema

RUNS = st.lists(
    st.tuples(st.integers(0, 30), st.integers(1, 8)).map(lambda pair: (pair[0], pair[0] + pair[1])),
    max_size=5,
)


def record(number: int, ending: Any = "kept", *names: str, **more: Any) -> CycleRecord:
    batch = Batch(number, tuple(BatchFile(name, name, 10) for name in names)) if names else None
    return CycleRecord(
        number,
        f"cycle-{number}",
        None,
        datetime(2026, 1, 1, tzinfo=UTC),
        Outcome(ending, "why"),
        batch=batch,
        **more,
    )


def test_judged_files_count_again_when_what_decides_has_changed() -> None:
    ledger = Ledger(
        (record(0, judged=("a", "b"), deciding="old"), record(1, judged=("c",), deciding="new"))
    )
    assert ledger.judged("old") == {"a", "b"}
    assert ledger.judged("new") == {"c"}
    assert ledger.judged("newest") == frozenset()


def test_a_withdrawn_file_is_in_no_batch_and_a_batch_without_files_is_none() -> None:
    ledger = Ledger(
        (record(0, "kept", "a", "b"), record(1, "kept", "c")),
        withdrawn={"b": "poisoned", "c": "poisoned"},
    )
    assert [[file.name for file in batch.files] for batch in ledger.batches] == [["a"]]
    assert set(ledger.known_files()) == {"a"}


def test_the_next_number_follows_the_highest_and_registrations_are_no_cycles() -> None:
    assert Ledger().next_number == 0
    ledger = Ledger((record(0, "registered"), record(4), record(2)))
    assert ledger.next_number == 5
    assert [one.number for one in ledger.cycles] == [4, 2]


def test_three_last_batches_test() -> None:
    batches = tuple(Batch(number, ()) for number in range(5))
    assert [batch.number for batch in last_batches(batches)] == [2, 3, 4]


@given(rows=st.integers(38, 50), runs=RUNS)
def test_rows_are_either_inside_or_outside_of_runs(rows: int, runs: list[RowRange]) -> None:
    inside = {row for start, stop in runs for row in range(start, stop)}
    outside = [row for start, stop in ranges_outside(rows, runs) for row in range(start, stop)]
    assert outside == [row for row in range(rows) if row not in inside]


@given(one=RUNS, other=RUNS)
def test_runs_overlap_when_a_row_is_in_both(one: list[RowRange], other: list[RowRange]) -> None:
    rows = [{row for start, stop in runs for row in range(start, stop)} for runs in (one, other)]
    assert ranges_overlap(one, other) == bool(rows[0] & rows[1])


def test_a_version_learned_the_rows_that_it_was_not_kept_from() -> None:
    schema = Schema((), "target", "integer", (0, 1))
    files = (BatchFile("a", "a", 10), BatchFile("b", "b", 10))
    held_out = (BatchFile("b", "b", 10, ((2, 4),)), BatchFile("c", "c", 10, ((0, 10),)))
    manifest = Manifest(files, held_out, (), schema, "", "cycle")
    assert learned_ranges(manifest) == {"a": ((0, 10),), "b": ((0, 2), (4, 10))}


@pytest.mark.parametrize(
    ("probations", "expected"),
    [
        ([], BackOff(0, 0)),
        ([None, "failed", None], BackOff(1, 2)),
        (["failed", None, "failed", None, None], BackOff(2, 4)),
        (["failed", "failed", "passed", None], BackOff(0, 2)),
    ],
)
def test_the_back_off_counts_failures_in_a_row_and_the_files_since(
    probations: list[str | None], expected: BackOff
) -> None:
    records = [
        record(n, "kept", f"{n}a", f"{n}b", probation=said) for n, said in enumerate(probations)
    ]
    assert back_off(records).failures == expected.failures
    if expected.failures:
        assert back_off(records).files_since == expected.files_since
