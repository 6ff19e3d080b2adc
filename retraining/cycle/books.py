"""The books: what past cycles left, and how a cycle is begun, saved, ended and left.

The registry holds the records; this machine keeps copies, and reads them back where they are not
the latest. Cycles, recovery, registrations and roll-backs all write here, in one way.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from retraining.cycle.gate import mark_the_end, note_for_the_gate
from retraining.errors import ArtifactsElsewhereError, DamagedModelError
from retraining.ledger import Ledger
from retraining.logs import log
from retraining.model_registry.names import DECISION
from retraining.serialisation import record_from_json, record_to_json

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from retraining.model_registry.interface import EndStatus
    from retraining.project import Project
    from retraining.records import CycleRecord, Left, Manifest, RegistryFacts, Version

RECORDS, ARCHIVE, HEAD = "cycles", "archive", "head"  # local copies


# --- what past cycles left ------------------------------------------------------------------------


def load_ledger(project: Project, facts: RegistryFacts, *, lost: int | None = None) -> Ledger:
    """The records of past cycles: this machine's copy where it is the registry's latest.

    Else they are read back from the registry, which is slow. `lost` is a version whose manifest is
    gone, and which is about to be replaced.
    """
    withdrawn, state = dict(facts.withdrawn), project.state
    lines, archive, head = state.lines(RECORDS), state.read(ARCHIVE), state.read(HEAD)
    if lines is not None and archive is not None and head == _head(facts):
        records = tuple(record_from_json(line) for line in lines)
    elif facts.left is None and facts.hold is None and not withdrawn:
        records, archive = (), {}
        if lines:  # those of another MODEL_NAME or store: this model's would be added to them
            state.replace_lines(RECORDS, ())
    else:
        log.info("reading the records of past cycles back from the registry")
        records = project.registry.cycle_records()
        archive = _archive_from_registry(project, facts, lost)
        state.replace_lines(RECORDS, (record_to_json(record) for record in records))
    kept = {sha: name for sha, name in archive.items() if sha not in withdrawn}
    return Ledger(records, kept, withdrawn)


def _archive_from_registry(
    project: Project, facts: RegistryFacts, lost: int | None
) -> dict[str, str]:
    """The files that every version that ever held the alias names.

    Those of a version that was deleted since, the later ones name too.

    Raises:
        DamagedModelError: the manifest of the version that serves cannot be read. An older one
            stops no cycle.
    """
    holder = facts.aliases.get(project.settings.production_alias)
    archive: dict[str, str] = {}
    for version in project.registry.versions():
        served = version.status in ("approved", "rolled_back") or version.number == holder
        if version.is_ours and served:
            must_be_read = version.number == holder and version.number != lost
            archive |= _names_of(version, project, must_be_read=must_be_read)
    return archive


def _names_of(version: Version, project: Project, *, must_be_read: bool) -> dict[str, str]:
    try:
        return _names(project.registry.manifest(version))
    except ArtifactsElsewhereError:
        raise
    except DamagedModelError as error:
        if must_be_read:
            raise
        log.warning("what v%d was made from is not known any more: %s", version.number, error.what)
        return {}


def files_archived_by(manifest: Manifest) -> dict[str, str]:
    """SHA-256 -> name of what a version's promotion adds to the archive.

    A first or adopted version's is all it names.
    """
    names = _names(manifest)
    if manifest.origin != "cycle":
        return names
    return {sha: names[sha] for sha in manifest.consumed if sha in names}


def _names(manifest: Manifest) -> dict[str, str]:
    return {file.sha256: file.name for file in (*manifest.files, *manifest.held_out)}


def _head(facts: RegistryFacts) -> dict[str, Any]:
    """What the last cycle left, as this machine notes it beside its copies."""
    return {} if facts.left is None else asdict(facts.left)


def save_ledger(project: Project, facts: RegistryFacts, ledger: Ledger) -> None:
    """Keep this machine's copy: the archive's files, the registry's head, and the gate's notes."""
    project.state.write(ARCHIVE, ledger.archive)
    project.state.write(HEAD, _head(facts))
    note_for_the_gate(project, ledger)


def add_to_ledger(project: Project, ledger: Ledger, record: CycleRecord) -> Ledger:
    """The ledger with one more record, on this machine too."""
    project.state.append(RECORDS, record_to_json(record))
    return replace(ledger, records=(*ledger.records, record))


# --- a cycle's own page ---------------------------------------------------------------------------


def begin_run(project: Project, cycle_id: str, started: datetime) -> str:
    """Create a cycle's run; its run id.

    Should the cycle die, this machine's copies may lack what the registry holds by then.
    """
    project.state.drop(HEAD)
    return project.registry.begin_cycle(cycle_id, started)


def save_decision(project: Project, record: CycleRecord) -> None:
    """Save a decision before the alias moves, so that the next start can end this run if we die."""
    content = json.dumps(record_to_json(record), indent=1)
    project.registry.save_files(str(record.run_id), {DECISION: content})


def end_run(
    project: Project,
    record: CycleRecord,
    *,
    status: EndStatus = "FINISHED",
    metrics: Mapping[str, float] | None = None,
    batch_digest: str | None = None,
    note: str | None = None,
) -> None:
    """End a cycle's run with its record; the cycle counts as ended once this returns.

    Args:
        batch_digest: of the files that the cycle judged first.
        note: shown on the run's page, Markdown.
    """
    project.registry.end_cycle(
        record,
        name=_name_of_run(record),
        status=status,
        metrics=metrics or {},
        batch_digest=batch_digest,
        note=note,
    )


def _name_of_run(record: CycleRecord) -> str:
    """Its ending first, since MLflow's list cuts long names; then the version, and the start."""
    outcome = record.outcome
    challenger, holder = outcome.challenger_version, outcome.production_version
    version = holder if challenger is None else challenger
    about = "" if version is None else f" v{version}"
    return f"{outcome.ending}{about}, {record.started:%Y-%m-%d %H:%M} UTC"


def leave(
    project: Project, ledger: Ledger, left: Left, record: CycleRecord | None = None
) -> RegistryFacts:
    """Leave a note for the next start, on the registered model first; then this machine's copies.

    Args:
        ledger: without the record.
        record: of the cycle that ends here, if one does.
    """
    project.registry.leave(left)
    if record is not None:
        ledger = add_to_ledger(project, ledger, record)
    facts = project.registry.facts()
    save_ledger(project, facts, ledger)
    project.inbox.release()
    mark_the_end(project, facts)
    return facts
