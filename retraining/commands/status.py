"""`status`: what waits, what serves, and why."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from retraining.commands import Answer
from retraining.commands.reading import Story, read_story
from retraining.errors import RetrainingError
from retraining.failed_start import FailedStart, last_failed_start
from retraining.inbox.passed_over import passed_over
from retraining.logs import log
from retraining.phrases import first_few
from retraining.report.verdict import name
from retraining.report.words import printable
from retraining.serialisation import cycle_to_json
from retraining.terminal import columns, labelled

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from retraining.records import CycleRecord
    from retraining.settings import Settings

LABEL_WIDTH = 12
SHOWN = 10  # skipped and refused files; --json has them all


def add_flags(_command: argparse.ArgumentParser) -> None:
    """None of its own."""


def answer(_asked: argparse.Namespace, settings: Settings) -> Answer:
    """Count files and say what the production version is there for."""
    story = read_story(settings)
    last = story.ledger.cycles[-1] if story.ledger.cycles else None
    told = _told(story, last)
    return Answer(told, _in_words(told, last, settings))


def _told(story: Story, last: CycleRecord | None) -> dict[str, Any]:
    job, ledger, production = story.project, story.ledger, story.production
    waiting = job.inbox.waiting(ledger.judged(job.deciding), {*ledger.archive, *ledger.withdrawn})
    previous = production.previous if production else story.facts.previous_production
    failed = last_failed_start(story.project.settings.state_dir)
    return {
        "waiting": len(waiting.fresh),
        "judged": len(waiting.judged),
        "used": len(ledger.archive),
        "quarantined": len(job.inbox.quarantined()),
        "production_version": story.holder,
        "previous_version": previous,
        "reason": _why_it_is_there(story),
        "last_cycle": None if last is None else cycle_to_json(last, None),
        "probation": production.probation if production else None,
        "hold": story.facts.hold,
        "awaiting_approval": story.facts.challenger,
        "predictions": _predictions(story),
        "skipped": passed_over(waiting),
        "withdrawn_but_learned": _poisoned(story),
        "failed_start": None if failed is None else failed._asdict(),
        "refused": [path.name for path in job.inbox.quarantined()],
    }


def _predictions(story: Story) -> dict[str, int] | None:
    """How many predictions are logged, labelled and exported; None where there is no log, or it cannot be asked now."""
    if not story.project.settings.has_prediction_log:
        return None
    from retraining.sources.predictions import looking  # loads the log's driver

    production = story.production
    schema = None
    if production is not None and production.is_ours:
        schema = story.project.registry.manifest(production).schema
    try:
        counts = looking.counts(story.project.settings, schema)
    except RetrainingError as error:
        log.warning("%s", error.what)
        return None
    return None if counts is None else asdict(counts)


def _why_it_is_there(story: Story) -> str:
    """Why the version serves: what it was made for, and, where it was put back, in place of which one and why."""
    if story.holder is None:
        return "no version holds the production alias"
    why = "" if story.production is None else story.production.why
    return why or "this job does not know that version"


def _poisoned(story: Story) -> list[str]:
    """Withdrawn files that the production version learned."""
    if story.production is None or not story.production.is_ours or not story.ledger.withdrawn:
        return []
    manifest = story.project.registry.manifest(story.production)
    return sorted(file.name for file in manifest.files if file.sha256 in story.ledger.withdrawn)


def _in_words(told: dict[str, Any], last: CycleRecord | None, settings: Settings) -> str:
    width = columns()
    return "\n".join(
        line
        for label, text in _facts(told, last, settings)
        for line in labelled(label, printable(text, 2000), width, room=LABEL_WIDTH)
    )


def _facts(
    told: dict[str, Any], last: CycleRecord | None, settings: Settings
) -> Iterator[tuple[str, str]]:
    """Label and text of each line."""
    counts = f"{told['judged']} judged, {told['used']} used, {told['quarantined']} quarantined"
    yield (
        "production",
        f"{name(told['production_version'])}: {told['reason']}"
        if told["production_version"]
        else told["reason"],
    )
    yield "previous", name(told["previous_version"]) if told["previous_version"] else "none"
    yield "files", f"{told['waiting']} waiting ({settings.min_new_files} open the gate), {counts}"
    if told["predictions"] is not None:
        logged, labelled_rows, exported = told["predictions"].values()
        yield "predictions", f"{logged} logged, {labelled_rows} labelled, {exported} exported"
    yield "last cycle", _last_cycle(last, told["production_version"])
    if told["failed_start"] is not None:
        yield "FAILED", f"the last start: {FailedStart(**told['failed_start']).in_words()}"
    yield "probation", str(told["probation"] or "none")
    yield "hold", str(told["hold"] or "none")
    if told["hold"]:
        yield "", f"no version is promoted until `{settings.command} rollback --resume`"
    if told["awaiting_approval"]:
        ways = (
            f"`{settings.command} approve` gives it the production alias, "
            f"`{settings.command} reject --why TEXT` turns it down"
        )
        yield "approval", f"v{told['awaiting_approval']} waits: {ways}"
    for file, why in sorted(told["skipped"].items())[:SHOWN]:
        yield "skipped", f"{file}: {why}"
    if len(told["skipped"]) > SHOWN:
        yield "", f"and {len(told['skipped']) - SHOWN} more; --json lists them all"
    for file in told["refused"][:SHOWN]:
        yield "quarantine", file
    if len(told["refused"]) > SHOWN:
        yield "", f"and {len(told['refused']) - SHOWN} more, each with its reason beside it"
    if told["withdrawn_but_learned"]:
        files = first_few(told["withdrawn_but_learned"], SHOWN)
        yield (
            "WARNING",
            f"production learned from withdrawn files: {files}; roll back, or wait for a version without them",
        )


def _last_cycle(last: CycleRecord | None, holder: int | None) -> str:
    if last is None:
        return "none yet"
    head = f"{last.started:%Y-%m-%d %H:%M} {last.ending}"
    if last.ending != "promoted":
        return f"{head}: {last.outcome.reason}"
    new = last.outcome.challenger_version
    return f"{head} {name(new)}{_since(new, holder)}"


def _since(promoted: int | None, holder: int | None) -> str:
    """What became of the last promotion, where another version serves by now."""
    if holder == promoted or promoted is None:
        return ""
    if holder is None:
        return "; since then the alias was taken away"
    if holder < promoted:
        return f"; since then it was undone: {name(holder)} is in production again"
    return f"; since then {name(holder)} was given the alias"
