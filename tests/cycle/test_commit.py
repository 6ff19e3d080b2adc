"""The commit: what follows the alias's move, each step as often as one likes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from retraining.cycle.commit import archive_consumed, complete_promotion, point_back, put_back
from retraining.cycle.recovery import finish_what_a_dead_cycle_left
from retraining.errors import NoProductionModelError
from retraining.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cycle.desk import Desk


def test_consumed_files_are_archived_once_however_often_it_is_asked(waiting: Desk) -> None:
    job = waiting.job()
    manifest = job.registry.manifest(waiting.version(2))
    for _ in range(2):
        ledger = archive_consumed(job, Ledger(), manifest)
    assert job.tally.archived == 4
    assert set(ledger.archive) == set(manifest.consumed)
    assert len(waiting.project.names("used_data")) == 16


def test_the_claimed_copies_are_listed_once_however_many_files_were_consumed(
    waiting: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = waiting.job()
    manifest = job.registry.manifest(waiting.version(2))
    looks: list[str] = []
    scandir = os.scandir

    def counted(path: str) -> Iterator[os.DirEntry[str]]:
        if Path(path) == job.inbox.claims:
            looks.append(path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", counted)
    job.inbox.claim(waiting.project.names("new_data"))
    archive_consumed(job, Ledger(), manifest)
    assert (len(manifest.consumed), job.tally.archived) == (4, 4)
    assert len(looks) <= 1


def test_a_consumed_file_that_somebody_took_is_withdrawn(waiting: Desk) -> None:
    taken = min(waiting.project.names("new_data"))
    (waiting.project.folder / "new_data" / taken).unlink()
    job = waiting.job()
    ledger = archive_consumed(job, Ledger(), job.registry.manifest(waiting.version(2)))
    assert len(ledger.archive) == 3
    assert list(ledger.withdrawn.values()) == ["gone from the inbox before it could be archived"]
    assert waiting.registry.facts().withdrawn == ledger.withdrawn


@pytest.mark.parametrize(
    ("by_person", "probation"), [(False, "open"), (True, "not held: a person moved the alias")]
)
def test_only_what_the_job_promoted_is_on_probation(
    waiting: Desk, by_person: bool, probation: str
) -> None:
    job = waiting.job()
    recovered = finish_what_a_dead_cycle_left(job)
    facts = job.registry.facts()
    complete_promotion(job, recovered.ledger, waiting.version(2), facts, by_person=by_person)
    version = waiting.version(2)
    assert (version.status, version.probation, version.previous) == ("approved", probation, 1)
    assert waiting.aliases == {"production": 1, "previous_production": 1}


def test_a_version_is_approved_before_it_serves_again(promoted: Desk) -> None:
    put_back(promoted.job(), 1, 2, "it was better")
    version = promoted.version(1)
    assert version.status == "approved"
    assert version.put_back == "put back in place of v2 (it was better)"
    assert promoted.aliases == {"production": 1}


def test_a_version_that_was_deleted_is_not_put_back(desk: Desk) -> None:
    with pytest.raises(NoProductionModelError, match="which was deleted since"):
        put_back(desk.job(), 7, 1, "why")


def test_previous_production_points_at_what_is_there_or_at_nothing(promoted: Desk) -> None:
    for previous in (7, None):
        point_back(promoted.job().registry, 1)
        assert promoted.aliases["previous_production"] == 1
        point_back(promoted.job().registry, previous)
        assert "previous_production" not in promoted.aliases
