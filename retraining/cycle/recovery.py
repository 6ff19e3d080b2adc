"""Before a cycle decides anything: finish what people and dead cycles left.

The alias is the commit, whoever moved it. What a start makes of the version that holds it, against
the one that the last cycle left:

The holder is the same, or no cycle left one:
    marked `rolled_back`: our roll-back died before it moved the alias. Put the other version back.
    `approved`, and every file archived: nothing happened. Go on.
    anything else: a promotion died, or a first model got the alias. Finish the promotion.
The holder is an older version:
    the newer one is `rolled_back`: our roll-back died after it moved the alias. Close that cycle.
    else: a person rolled back. Mark it as put back, and hold promotions.
The holder is a newer version:
    a person approved it, or our cycle died right after the commit. Finish the promotion.
The holder is not ours, or nobody holds the alias:
    a person's choice. Leave it: `production.py` says what to do.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from retraining.cycle.books import (
    add_to_ledger,
    end_run,
    files_archived_by,
    load_ledger,
    save_ledger,
)
from retraining.cycle.commit import (
    APPROVED,
    MOVED,
    complete_promotion,
    marks_of_one_put_back,
    move_out_withdrawn,
    note_move,
    point_back,
    put_back,
)
from retraining.cycle.job import Recovered
from retraining.cycle.sources import note_the_schema
from retraining.errors import (
    ArtifactsElsewhereError,
    DamagedModelError,
    NoProductionModelError,
)
from retraining.ledger import REGISTERED, Ledger
from retraining.logs import log
from retraining.model_registry.names import CHALLENGER
from retraining.records import Left, Marks

if TYPE_CHECKING:
    from retraining.cycle.job import Job
    from retraining.records import RegistryFacts, Version


def finish_what_a_dead_cycle_left(job: Job, *, replacing: bool = False) -> Recovered:
    """Bring registry, folders and local notes to a state from which a cycle may start.

    May be repeated at any time.

    Args:
        job: of this start.
        replacing: a person is about to put another version into production, so the one there may be
            lost.

    Raises:
        DamagedModelError: the manifest of the version that serves cannot be read, and it is not
            about to be replaced.
    """
    # A dead cycle may have moved the alias: what it claimed stays until that is finished.
    job.tally.committed = True
    facts = job.registry.facts()
    holder = facts.aliases.get(job.settings.production_alias)
    production = job.registry.version(holder) if holder is not None else None
    lost = holder if replacing and _is_lost(job, production) else None
    ledger = load_ledger(job, facts, lost=lost)
    if production is not None and production.is_ours and lost is None:
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
    job.tally.committed = False
    save_ledger(job, facts, ledger)
    return Recovered(facts, ledger, lost)


def _is_lost(job: Job, version: Version | None) -> bool:
    """Whether what a version was made from cannot be read any more, such as after `mlflow gc` of
    its run.
    """
    if version is None or not version.is_ours:
        return False
    try:
        job.registry.manifest(version)
    except ArtifactsElsewhereError:
        raise
    except DamagedModelError as error:
        log.warning("%s", error.what)
        return True
    return False


def _settle_production(
    job: Job, facts: RegistryFacts, ledger: Ledger, production: Version
) -> tuple[RegistryFacts, Ledger]:
    last = facts.left.production_version if facts.left is not None else None
    if last is None or production.number == last:
        if production.status == "rolled_back" and last is not None:
            return _finish_roll_back(job, facts, ledger, production)
        if production.status == "approved" and _all_archived(job, ledger, production):
            return facts, ledger
        return finish_promotion(job, ledger, production)
    if production.number < last:
        return _person_rolled_back(job, facts, ledger, production, last)
    return finish_promotion(job, ledger, production)


def _all_archived(job: Job, ledger: Ledger, production: Version) -> bool:
    return files_archived_by(job.registry.manifest(production)).keys() <= {
        *ledger.archive,
        *ledger.withdrawn,
    }


def finish_promotion(job: Job, ledger: Ledger, version: Version) -> tuple[RegistryFacts, Ledger]:
    """Complete what moving the alias began, by a person or by a cycle that died right after.

    Then close that cycle's run.
    """
    alias = job.settings.production_alias
    job.inbox.check_rights(
        f"The alias {alias!r} stays on v{version.number}, whose files wait to be archived."
    )
    facts = job.registry.facts()
    ledger = _close_the_cycle(job, ledger, version.parent_run_id)
    made_in = next((one for one in ledger.records if one.cycle_id == version.cycle_id), None)
    by_person = made_in is None or made_in.ending != "promoted" or version.status == "rolled_back"
    ledger = complete_promotion(job, ledger, version, facts, by_person=by_person)
    last = facts.left.production_version if facts.left is not None else None
    if by_person and last not in (None, version.number):
        waited = facts.challenger == version.number
        note_move(job, last, version.number, APPROVED if waited else MOVED)
    job.registry.leave(_left_now(facts, ledger, version.number))
    return job.registry.facts(), ledger


def _close_the_cycle(job: Job, ledger: Ledger, run_id: str | None) -> Ledger:
    """End the run of a cycle that died after it had moved the alias, with the decision that it
    saved before.
    """
    if not run_id or any(record.run_id == run_id for record in ledger.records):
        return ledger
    record = job.registry.cycle_record(run_id)
    if record is None or record.ending not in ("promoted", "rolled_back", REGISTERED):
        return ledger
    end_run(job, record)
    log.info("closed the cycle %s, which died after it had moved the alias", record.cycle_id)
    return add_to_ledger(job, ledger, record)


def _finish_roll_back(
    job: Job, facts: RegistryFacts, ledger: Ledger, production: Version
) -> tuple[RegistryFacts, Ledger]:
    """A roll-back tags the version before it moves the alias; it died in between.

    Raises:
        NoProductionModelError: the version to go back to was deleted since.
    """
    target = production.rolled_back_to or production.previous
    if target is None:
        raise NoProductionModelError(
            f"v{production.number} was being rolled back, and the registry does not say to which"
            " version.",
            unchanged=(
                f"The alias {job.settings.production_alias!r} is still on v{production.number}."
            ),
            remedy="Give the alias to another version in the MLflow UI.",
        )
    why = production.reason or "rolled back"
    put_back(job, target, production.number, why)
    if production.rolled_back_in is None:
        note_move(job, production.number, target, why)
    ledger = _close_the_cycle(job, ledger, production.rolled_back_in)
    job.registry.leave(_left_now(facts, ledger, target))
    log.info("finished the roll-back from v%d to v%d", production.number, target)
    return job.registry.facts(), ledger


def _left_now(facts: RegistryFacts, ledger: Ledger, production: int) -> Left:
    """What is left now: number and run of the last cycle, or of the one that was closed just now,
    and who holds the alias.
    """
    last = max(ledger.records, key=lambda record: record.number, default=None)
    if last is not None and (facts.left is None or last.number > facts.left.number):
        return Left(last.number, last.run_id, production)
    return replace(facts.left or Left(), production_version=production)


def _person_rolled_back(
    job: Job, facts: RegistryFacts, ledger: Ledger, production: Version, last: int
) -> tuple[RegistryFacts, Ledger]:
    """The alias is on an older version than the last cycle left: a person's word, unless our own
    roll-back died half-way.
    """
    failed = job.registry.version(last)
    ours = failed is not None and failed.status == "rolled_back"
    point_back(job.registry, production.previous)
    if failed is not None and ours:
        ledger = _close_the_cycle(job, ledger, failed.rolled_back_in)
        if failed.rolled_back_in is None:
            note_move(job, last, production.number, failed.reason or MOVED)
    else:
        job.registry.mark(production.number, marks_of_one_put_back(production, last, MOVED))
        note_move(job, last, production.number, MOVED)
    if facts.hold is None and not ours:
        why = (
            f"by a person, seen {job.now():%Y-%m-%dT%H:%M:%SZ}: the alias was moved back from"
            f" v{last} to v{production.number}"
        )
        job.registry.hold(why)
        log.warning("promotions are held: %s", why)
    job.registry.leave(_left_now(facts, ledger, production.number))
    return job.registry.facts(), ledger


def _settle_pending(job: Job, facts: RegistryFacts) -> RegistryFacts:
    """A version left `pending` by a dead cycle was never judged: mark it, unless it waits for a
    person.
    """
    waits = facts.challenger
    unjudged = Marks(reason="its cycle died before it was judged", status="superseded")
    for version in job.registry.versions("pending"):
        if version.number not in (waits, facts.aliases.get(job.settings.production_alias)):
            job.registry.mark(version.number, unjudged)
    waiting = job.registry.version(waits) if waits is not None else None
    if waiting is None or waiting.status not in ("superseded", "rejected"):
        return facts
    # a cycle died between marking it and offering the newer one, or `reject` before it took the
    # alias
    job.registry.drop_alias(CHALLENGER)
    return job.registry.facts()
