"""Every name that this job gives to things in MLflow: tags, aliases, artifacts, stages.

Standard library only.

Nobody outside this room spells a tag: what is read there comes as a `Version` or as
`RegistryFacts`, what is written goes as `Marks` or by a verb of the registry.

The states of a version (its tag `validation_status`), who moves it there, and what a crash leaves
for recovery to mend:

`pending`
    Registered and not judged yet; or it won, and waits for a person under the alias `challenger`.
    By: the cycle that registers its challenger.
    A crash leaves: a version that nobody will judge. Recovery marks it `superseded`, unless it
    holds `challenger` or production.
`approved`
    It serves, or served until another one replaced it.
    By: the registration of a first model; whoever finishes a promotion, after the alias moved; a
    roll-back, for the version that it puts back, before the alias moves.
    A crash leaves: the alias on a version that is not `approved`, or whose files still wait.
    Recovery finishes the promotion.
`rejected`
    It lost its comparison, or a person refused it.
    By: the cycle that compared it, as the last thing that is written of it; `reject`.
    A crash leaves: after `reject`, the alias `challenger` on it. Recovery takes it away.
`superseded`
    Nobody will judge or promote it any more.
    By: a cycle that offers a newer one, or that finds the alias moved by a person; recovery.
    A crash leaves: the alias `challenger` on it. Recovery takes it away.
`rolled_back`
    It served, and had to go.
    By: a roll-back, of probation or of `rollback`, before the alias moves back.
    A crash leaves: the alias on it. Recovery puts back the version that its mark `rolled_back_to`
    names.

A person who moves the alias in the UI writes no state: the next start finds the alias elsewhere and
writes what their move means (`cycle/recovery.py`). The state is written after all other marks but
the probation, so that who reads a state reads whole marks.
"""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from retraining.records import AliasMove, Left, Marks, RegistryFacts, Version

if TYPE_CHECKING:
    from collections.abc import Mapping

    from retraining.records import CycleRecord, Status

# --- aliases; the production alias is a setting ---
CHALLENGER = "challenger"  # while a version waits for a person
PREVIOUS = "previous_production"

# --- tags of a version, by the field of `Version` that they fill ---
VERSION_TAGS = {
    "status": "validation_status",
    "reason": "retraining.reason",
    "previous": "retraining.previous_version",
    "verdict": "retraining.verdict",
    "probation": "retraining.probation",
    "cycle_id": "retraining.cycle_id",
    "parent_run_id": "retraining.parent_run_id",
    "attempt_key": "retraining.attempt_key",
    "made_for": "retraining.made_for",
    "put_back": "retraining.put_back",
    "rolled_back_to": "retraining.rolled_back_to",
    "rolled_back_in": "retraining.rolled_back_in",
    "manifest_sha256": "retraining.manifest_sha256",
    "manifest_run": "retraining.manifest_run",
    "model_sha256": "retraining.model_sha256",
    "logged_model": "retraining.logged_model",
}
NUMBERS = ("previous", "rolled_back_to")  # fields that hold a version's number

# --- tags of the registered model ---
LEFT = "retraining.last_cycle"  # what the last cycle left, as JSON
HOLD = "retraining.hold"  # who held promotions, when and why; removed in the UI, it is lifted
WITHDRAWN = "retraining.withdrawn."  # + SHA-256 of a file: why
MOVED = "retraining.moved."  # + when: a move of the production alias by a person, as JSON
MOVED_AT = "%Y-%m-%dT%H:%M:%S.%fZ"
LONGEST_WHY = 400  # characters, up to 12 each in JSON, which could not be read once it was cut

# --- tags of an experiment ---
MADE_AS = "retraining.experiment_name"  # what it was called when this job made it

# --- tags of a run ---
ROLE, CYCLE_ID, MODEL = "retraining.role", "retraining.cycle_id", "retraining.model_name"
ENDING, BATCH_DIGEST = "retraining.ending", "retraining.batch_digest"

