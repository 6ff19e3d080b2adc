"""Before a cycle decides anything: finish what people and dead cycles left.

The alias is the commit, whoever moved it. A version that holds it while its files still wait was promoted, by a person or by a
cycle that died right after; the same steps finish both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from retraining.cycle.bookkeeping import (
    add_to_ledger,
    files_archived_by,
    leave,
    load_ledger,
    save_ledger,
    what_was_left,
)
from retraining.cycle.books import name_of_run, tags_of_run
from retraining.cycle.completion import (
    MOVED,
    ROLLED_BACK_IN,
    ROLLED_BACK_TO,
    complete_promotion,
    move_out_withdrawn,
    point_back,
    previous_of,
    put_back,
    tags_of_one_put_back,
)
from retraining.cycle.sources import note_the_schema
from retraining.inbox import check_rights
from retraining.kill_points import kill_point
from retraining.ledger import REGISTERED, Ledger
from retraining.logs import log

if TYPE_CHECKING:
    from retraining.cycle.job import Job
    from retraining.records import RegistryFacts, VersionFacts

HOLD = "retraining.hold"


@dataclass(frozen=True)
class Recovered:
    """What the registry says, after everything half-done was finished."""

    facts: RegistryFacts
    ledger: Ledger

    @property
    def left(self) -> dict[str, int]:
        """What the last cycle left."""
        return what_was_left(self.facts)

    @property
    def hold(self) -> str | None:
        """Who held promotions, when and why; None while they are not held."""
        return self.facts.tags.get(HOLD)


def finish_what_a_dead_cycle_left(job: Job) -> Recovered:
    """Bring registry, folders and local notes to a state from which a cycle may start; may be repeated at any time."""
    job.committed = True  # a dead cycle may have been: what it claimed stays until that is finished
    facts = job.registry.facts()
    ledger = load_ledger(job, facts)
    holder = facts.aliases.get(job.settings.production_alias)
    production = job.registry.version(holder) if holder is not None else None
    if production is not None and production.is_ours:
        facts, ledger = _settle_production(job, facts, ledger, production)
        if job.sources:
            note_the_schema(job, job.registry.manifest(production).schema)
    facts = _settle_pending(job, facts)
    move_out_withdrawn(job, ledger)
    ended = job.registry.end_abandoned_runs()
    if ended:
        log.warning("ended %d runs that a dead cycle had left open", ended)
    job.inbox.sweep()
    job.state.sweep()
    job.committed = False
    save_ledger(job, facts, ledger)
    kill_point("after_recovery")
    return Recovered(facts, ledger)


def _settle_production(
    job: Job, facts: RegistryFacts, ledger: Ledger, production: VersionFacts
) -> tuple[RegistryFacts, Ledger]:
    left = what_was_left(facts)
    last = left.get("production_version")
    if last is None or production.number == last:
        if production.status == "rolled_back" and last is not None:
            return _finish_roll_back(job, facts, ledger, production)
        if production.status == "approved" and _all_archived(job, ledger, production):
            return facts, ledger
        return finish_promotion(job, ledger, production)
    if production.number < last:
        return _person_rolled_back(job, facts, ledger, production, last)
    return finish_promotion(job, ledger, production)


def _all_archived(job: Job, ledger: Ledger, production: VersionFacts) -> bool:
    return files_archived_by(job.registry.manifest(production)).keys() <= {
        *ledger.archive,
        *ledger.withdrawn,
    }


def finish_promotion(
    job: Job, ledger: Ledger, version: VersionFacts
) -> tuple[RegistryFacts, Ledger]:
    """Complete what moving the alias began, by a person or by a cycle that died right after; then close that cycle's run."""
    if not job.dry_run:
        alias = job.settings.production_alias
        check_rights(
            job.settings,
            f"The alias {alias!r} stays on v{version.number}, whose files wait to be archived.",
        )
    facts = job.registry.facts()
    ledger = _close_the_cycle(job, ledger, version.tags.get("retraining.parent_run_id"))
    made_in = next(
        (
            record
            for record in ledger.records
            if record.cycle_id == version.tags.get("retraining.cycle_id")
        ),
        None,
    )
    by_person = made_in is None or made_in.ending != "promoted" or version.status == "rolled_back"
    ledger = complete_promotion(job, ledger, version, facts, by_person=by_person)
    leave(job, **_last_of(what_was_left(facts), ledger), production_version=version.number)
    return job.registry.facts(), ledger


