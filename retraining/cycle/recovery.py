"""Before a cycle decides anything: finish what people and dead cycles left, and read back what past cycles recorded.

The alias is the commit, whoever moved it. A version that holds it while its files still wait was promoted, by a person or by a
cycle that died right after; the same steps finish both.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from retraining.cycle.gate import note_for_the_gate
from retraining.cycle.job import log
from retraining.kill_points import kill_point
from retraining.ledger import REGISTERED, Ledger
from retraining.records import DataFile, VersionFacts
from retraining.serialisation import record_from_json, record_to_json

if TYPE_CHECKING:
    from retraining.cycle.job import Job
    from retraining.records import CycleRecord, Manifest, RegistryFacts

LEFT = "retraining.last_cycle"  # tag of the registered model: what the last cycle left
HOLD = "retraining.hold"
PROBATION = "retraining.probation"  # tag of a version: `open`, `passed`, `failed`, or why it is not held
WITHDRAWN = "retraining.withdrawn."  # + SHA-256
RECORDS, ARCHIVE, HEAD = "cycles", "archive", "head"  # local copies


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


def what_was_left(facts: RegistryFacts) -> dict[str, int]:
    """The last cycle's number, run and production version; empty before the first registration."""
    try:
        return dict(json.loads(facts.tags[LEFT]))
    except (KeyError, ValueError, TypeError):
        return {}


def finish_what_a_dead_cycle_left(job: Job) -> Recovered:
    """Bring registry, folders and local notes to a state from which a cycle may start; may be repeated at any time."""
    facts = job.registry.facts()
    ledger = load_ledger(job, facts)
    holder = facts.aliases.get(job.settings.production_alias)
    production = job.registry.version(holder) if holder is not None else None
    if production is not None and production.is_ours:
        facts, ledger = _settle_production(job, facts, ledger, production)
    _settle_pending(job, facts)
    move_out_withdrawn(job, ledger)
    ended = job.registry.end_abandoned_runs()
    if ended:
        log.warning("ended %d runs that a dead cycle had left open", ended)
    job.inbox.release()
    save_ledger(job, facts, ledger)
    kill_point("after_recovery")
    return Recovered(facts, ledger)


# --- the ledger: records and the archive's files, local copies or read back from the registry -----------------------------


def load_ledger(job: Job, facts: RegistryFacts) -> Ledger:
    """The records of past cycles: this machine's copy where it is the registry's latest, else read back from the registry."""
    withdrawn = {key.removeprefix(WITHDRAWN): why for key, why in facts.tags.items() if key.startswith(WITHDRAWN)}
    lines, archive, head = job.state.lines(RECORDS), job.state.read(ARCHIVE), job.state.read(HEAD)
    if lines is not None and archive is not None and head == what_was_left(facts):
        records = tuple(record_from_json(line) for line in lines)
    elif not facts.tags:
        records, archive = (), {}
    else:
        log.info("reading the records of past cycles back from the registry")
        records = job.registry.cycle_records()
        archive = _archive_from_registry(job, facts)
        job.state.replace_lines(RECORDS, (record_to_json(record) for record in records))
    kept = {sha: name for sha, name in archive.items() if sha not in withdrawn}
    return Ledger(records, kept, withdrawn)


def _archive_from_registry(job: Job, facts: RegistryFacts) -> dict[str, str]:
    """The files that registrations found and promotions consumed, by every version that ever held the alias."""
    holder = facts.aliases.get(job.settings.production_alias)
    archive: dict[str, str] = {}
    for version in job.registry.versions():
        if version.is_ours and (version.status in ("approved", "rolled_back") or version.number == holder):
            archive |= files_archived_by(job.registry.manifest(version))
    return archive


def files_archived_by(manifest: Manifest) -> dict[str, str]:
    """SHA-256 -> name of what a version's promotion adds to the archive; a first or adopted version's is all it names."""
    names = {file.sha256: file.name for file in (*manifest.files, *manifest.held_out)}
    return names if manifest.origin != "cycle" else {sha: names[sha] for sha in manifest.consumed if sha in names}


