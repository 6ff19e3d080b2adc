"""Before a cycle decides anything: finish what people and dead cycles left, and read back what past cycles recorded.

The alias is the commit, whoever moved it. A version that holds it while its files still wait was promoted, by a person or by a
cycle that died right after; the same steps finish both.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from retraining.cycle.gate import note_for_the_gate
from retraining.cycle.sources import note_the_schema
from retraining.errors import StoreError
from retraining.kill_points import kill_point
from retraining.ledger import REGISTERED, Ledger
from retraining.logs import log
from retraining.records import DataFile, VersionFacts
from retraining.serialisation import record_from_json, record_to_json

if TYPE_CHECKING:
    from datetime import datetime

    from retraining.cycle.job import Job
    from retraining.model_registry.interface import Registry
    from retraining.records import CycleRecord, Manifest, RegistryFacts

LEFT = "retraining.last_cycle"  # tag of the registered model: what the last cycle left
HOLD = "retraining.hold"
PROBATION = "retraining.probation"  # tag of a version: `open`, `passed`, `failed`, or why it is not held
WITHDRAWN = "retraining.withdrawn."  # + SHA-256
ROLLED_BACK_TO, ROLLED_BACK_IN = "retraining.rolled_back_to", "retraining.rolled_back_in"  # tags of a version: which one, by which run
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
    job.committed = True  # a dead cycle may have been: what it claimed stays until that is finished
    facts = job.registry.facts()
    ledger = load_ledger(job, facts)
    holder = facts.aliases.get(job.settings.production_alias)
    production = job.registry.version(holder) if holder is not None else None
    if production is not None and production.is_ours:
        facts, ledger = _settle_production(job, facts, ledger, production)
        if job.settings.uses_mongodb:
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
        if not job.dry_run:  # a reader holds no lock
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
    if not job.dry_run:
        job.state.write(ARCHIVE, ledger.archive)
        job.state.write(HEAD, what_was_left(facts))
    note_for_the_gate(job, ledger)


def add_to_ledger(job: Job, ledger: Ledger, record: CycleRecord) -> Ledger:
    """The ledger with one more record, on this machine too."""
    if not job.dry_run:
        job.state.append(RECORDS, record_to_json(record))
    return replace(ledger, records=(*ledger.records, record))


def begin_run(job: Job, cycle_id: str, started: datetime) -> str:
    """Create a cycle's run; should the cycle die, this machine's copy of the records may lack what the registry holds by then."""
    job.state.drop(HEAD)
    return job.registry.begin_cycle(cycle_id, started)


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
    ledger = _close_the_cycle(job, ledger, version.tags.get("retraining.parent_run_id"))
    made_in = next((record for record in ledger.records if record.cycle_id == version.tags.get("retraining.cycle_id")), None)
    by_person = made_in is None or made_in.ending != "promoted" or version.status == "rolled_back"
    ledger = complete_promotion(job, ledger, version, facts, by_person=by_person)
    leave(job, **_last_of(what_was_left(facts), ledger), production_version=version.number)
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
    """Move every consumed file into the archive under its manifest's name; one that somebody took from the inbox is withdrawn.

    Raises:
        StoreError: a file is not to be found, and others cannot be read: it may be one of them.
    """
    there, gone = job.inbox.archived(), {}
    inbox, unread = job.inbox.contents()
    names = {sha: name for sha, name in files_archived_by(manifest).items() if sha not in ledger.withdrawn}
    for sha in (sha for sha in manifest.consumed if sha in names):
        claimed = next(job.inbox.claims.glob(f"{sha}*"), None)
        if claimed is None and sha not in there and sha in inbox:
            claimed = next((file.path for file in job.inbox.claim([inbox[sha]]) if file.sha256 == sha), None)
        if claimed is not None:
            moved = job.inbox.archive(DataFile(names[sha], sha, claimed), inbox.get(sha))
            job.archived += moved
        elif sha not in there:
            gone[sha] = "gone from the inbox before it could be archived"
            if sha in inbox and (job.settings.new_data_dir / inbox[sha]).exists():  # it could not be claimed
                unread = (*unread, inbox[sha])
        elif sha in inbox:
            job.archived += job.inbox.remove_archived(inbox[sha], sha)
        kill_point("between_archived_files")
    kill_point("after_last_file")
    if gone and unread:
        raise StoreError(
            f"{len(gone)} files that the promoted version learned are not to be found, and {unread[0]!r} cannot be read.",
            unchanged="The version stays in production; what was archived stays so.",
            remedy="Make the files in the inbox and the archive readable; the next start goes on from here.",
        )
    if gone:
        log.warning("%d files that the promoted version learned are gone from the inbox: withdrawn", len(gone))
        job.registry.tag_model({WITHDRAWN + sha: why for sha, why in gone.items()})
    return replace(
        ledger, archive={**ledger.archive, **{s: n for s, n in names.items() if s not in gone}}, withdrawn={**ledger.withdrawn, **gone}
    )


def _close_the_cycle(job: Job, ledger: Ledger, run_id: str | None) -> Ledger:
    """End the run of a cycle that died after it had moved the alias, with the decision that it saved before."""
    if not run_id or any(record.run_id == run_id for record in ledger.records):
        return ledger
    record = job.registry.cycle_record(run_id)
    if record is None or record.ending not in ("promoted", "rolled_back", REGISTERED):
        return ledger
    told = record.told
    version = next((told[key] for key in ("challenger_version", "production_version") if told.get(key) is not None), "")
    name = f"{record.started:%Y-%m-%dT%H:%M:%SZ} {record.ending} v{version}"
    keys = ("ending", "reason", "trigger", "cycle_id", "production_version", "challenger_version")
    tags = {f"retraining.{key}": str(told[key]) for key in keys if told.get(key) is not None}
    job.registry.end_cycle(record, name=name, status="FINISHED", tags=tags, metrics={})
    log.info("closed the cycle %s, which died after it had moved the alias", record.cycle_id)
    return add_to_ledger(job, ledger, record)


def _finish_roll_back(job: Job, facts: RegistryFacts, ledger: Ledger, production: VersionFacts) -> tuple[RegistryFacts, Ledger]:
    """A roll-back tags the version before it moves the alias; it died in between."""
    target = int(production.tags.get(ROLLED_BACK_TO) or production.tags["retraining.previous_version"])
    put_back(job.registry, job.settings.production_alias, target)
    ledger = _close_the_cycle(job, ledger, production.tags.get(ROLLED_BACK_IN))
    leave(job, **_last_of(what_was_left(facts), ledger), production_version=target)
    log.info("finished the roll-back from v%d to v%d", production.number, target)
    return job.registry.facts(), ledger


def put_back(registry: Registry, alias: str, version: int) -> None:
    """Move the production alias back to a version, and `previous_production` to the one that it had replaced.

    The version is `approved` again before it serves, whatever it was left as, and is not on probation.
    """
    registry.tag_version(version, {"validation_status": "approved", PROBATION: "not held: restored by a roll-back"})
    registry.set_alias(alias, version)
    kill_point("mid_roll_back")
    _point_back(registry, registry.version(version))


def _point_back(registry: Registry, version: VersionFacts | None) -> None:
    older = version.tags.get("retraining.previous_version") if version else None
    if older is not None:
        registry.set_alias("previous_production", int(older))
    else:
        registry.drop_alias("previous_production")


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
    if failed is not None and ours:
        _point_back(job.registry, production)
        ledger = _close_the_cycle(job, ledger, failed.tags.get(ROLLED_BACK_IN))
    elif HOLD not in facts.tags:
        why = f"by a person, seen {job.now():%Y-%m-%dT%H:%M:%SZ}: the alias was moved back from v{last} to v{production.number}"
        job.registry.tag_model({HOLD: why})
        log.warning("promotions are held: %s", why)
    leave(job, **_last_of(what_was_left(facts), ledger), production_version=production.number)
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


def _settle_pending(job: Job, facts: RegistryFacts) -> RegistryFacts:
    """A version left `pending` by a dead cycle was never judged: mark it, unless it waits for a person."""
    waits = facts.aliases.get("challenger")
    for version in job.registry.versions("pending"):
        if version.number not in (waits, facts.aliases.get(job.settings.production_alias)):
            job.registry.tag_version(
                version.number, {"validation_status": "superseded", "retraining.reason": "its cycle died before it was judged"}
            )
    waiting = job.registry.version(waits) if waits is not None else None
    if waiting is None or waiting.status != "superseded":
        return facts
    job.registry.drop_alias("challenger")  # a cycle died between marking it and offering the newer one
    return job.registry.facts()
