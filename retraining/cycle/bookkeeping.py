"""What past cycles left: the ledger and the registry's last word, kept here as copies and read back where they are not the latest."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from retraining.cycle.gate import note_for_the_gate
from retraining.ledger import Ledger
from retraining.logs import log
from retraining.serialisation import record_from_json, record_to_json

if TYPE_CHECKING:
    from datetime import datetime

    from retraining.project import Project
    from retraining.records import CycleRecord, Manifest, RegistryFacts

RECORDS, ARCHIVE, HEAD = "cycles", "archive", "head"  # local copies


def load_ledger(job: Project, facts: RegistryFacts) -> Ledger:
    """The records of past cycles: this machine's copy where it is the registry's latest, else read back from the registry."""
    withdrawn = dict(facts.withdrawn)
    lines, archive, head = job.state.lines(RECORDS), job.state.read(ARCHIVE), job.state.read(HEAD)
    if lines is not None and archive is not None and head == _head(facts):
        records = tuple(record_from_json(line) for line in lines)
    elif facts.left is None and facts.hold is None and not withdrawn:
        records, archive = (), {}
    else:
        log.info("reading the records of past cycles back from the registry")
        records = job.registry.cycle_records()
        archive = _archive_from_registry(job, facts)
        job.state.replace_lines(RECORDS, (record_to_json(record) for record in records))
    kept = {sha: name for sha, name in archive.items() if sha not in withdrawn}
    return Ledger(records, kept, withdrawn)


def _archive_from_registry(job: Project, facts: RegistryFacts) -> dict[str, str]:
    """The files that every version that ever held the alias names; those of a version that was deleted since, the later ones name too."""
    holder = facts.aliases.get(job.settings.production_alias)
    archive: dict[str, str] = {}
    for version in job.registry.versions():
        if version.is_ours and (
            version.status in ("approved", "rolled_back") or version.number == holder
        ):
            archive |= _names(job.registry.manifest(version))
    return archive


def files_archived_by(manifest: Manifest) -> dict[str, str]:
    """SHA-256 -> name of what a version's promotion adds to the archive; a first or adopted version's is all it names."""
    names = _names(manifest)
    return (
        names
        if manifest.origin != "cycle"
        else {sha: names[sha] for sha in manifest.consumed if sha in names}
    )


def _names(manifest: Manifest) -> dict[str, str]:
    return {file.sha256: file.name for file in (*manifest.files, *manifest.held_out)}


def _head(facts: RegistryFacts) -> dict[str, Any]:
    """What the last cycle left, as this machine notes it beside its copies."""
    return {} if facts.left is None else asdict(facts.left)


def save_ledger(job: Project, facts: RegistryFacts, ledger: Ledger) -> None:
    """Keep this machine's copy: the archive's files, the registry's head, and what the gate asks for."""
    job.state.write(ARCHIVE, ledger.archive)
    job.state.write(HEAD, _head(facts))
    note_for_the_gate(job, ledger)


def add_to_ledger(job: Project, ledger: Ledger, record: CycleRecord) -> Ledger:
    """The ledger with one more record, on this machine too."""
    job.state.append(RECORDS, record_to_json(record))
    return replace(ledger, records=(*ledger.records, record))


def begin_run(job: Project, cycle_id: str, started: datetime) -> str:
    """Create a cycle's run; should the cycle die, this machine's copy of the records may lack what the registry holds by then."""
    job.state.drop(HEAD)
    return job.registry.begin_cycle(cycle_id, started)