def save_ledger(job: Job, facts: RegistryFacts, ledger: Ledger) -> None:
    """Keep this machine's copy: the archive's files, the registry's head, and what the gate asks for."""
    job.state.write(ARCHIVE, ledger.archive)
    job.state.write(HEAD, what_was_left(facts))
    note_for_the_gate(job, ledger)


def add_to_ledger(job: Job, ledger: Ledger, record: CycleRecord) -> Ledger:
    """The ledger with one more record, on this machine too."""
    job.state.append(RECORDS, record_to_json(record))
    return replace(ledger, records=(*ledger.records, record))


def leave(job: Job, *, number: int, run_id: str | None, production_version: int | None) -> None:
    """Record on the registered model what this cycle leaves."""
    content = {"number": number, "run_id": run_id, "production_version": production_version}
    job.registry.tag_model({LEFT: json.dumps(content)})


# --- the production version -------------------------------------------------------------------------------------------------


def _settle_production(job: Job, facts: RegistryFacts, ledger: Ledger, production: VersionFacts) -> tuple[RegistryFacts, Ledger]:
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
    return files_archived_by(job.registry.manifest(production)).keys() <= {*ledger.archive, *ledger.withdrawn}


def finish_promotion(job: Job, ledger: Ledger, version: VersionFacts) -> tuple[RegistryFacts, Ledger]:
    """Complete what moving the alias began, by a person or by a cycle that died right after; then close that cycle's run."""
    facts = job.registry.facts()
    ledger = _close_the_cycle_that_committed(job, ledger, version)
    made_in = next((record for record in ledger.records if record.cycle_id == version.tags.get("retraining.cycle_id")), None)
    by_person = made_in is None or made_in.ending != "promoted" or version.status == "rolled_back"
    ledger = complete_promotion(job, ledger, version, facts, by_person=by_person)
    last = max(ledger.records, key=lambda record: record.number, default=None)
    number, run_id = (last.number, last.run_id) if last else (0, None)
    leave(job, number=number, run_id=run_id, production_version=version.number)
    return job.registry.facts(), ledger


def complete_promotion(job: Job, ledger: Ledger, version: VersionFacts, facts: RegistryFacts, *, by_person: bool) -> Ledger:
    """Archive what the version consumed, tag it `approved` and set the other aliases; may be repeated.

    A version that a person put there is not on probation: their move is not undone by the job.
    """
    manifest = job.registry.manifest(version)
    ledger = archive_consumed(job, ledger, manifest)
    left = what_was_left(facts).get("production_version")
    previous = manifest.champion if left in (None, version.number) else left
    tags = {"validation_status": "approved", PROBATION: "not held: a person moved the alias" if by_person else "open"}
    if manifest.origin != "cycle":
        tags[PROBATION] = "not held: a first model"
    if previous is not None:
        tags["retraining.previous_version"] = str(previous)
    job.registry.tag_version(version.number, tags)
    kill_point("after_approved")
    if previous is not None:
        job.registry.set_alias("previous_production", previous)
    if facts.aliases.get("challenger") == version.number:
        job.registry.drop_alias("challenger")
    return ledger


def archive_consumed(job: Job, ledger: Ledger, manifest: Manifest) -> Ledger:
    """Move every consumed file into the archive under its manifest's name; one that somebody took from the inbox is withdrawn."""
    there, gone = job.inbox.archived(), {}
    inbox = {sha: name for name, sha in job.state.digests(job.settings.new_data_dir, job.inbox.listing().ready).items()}
    names = files_archived_by(manifest)
    for sha in manifest.consumed:
        claimed = next(job.inbox.claims.glob(f"{sha}*"), None)
        if claimed is None and sha not in there and sha in inbox:
            claimed = next((file.path for file in job.inbox.claim([inbox[sha]]) if file.sha256 == sha), None)
        if claimed is not None:
            moved = job.inbox.archive(DataFile(names[sha], sha, claimed), inbox.get(sha))
            job.archived += moved
        elif sha not in there and sha not in ledger.withdrawn:
            gone[sha] = "gone from the inbox before it could be archived"
        elif sha in inbox:
            job.archived += job.inbox.remove_archived(inbox[sha], sha)
        kill_point("between_archived_files")
    kill_point("after_last_file")
    if gone:
        log.warning("%d files that the promoted version learned are gone from the inbox: withdrawn", len(gone))
        job.registry.tag_model({WITHDRAWN + sha: why for sha, why in gone.items()})
    return replace(
        ledger, archive={**ledger.archive, **{s: n for s, n in names.items() if s not in gone}}, withdrawn={**ledger.withdrawn, **gone}
    )


