"""The gate: answers from this machine's files alone whether a cycle is worth its while. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from retraining.decisions import enough_files
from retraining.records import Decision, FileCounts

if TYPE_CHECKING:
    from retraining.cycle.job import Job
    from retraining.inbox import Waiting
    from retraining.ledger import Ledger

TABLE = "gate"


@dataclass(frozen=True)
class Gate:
    """What waits, and whether that is enough."""

    waiting: Waiting
    decision: Decision
    ending: str  # what the cycle ends with if the gate stays shut


def ask_the_gate(job: Job) -> Gate:
    """Count what waits, from the folders and the last cycle's notes on them.

    Raises:
        FolderGoneError: the inbox is not there.
    """
    waiting = what_waits(job, judge_again=job.force)
    fresh = len(waiting.fresh)
    ending = "too_few_files" if fresh else "unchanged"
    if job.force and fresh:
        return Gate(waiting, Decision(True, f"--force opens the gate for {fresh} files"), ending)
    return Gate(waiting, enough_files(fresh, job.settings, judged=len(waiting.judged)), ending)


def what_waits(job: Job, *, judge_again: bool = False) -> Waiting:
    """Sort the ready files by what the last cycle noted of their bytes."""
    notes = job.state.read(TABLE) or {}
    judged = () if judge_again else notes.get("judged", {}).get(job.deciding, ())
    return job.inbox.waiting(set(judged), {*notes.get("archive", ()), *notes.get("withdrawn", ())})


def note_for_the_gate(job: Job, ledger: Ledger) -> None:
    """Write down what the gate needs to know: which of the waiting bytes were judged under which settings, and what is archived."""
    here = set(job.state.digests(job.settings.new_data_dir, job.inbox.listing().ready).values())
    judged: dict[str, list[str]] = {}
    for record in ledger.records:
        known = here.intersection(record.judged)
        if known:
            judged.setdefault(record.deciding, []).extend(known)
    notes = {"judged": judged, "archive": sorted(ledger.archive), "withdrawn": sorted(ledger.withdrawn)}
    job.state.write(TABLE, notes)


def count_files(job: Job) -> FileCounts:
    """Count what stands in the inbox now, and what this start moved."""
    waiting = what_waits(job)
    moved = {"archived": job.archived, "quarantined": len(job.quarantined)}
    return FileCounts(waiting=len(waiting.fresh), judged=len(waiting.judged), **moved)
