"""Opening: which files make the batch, what is reserved, and how a failing step ends the run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from retraining.cycle.opening import reserve_from
from retraining.errors import ArchiveMismatchError, StoreError, UnreadableFileError
from retraining.records import DataFile

if TYPE_CHECKING:
    from pathlib import Path

    from retraining.cycle.job import Job
    from tests.cycle.desk import Desk


def test_only_files_that_no_cycle_judged_make_the_batch(desk: Desk) -> None:
    desk.deliver(3, seed=2)
    assert desk.cycle().ending == "kept"
    new = desk.deliver(3, seed=3)
    with desk.opened() as cycle:
        assert cycle.batch is not None
        assert [file.name for file in cycle.batch.files] == new
        assert [len(batch.files) for batch in cycle.batches] == [12, 3, 3]


def test_files_that_were_all_judged_before_make_no_batch(desk: Desk) -> None:
    desk.deliver(3)
    assert desk.cycle().ending == "kept"
    with desk.opened(force=True) as cycle:
        assert cycle.batch is None
        assert len(cycle.claimed.files) == 3


def test_the_share_of_blocks_that_is_reserved_is_the_setting_s(tmp_path: Path) -> None:
    files = [DataFile(f"{i}.csv", f"{i:064d}", tmp_path, rows=100) for i in range(10)]
    reserved = [file.name for file in reserve_from(files, 0.3) if file.reserved]
    assert len(reserved) == 3
    assert reserve_from(files, 0.3) == reserve_from(files, 0.3), "by digest, not by chance"


def test_a_step_that_fails_ends_the_run_as_failed(desk: Desk) -> None:
    desk.deliver(3)
    with pytest.raises(StoreError), desk.opened() as cycle:
        raise StoreError("It broke.", remedy="Mend it.")
    record = desk.registry.cycle_record(str(cycle.run_id))
    assert record is not None
    assert (record.ending, record.outcome.reason, record.judged) == ("failed", "It broke.", ())
    assert desk.registry.open_runs() == 0


def test_what_fails_after_the_commit_is_left_to_the_next_start(desk: Desk) -> None:
    desk.deliver(3)
    job = desk.job()
    with pytest.raises(StoreError), desk.opened(job):
        _break(job)
    assert desk.registry.open_runs() == 1


def _break(job: Job) -> None:
    job.tally.committed = True
    raise StoreError("It broke.", remedy="Mend it.")


def test_a_file_that_cannot_be_read_any_more_stands_in_the_archive(desk: Desk) -> None:
    desk.deliver(3)
    with pytest.raises(ArchiveMismatchError, match="learned file"), desk.opened():
        raise UnreadableFileError("a.csv: row 3 has 2 cells")


def test_a_dry_run_has_no_run(desk: Desk) -> None:
    desk.deliver(3)
    with desk.opened(desk.dry_job()) as cycle:
        assert cycle.run_id is None
    assert desk.registry.open_runs() == 0