def _close_the_cycle(job: Job, ledger: Ledger, run_id: str | None) -> Ledger:
    """End the run of a cycle that died after it had moved the alias, with the decision that it saved before."""
    if not run_id or any(record.run_id == run_id for record in ledger.records):
        return ledger
    record = job.registry.cycle_record(run_id)
    if record is None or record.ending not in ("promoted", "rolled_back", REGISTERED):
        return ledger
    job.registry.end_cycle(
        record, name=name_of_run(record), status="FINISHED", tags=tags_of_run(record), metrics={}
    )
    log.info("closed the cycle %s, which died after it had moved the alias", record.cycle_id)
    return add_to_ledger(job, ledger, record)


def _finish_roll_back(
    job: Job, facts: RegistryFacts, ledger: Ledger, production: VersionFacts
) -> tuple[RegistryFacts, Ledger]:
    """A roll-back tags the version before it moves the alias; it died in between.

    Raises:
        NoProductionModelError: the version to go back to was deleted since.
    """
    target = int(
        production.tags.get(ROLLED_BACK_TO) or production.tags["retraining.previous_version"]
    )
    put_back(
        job, target, production.number, production.tags.get("retraining.reason", "rolled back")
    )
    ledger = _close_the_cycle(job, ledger, production.tags.get(ROLLED_BACK_IN))
    leave(job, **_last_of(what_was_left(facts), ledger), production_version=target)
    log.info("finished the roll-back from v%d to v%d", production.number, target)
    return job.registry.facts(), ledger


def _last_of(left: dict[str, int], ledger: Ledger) -> dict[str, Any]:
    """Number and run of the last cycle: what was left, or the one that was closed just now."""
    last = max(ledger.records, key=lambda record: record.number, default=None)
    if last is not None and last.number > int(left.get("number", -1)):
        return {"number": last.number, "run_id": last.run_id}
    return {"number": int(left.get("number", 0)), "run_id": left.get("run_id")}


def _person_rolled_back(
    job: Job, facts: RegistryFacts, ledger: Ledger, production: VersionFacts, last: int
) -> tuple[RegistryFacts, Ledger]:
    """The alias is on an older version than the last cycle left: a person's word, unless our own roll-back died half-way."""
    failed = job.registry.version(last)
    ours = failed is not None and failed.status == "rolled_back"
    point_back(job.registry, previous_of(production))
    if failed is not None and ours:
        ledger = _close_the_cycle(job, ledger, failed.tags.get(ROLLED_BACK_IN))
    else:
        job.registry.tag_version(production.number, tags_of_one_put_back(production, last, MOVED))
    if HOLD not in facts.tags and not ours:
        why = f"by a person, seen {job.now():%Y-%m-%dT%H:%M:%SZ}: the alias was moved back from v{last} to v{production.number}"
        job.registry.tag_model({HOLD: why})
        log.warning("promotions are held: %s", why)
    leave(job, **_last_of(what_was_left(facts), ledger), production_version=production.number)
    return job.registry.facts(), ledger


def _settle_pending(job: Job, facts: RegistryFacts) -> RegistryFacts:
    """A version left `pending` by a dead cycle was never judged: mark it, unless it waits for a person."""
    waits = facts.aliases.get("challenger")
    for version in job.registry.versions("pending"):
        if version.number not in (waits, facts.aliases.get(job.settings.production_alias)):
            job.registry.tag_version(
                version.number,
                {
                    "validation_status": "superseded",
                    "retraining.reason": "its cycle died before it was judged",
                },
            )
    waiting = job.registry.version(waits) if waits is not None else None
    if waiting is None or waiting.status not in ("superseded", "rejected"):
        return facts
    # a cycle died between marking it and offering the newer one, or `reject` before it took the alias
    job.registry.drop_alias("challenger")
    return job.registry.facts()
