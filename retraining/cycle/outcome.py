"""How a cycle's end is described: the ending as decided, the outcome, and the record it leaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from retraining.cycle.gate import counts_of
from retraining.cycle.probation import probation_result
from retraining.endings import JUDGED, JUDGED_AND_KEPT
from retraining.phrases import copies_in_words
from retraining.records import CycleRecord, FileCounts, Outcome

if TYPE_CHECKING:
    from retraining.cycle.comparing import Compared
    from retraining.cycle.monitoring import Monitored
    from retraining.cycle.opening import Cycle
    from retraining.ledger import Ledger
    from retraining.outcomes import Cause, EndingName


@dataclass(frozen=True)
class Ending:
    """How a cycle ends, as it was decided. Nothing is moved by deciding it.

    Attributes:
        holder: the version that holds the alias then, where it is not the one from the start.
        challenger: the version that this cycle trained, or the one that had lost the same attempt.
        trigger: the name of the trigger that fired.
    """

    name: EndingName
    reason: str
    holder: int | None = None
    challenger: int | None = None
    trigger: Cause | None = None
    compared: Compared | None = None


def outcome_of(
    cycle: Cycle, monitored: Monitored, ending: Ending, files: FileCounts | None = None
) -> Outcome:
    """The outcome as `--json` prints it; where files are told, `count_files` counts them."""
    job, settings = cycle.job, cycle.settings
    return Outcome(
        ending=ending.name,
        reason=_reason(cycle, monitored, ending),
        dry_run=job.dry_run,
        cycle_id=cycle.cycle_id,
        number=cycle.number,
        started=cycle.started,
        run_id=cycle.run_id,
        run_url=job.registry.run_url(cycle.run_id) if cycle.run_id else None,
        trigger=ending.trigger,
        production_version=ending.holder if ending.holder is not None else cycle.production.number,
        previous_version=cycle.production.number,
        challenger_version=ending.challenger,
        metric=settings.metric,
        threshold=settings.threshold_that_decides,
        production_on_new=monitored.health.served,
        comparison=ending.compared.comparison if ending.compared else None,
        new_rows=monitored.served.rows,
        copied_rows=monitored.copies.rows,
        files=files or FileCounts(),
        drift=monitored.health.drift,
        hindsight=monitored.hindsight,
        probation=monitored.probation,
        traffic=ending.compared.traffic if ending.compared else None,
        seconds=dict(job.tally.seconds),
    )


def _reason(cycle: Cycle, monitored: Monitored, ending: Ending) -> str:
    """Why the cycle ended so, what was left out of the score, and what a person asked for."""
    asked_for = f" (asked for: {cycle.job.why})" if cycle.job.why else ""
    copies = copies_in_words(monitored.copies)
    return f"{ending.reason}; {copies}{asked_for}" if copies else f"{ending.reason}{asked_for}"


def count_files(cycle: Cycle, ledger: Ledger, ending: EndingName) -> FileCounts:
    """What stands in the inbox at the end; a dry run counts as if its moves had been made."""
    job = cycle.job
    judged = set(ledger.judged(job.deciding))
    if ending in JUDGED_AND_KEPT:
        judged |= {file.sha256 for file in cycle.claimed.files}
    left = counts_of(job, job.inbox.waiting(judged, {*ledger.archive, *ledger.withdrawn}))
    if ending == "promoted" and job.dry_run:
        return left._replace(waiting=0, judged=0, archived=left.waiting + left.judged)
    return left


def record_of(cycle: Cycle, monitored: Monitored, outcome: Outcome) -> CycleRecord:
    """What later cycles go on from."""
    digests = tuple(file.sha256 for file in cycle.claimed.files)
    return CycleRecord(
        number=cycle.number,
        cycle_id=cycle.cycle_id,
        run_id=cycle.run_id,
        started=cycle.started,
        outcome=outcome,
        deciding=cycle.job.deciding,
        judged=digests if outcome.ending in JUDGED else (),
        batch=cycle.batch,
        served=monitored.health.served,
        served_error=monitored.served.standard_error,
        served_blocks=monitored.served.blocks,
        hindsight=monitored.hindsight,
        probation=probation_result(cycle, monitored.probation),
    )
