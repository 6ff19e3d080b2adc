"""The end of a cycle: its outcome, its record in the registry and here, and its page."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from retraining.cycle.bookkeeping import add_to_ledger, save_ledger
from retraining.cycle.books import name_of_run
from retraining.cycle.gate import counts_of, mark_the_end
from retraining.cycle.monitoring import probation_result
from retraining.kill_points import kill_point
from retraining.logs import log
from retraining.records import CycleRecord, FileCounts, Left, Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from retraining.cycle.comparing import Compared
    from retraining.cycle.monitoring import Monitored
    from retraining.cycle.opening import Cycle
    from retraining.outcomes import Cause, EndingName

JUDGED_ENDINGS = (
    "kept",
    "rejected",
    "awaiting_approval",
    "rolled_back",
)  # these leave files in the inbox, judged


@dataclass(frozen=True)
class Ending:
    """How a cycle ends.

    Attributes:
        holder: the version that holds the alias now, where it is not the one from the start.
        challenger: the version that this cycle trained, or the one that had lost the same attempt.
        trigger: the name of the trigger that fired.
    """

    name: EndingName
    reason: str
    holder: int | None = None
    challenger: int | None = None
    trigger: Cause | None = None
    compared: Compared | None = None


def close(cycle: Cycle, monitored: Monitored, ending: Ending) -> Outcome:
    """Record how the cycle ended, on its run and on this machine, and return the outcome."""
    outcome = outcome_of(cycle, monitored, ending)
    log.info("%s: %s", ending.name, ending.reason)
    if cycle.run_id is None:
        return outcome
    record = record_of(cycle, outcome, monitored)
    _publish(cycle, record, outcome, ending.compared, monitored)
    _remember(cycle, record, outcome)
    return outcome


def outcome_of(cycle: Cycle, monitored: Monitored, ending: Ending) -> Outcome:
    """The outcome as `--json` prints it."""
    job, settings = cycle.job, cycle.job.settings
    return Outcome(
        ending=ending.name,
        reason=f"{ending.reason} (asked for: {job.why})" if job.why else ending.reason,
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
        threshold=settings.retrain_threshold,
        production_on_new=monitored.health.served,
        comparison=ending.compared.comparison if ending.compared else None,
        new_rows=monitored.served.rows,
        files=_counts(cycle, ending.name),
        drift=monitored.health.drift,
        hindsight=monitored.hindsight,
        probation=monitored.probation,
        seconds=dict(job.tally.seconds),
    )


def _counts(cycle: Cycle, ending: EndingName) -> FileCounts:
    """What stands in the inbox at the end; a dry run counts as if its moves had been made."""
    job, ledger = cycle.job, cycle.recovered.ledger
    judged = set(ledger.judged(job.deciding))
    if ending in JUDGED_ENDINGS:
        judged |= {file.sha256 for file in cycle.claimed.files}
    left = counts_of(job, job.inbox.waiting(judged, {*ledger.archive, *ledger.withdrawn}))
    if ending == "promoted" and job.dry_run:
        return left._replace(waiting=0, judged=0, archived=left.waiting + left.judged)
    return left


def record_of(cycle: Cycle, outcome: Outcome, monitored: Monitored) -> CycleRecord:
    """What later cycles go on from."""
    judged = (
        tuple(file.sha256 for file in cycle.claimed.files)
        if outcome.ending in (*JUDGED_ENDINGS, "promoted")
        else ()
    )
    return CycleRecord(
        number=cycle.number,
        cycle_id=cycle.cycle_id,
        run_id=cycle.run_id,
        started=cycle.started,
        outcome=outcome,
        deciding=cycle.job.deciding,
        judged=judged,
        batch=cycle.batch,
        served=monitored.health.served,
        served_error=monitored.served.standard_error,
        served_blocks=monitored.served.blocks,
        hindsight=monitored.hindsight,
        probation=probation_result(cycle, monitored),
    )


def _publish(
    cycle: Cycle,
    record: CycleRecord,
    outcome: Outcome,
    compared: Compared | None,
    monitored: Monitored,
) -> None:
    """Save the pages, then end the run: once that is done the cycle counts as ended."""
    job = cycle.job
    if job.shows_pages:
        from retraining.cycle.pages import pages_of

        with job.stage("report"):
            job.registry.save_files(
                str(cycle.run_id), pages_of(cycle, record, outcome, compared, monitored.moved)
            )
    kill_point("before_run_ends")
    job.registry.end_cycle(
        record,
        name=name_of_run(record),
        status="FINISHED",
        tags=_tags(cycle, outcome),
        metrics=_metrics(cycle, outcome),
    )
    kill_point("after_run_ends")


def _remember(cycle: Cycle, record: CycleRecord, outcome: Outcome) -> None:
    job, left = cycle.job, cycle.recovered.left
    # a person's move during the cycle is left for the next one to find
    holder = (
        left.production_version if outcome.ending == "superseded" else outcome.production_version
    )
    job.registry.leave(Left(cycle.number, cycle.run_id, holder))
    kill_point("after_leaving")
    ledger = add_to_ledger(job, cycle.recovered.ledger, record)
    recovered = replace(cycle.recovered, facts=job.registry.facts(), ledger=ledger)
    save_ledger(job, recovered.facts, ledger)
    job.inbox.release()
    job.tables.prune({*ledger.known_files()}, cycle.production.schema)
    mark_the_end(job, recovered)
    kill_point("before_unlock")


def _tags(cycle: Cycle, outcome: Outcome) -> dict[str, str]:
    from retraining.report import note

    tags: dict[str, Any] = {
        "retraining.ending": outcome.ending,
        "retraining.reason": outcome.reason,
        "retraining.trigger": outcome.trigger,
        "retraining.cycle_id": outcome.cycle_id,
        "retraining.production_version": outcome.production_version,
        "retraining.challenger_version": outcome.challenger_version,
        "retraining.batch_digest": cycle.batch_digest,
    }
    if cycle.job.shows_pages:
        tags["mlflow.note.content"] = note(outcome, cycle.job.settings.command)
    return {key: str(value) for key, value in tags.items() if value is not None}


def _metrics(cycle: Cycle, outcome: Outcome) -> Mapping[str, float]:
    """The contract's metrics, those that apply."""
    name, comparison = cycle.job.settings.metric, outcome.comparison
    psi = [feature.psi_corrected for feature in outcome.drift.features]
    drifted = [bool(feature.detected) for feature in outcome.drift.features]
    metrics: dict[str, float | None] = {
        f"{name}/production_on_new": outcome.production_on_new.value
        if outcome.production_on_new
        else None,
        f"{name}/production_on_test": comparison.champion.value if comparison else None,
        f"{name}/challenger_on_test": comparison.challenger.value if comparison else None,
        f"{name}/improvement": comparison.improvement if comparison else None,
        f"{name}/hindsight": outcome.hindsight.gain if outcome.hindsight else None,
        "data/new_rows": float(outcome.new_rows or 0),
        "data/used_rows": float(_used_rows(cycle)),
        "drift/share": sum(drifted) / len(drifted) if drifted else None,
        "drift/max_psi": max(psi, default=None),
    }
    return {key: value for key, value in metrics.items() if value is not None}


def _used_rows(cycle: Cycle) -> int:
    ledger = cycle.recovered.ledger
    return sum(file.rows for sha, file in ledger.known_files().items() if sha in ledger.archive)