def _close_the_cycle_that_committed(job: Job, ledger: Ledger, version: VersionFacts) -> Ledger:
    """End the run of a cycle that died after its commit with the decision that it saved before."""
    cycle_id, parent = version.tags.get("retraining.cycle_id"), version.tags.get("retraining.parent_run_id")
    if not parent or any(record.cycle_id == cycle_id for record in ledger.records):
        return ledger
    record = job.registry.cycle_record(parent)
    if record is None or record.ending not in ("promoted", REGISTERED):
        return ledger
    name = f"{record.started:%Y-%m-%dT%H:%M:%SZ} {record.ending} v{version.number}"
    tags = {"retraining.ending": record.ending, "retraining.reason": str(record.told.get("reason", ""))}
    job.registry.end_cycle(record, name=name, status="FINISHED", tags=tags, metrics={})
    log.info("closed the cycle %s, which died after its commit", cycle_id)
    return add_to_ledger(job, ledger, record)


def _finish_roll_back(job: Job, facts: RegistryFacts, ledger: Ledger, production: VersionFacts) -> tuple[RegistryFacts, Ledger]:
    """A roll-back tags the version before it moves the alias; the cycle died in between."""
    previous = int(production.tags["retraining.previous_version"])
    job.registry.set_alias(job.settings.production_alias, previous)
    left = what_was_left(facts)
    leave(job, number=int(left["number"]), run_id=str(left["run_id"]), production_version=previous)
    log.info("finished the roll-back from v%d to v%d", production.number, previous)
    return job.registry.facts(), ledger


def _person_rolled_back(
    job: Job, facts: RegistryFacts, ledger: Ledger, production: VersionFacts, last: int
) -> tuple[RegistryFacts, Ledger]:
    """The alias is on an older version than the last cycle left: a person's word, unless our own roll-back died half-way."""
    left_version = job.registry.version(last)
    ours = left_version is not None and left_version.status == "rolled_back"
    left = what_was_left(facts)
    if not ours and HOLD not in facts.tags:
        why = f"by a person, seen {job.now():%Y-%m-%dT%H:%M:%SZ}: the alias was moved back from v{last} to v{production.number}"
        job.registry.tag_model({HOLD: why})
        log.warning("promotions are held: %s", why)
    leave(job, number=int(left["number"]), run_id=str(left["run_id"]), production_version=production.number)
    return job.registry.facts(), ledger


def move_out_withdrawn(job: Job, ledger: Ledger) -> None:
    """Move what was withdrawn, and still stands in the archive, into quarantine."""
    if not ledger.withdrawn or job.dry_run:
        return
    folder = job.settings.used_data_dir
    present = job.inbox.archived()
    for sha256, why in ledger.withdrawn.items():
        for name in present.get(sha256, ()):
            job.inbox.quarantine(folder / name, f"withdrawn: {why}", sha256, folder="archive")


def _settle_pending(job: Job, facts: RegistryFacts) -> None:
    """A version left `pending` by a dead cycle was never judged: mark it, unless it waits for a person."""
    waits = facts.aliases.get("challenger")
    for version in job.registry.versions("pending"):
        if version.number not in (waits, facts.aliases.get(job.settings.production_alias)):
            job.registry.tag_version(
                version.number, {"validation_status": "superseded", "retraining.reason": "its cycle died before it was judged"}
            )
