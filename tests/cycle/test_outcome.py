"""The outcome: what a cycle tells of its end, and what later cycles go on from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from retraining.cycle.outcome import Ending, count_files, outcome_of, record_of
from retraining.inbox import Inbox
from tests.cycle.conftest import ALWAYS

if TYPE_CHECKING:
    from tests.cycle.desk import Desk


def test_making_one_looks_into_no_folder(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def looked(*_: Any) -> None:
        raise AssertionError("a folder was listed")

    desk.deliver(4)
    with desk.decided() as (cycle, monitored, ending):
        files = count_files(cycle, cycle.recovered.ledger, ending.name)
        for verb in ("listing", "waiting", "contents", "archived", "quarantined"):
            monkeypatch.setattr(Inbox, verb, looked)
        outcome = outcome_of(cycle, monitored, ending, files)
    assert outcome.files == files == (0, 4, 0, 0)
    assert (outcome.production_version, outcome.previous_version) == (1, 1)
    assert outcome.new_rows == 160


@pytest.mark.parametrize(
    ("ending", "waiting", "judged", "recorded"),
    [
        ("kept", 0, 4, 4),
        ("rejected", 0, 4, 4),
        ("awaiting_approval", 0, 4, 4),
        ("superseded", 4, 0, 0),
    ],
)
def test_which_endings_leave_files_judged(
    desk: Desk, ending: Any, waiting: int, judged: int, recorded: int
) -> None:
    desk.deliver(4)
    with desk.decided() as (cycle, monitored, _):
        files = count_files(cycle, cycle.recovered.ledger, ending)
        outcome = outcome_of(cycle, monitored, Ending(ending, "why"), files)
        record = record_of(cycle, monitored, outcome)
    assert (files.waiting, files.judged) == (waiting, judged)
    assert len(record.judged) == recorded
    assert record.batch == cycle.batch, "a file belongs to the batch in which it was seen first"


def test_a_dry_run_counts_as_if_its_moves_had_been_made(desk: Desk) -> None:
    desk.deliver(4)
    with desk.decided(desk.dry_job(**ALWAYS)) as (cycle, _, ending):
        assert count_files(cycle, cycle.recovered.ledger, ending.name) == (0, 0, 4, 0)
