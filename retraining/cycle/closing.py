"""The close of a cycle: its pages and figures on its run, its record in the books."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retraining.cycle import books
from retraining.cycle.outcome import count_files, outcome_of, record_of
from retraining.cycle.registry_copies import show_the_registry
from retraining.logs import log
from retraining.records import Left

if TYPE_CHECKING:
    from collections.abc import Mapping

    from retraining.cycle.monitoring import Monitored
    from retraining.cycle.opening import Cycle
    from retraining.cycle.promotion import Done
    from retraining.ledger import Ledger
    from retraining.records import Outcome


def close(cycle: Cycle, monitored: Monitored, done: Done) -> Outcome:
    """Record how the cycle ended, on its run and on this machine, and return the outcome."""
    job, ending, ledger = cycle.job, done.ending, done.ledger
    files = count_files(cycle, ledger, ending.name)
    outcome = outcome_of(cycle, monitored, ending, files)
    log.info("%s: %s", ending.name, ending.reason)
    if cycle.run_id is None:
        return outcome
    record = record_of(cycle, monitored, outcome)
    if job.shows_pages:
        from retraining.cycle.pages import pages_of

        with job.stage("report"):
            pages = pages_of(cycle, record, ending.compared, monitored.moved)
            job.registry.save_files(cycle.run_id, pages)
    books.end_run(
        job,
        record,
        metrics=_metrics(cycle, outcome, ledger),
        batch_digest=cycle.batch_digest,
        note=_note(cycle, outcome),
    )
    left = Left(cycle.number, cycle.run_id, _holder_to_leave(cycle, outcome))
    books.leave(job, ledger, left, record)
    show_the_registry(job, [*ledger.records, record])
    known = {*ledger.known_files(), *(file.sha256 for file in cycle.claimed.files)}
    job.tables.prune(known, cycle.production.schema)
    return outcome


def _holder_to_leave(cycle: Cycle, outcome: Outcome) -> int | None:
    """A person's move during the cycle is left for the next one to find."""
    if outcome.ending == "superseded":
        return cycle.recovered.left.production_version
    return outcome.production_version


def _note(cycle: Cycle, outcome: Outcome) -> str | None:
    """What the run's page shows first; None if no pages are made."""
    if not cycle.job.shows_pages:
        return None
    from retraining.report import note

    return note(outcome, cycle.settings.command)


def _metrics(cycle: Cycle, outcome: Outcome, ledger: Ledger) -> Mapping[str, float]:
    """The contract's metrics, those that apply."""
    name, comparison = cycle.settings.metric, outcome.comparison
    served = outcome.production_on_new
    psi = [feature.psi_corrected for feature in outcome.drift.features]
    drifted = [bool(feature.detected) for feature in outcome.drift.features]
    metrics: dict[str, float | None] = {
        f"{name}/production_on_new": served.value if served else None,
        f"{name}/production_on_test": comparison.champion.value if comparison else None,
        f"{name}/challenger_on_test": comparison.challenger.value if comparison else None,
        f"{name}/improvement": comparison.improvement if comparison else None,
        f"{name}/hindsight": outcome.hindsight.gain if outcome.hindsight else None,
        "data/new_rows": float(outcome.new_rows or 0),
        "data/copied_rows": float(outcome.copied_rows or 0),
        "data/used_rows": float(_used_rows(ledger)),
        "drift/share": sum(drifted) / len(drifted) if drifted else None,
        "drift/max_psi": max(psi, default=None),
    }
    return {key: value for key, value in metrics.items() if value is not None}


def _used_rows(ledger: Ledger) -> int:
    return sum(file.rows for sha, file in ledger.known_files().items() if sha in ledger.archive)