# --- names of the runs under a cycle's ---
MONITORING, COMPARISON = "ModelMonitoring", "ModelComparison"
RETRAINING, FIRST_MODEL = "ModelRetraining", "FirstModel"

# --- artifacts of a version's run, and of a cycle's ---
MANIFEST, SKETCHES, CALIBRATION = "manifest.json", "sketches.json", "calibration.json"
RECIPE, SEARCH = "train_classification_model.py", "search_results.csv"
DECISION, REPORT, QUARANTINE, LOG = "decision.json", "report.html", "quarantine.csv", "cycle.log"


def version_from(number: int, run_id: str, source: str, tags: Mapping[str, str]) -> Version:
    """A version as its tags tell it; a number that a person garbled counts as absent."""
    values: dict[str, Any] = {
        field: tags[tag] for field, tag in VERSION_TAGS.items() if tag in tags
    }
    for field in NUMBERS:
        text = values.pop(field, "")
        if text.isdecimal():
            values[field] = int(text)
    values["status"] = cast("Status", values.get("status", ""))
    return Version(number, run_id, source, **values)


def tags_of(marks: Marks) -> dict[str, str]:
    """The tags that write some marks, in the order in which they are to be written."""
    values = {field.name: getattr(marks, field.name) for field in fields(marks)}
    return {VERSION_TAGS[name]: str(value) for name, value in values.items() if value is not None}


def facts_from(aliases: Mapping[str, int], tags: Mapping[str, str]) -> RegistryFacts:
    """A registered model as its aliases and tags tell it."""
    withdrawn = {
        tag.removeprefix(WITHDRAWN): why for tag, why in tags.items() if tag.startswith(WITHDRAWN)
    }
    return RegistryFacts(
        aliases,
        challenger=aliases.get(CHALLENGER),
        previous_production=aliases.get(PREVIOUS),
        hold=tags.get(HOLD),
        left=left_from(tags.get(LEFT)),
        withdrawn=withdrawn,
        moves=moves_from(tags),
    )


def run_tags(record: CycleRecord, batch_digest: str | None) -> dict[str, str]:
    """The tags of an ended cycle's run, those that apply."""
    outcome = record.outcome
    values = {
        ENDING: outcome.ending,
        "retraining.reason": outcome.reason,
        "retraining.trigger": outcome.trigger,
        CYCLE_ID: record.cycle_id,
        "retraining.production_version": outcome.production_version,
        "retraining.challenger_version": outcome.challenger_version,
        BATCH_DIGEST: batch_digest,
    }
    return {tag: str(value) for tag, value in values.items() if value is not None}


def left_from(text: str | None) -> Left | None:
    """What the last cycle left, read from its tag; None where there is none that can be read."""
    try:
        return Left(**json.loads(text or ""))
    except (ValueError, TypeError):
        return None


def text_of(left: Left) -> str:
    """What the last cycle leaves, as its tag holds it."""
    return json.dumps(asdict(left))


def moves_from(tags: Mapping[str, str]) -> tuple[AliasMove, ...]:
    """What people did with the production alias, oldest first; what was garbled is left out."""
    found = (_move_from(tag, text) for tag, text in tags.items() if tag.startswith(MOVED))
    return tuple(sorted(filter(None, found), key=lambda move: move.time))


def _move_from(tag: str, text: str) -> AliasMove | None:
    try:
        time = datetime.strptime(tag.removeprefix(MOVED), MOVED_AT).replace(tzinfo=UTC)
        return AliasMove(time, **json.loads(text))
    except (ValueError, TypeError):
        return None


def move_tags(move: AliasMove) -> dict[str, str]:
    """The tag that notes a move of the production alias by a person."""
    facts = {"before": move.before, "to": move.to, "why": move.why[:LONGEST_WHY]}
    return {f"{MOVED}{move.time:{MOVED_AT}}": json.dumps(facts)}


def withdrawn_tags(reasons: Mapping[str, str]) -> dict[str, str]:
    """The tags that withdraw files: SHA-256 -> why."""
    return {WITHDRAWN + sha256: why for sha256, why in reasons.items()}
