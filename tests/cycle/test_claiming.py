"""Claiming: what is read, what is refused and why, and what stops the cycle."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from retraining.cycle.claiming import claim_and_validate
from retraining.cycle.gate import what_waits
from retraining.errors import NOTHING_CHANGED, EveryFileRefusedError, UnknownClassError
from retraining.logs import log
from tests.projects import table

if TYPE_CHECKING:
    from retraining.cycle.claiming import Claimed
    from retraining.cycle.job import Job
    from tests.cycle.desk import Desk


def claimed(desk: Desk, job: Job) -> Claimed:
    schema = job.registry.manifest(desk.version(1)).schema
    return claim_and_validate(job, what_waits(job), schema)


def test_good_files_are_read_and_a_bad_one_goes_to_quarantine_with_its_reason(desk: Desk) -> None:
    desk.deliver(3)
    desk.project.put("bad.csv", "speed,load,city,target\nfast,1,north,1\n")
    job = desk.job()
    found = claimed(desk, job)
    assert (len(found.files), found.labelled_rows) == (3, 120)
    (refused,) = job.tally.refused
    assert refused.name == "bad.csv"
    assert "speed" in refused.reason
    assert desk.project.names("quarantine") == {"bad.csv"}


def test_known_bytes_are_refused_as_duplicates(desk: Desk) -> None:
    desk.deliver(3)
    archived = min(desk.project.names("used_data"))
    known = (desk.project.folder / "used_data" / archived).read_bytes()
    desk.project.put("again.csv", known)
    job = desk.job()
    assert len(claimed(desk, job).files) == 3
    assert [(one.name, one.reason[:9]) for one in job.tally.refused] == [("again.csv", "duplicate")]


def test_where_every_file_is_refused_a_person_is_needed(desk: Desk) -> None:
    desk.project.put("bad.csv", "nothing,like,it\n1,2,3\n")
    with pytest.raises(EveryFileRefusedError, match=r"bad\.csv"):
        claimed(desk, desk.job())


def test_a_dry_run_moves_no_refused_file_and_says_so(desk: Desk) -> None:
    desk.project.put("bad.csv", "nothing,like,it\n1,2,3\n")
    with pytest.raises(EveryFileRefusedError) as refused:
        claimed(desk, desk.dry_job())
    assert refused.value.unchanged == NOTHING_CHANGED
    assert refused.value.remedy.startswith("Mend the files where they lie")
    assert desk.project.names("quarantine") == set()
    assert "bad.csv" in desk.project.names("new_data")


def test_a_class_never_seen_is_refused_in_one_file_and_a_question_in_two(desk: Desk) -> None:
    strange = [table(5, seed=seed).replace(",1\n", ",7\n") for seed in (1, 2)]
    desk.deliver(2)
    desk.project.put("strange.csv", strange[0])
    job = desk.job()
    assert len(claimed(desk, job).files) == 2
    assert [one.name for one in job.tally.refused] == ["strange.csv"]
    desk.project.deliver(*strange)
    with pytest.raises(UnknownClassError, match="'7' in"):
        claimed(desk, desk.job())


def test_a_dry_run_reads_the_same_and_leaves_every_file(desk: Desk) -> None:
    names = {*desk.deliver(3), "bad.csv"}
    desk.project.put("bad.csv", "nothing,like,it\n1,2,3\n")
    job = desk.dry_job()
    assert len(claimed(desk, job).files) == 3
    assert [one.name for one in job.tally.refused] == ["bad.csv"]
    assert desk.project.names("new_data") == names
    assert not desk.project.names("quarantine")


def test_a_cell_of_any_length_is_told_in_a_short_line(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger=log.name)
    desk.deliver(2)
    desk.project.put("long.csv", table(5, seed=9) + f"0.5,0.5,{'x' * 300_000},1\n")
    assert len(claimed(desk, desk.job()).files) == 3
    assert "1 row has a value of 'city' that was never seen before, first 'xxx" in caplog.text
    assert "... (300,000 characters) in long.csv, row 6" in caplog.text
    assert len(caplog.text) < 2000
