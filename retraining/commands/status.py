"""`status`: what waits, what serves, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from retraining.commands import Answer
from retraining.commands.reading import Story, read_story, told_with_hindsight
from retraining.cycle.completion import PROBATION
from retraining.cycle.recovery import HOLD

if TYPE_CHECKING:
    import argparse

    from retraining.settings import Settings


def answer(_asked: argparse.Namespace, settings: Settings) -> Answer:
    """Count files and say what the production version is there for."""
    story = read_story(settings)
    told = _told(story)
    return Answer(told, _in_words(told))


def _told(story: Story) -> dict[str, Any]:
    job, ledger, production = story.job, story.ledger, story.production
    waiting = job.inbox.waiting(ledger.judged(job.deciding), {*ledger.archive, *ledger.withdrawn})
    tags = production.tags if production else {}
    previous = tags.get("retraining.previous_version")
    last = ledger.cycles[-1] if ledger.cycles else None
    return {
        "waiting": len(waiting.fresh),
        "judged": len(waiting.judged),
        "used": len(ledger.archive),
        "quarantined": len(job.inbox.quarantined()),
        "production_version": story.holder,
        "previous_version": int(previous) if previous else None,
        "reason": _why_it_is_there(story, tags),
        "last_cycle": None if last is None else told_with_hindsight(last, None),
        "probation": tags.get(PROBATION),
        "hold": story.facts.tags.get(HOLD),
        "awaiting_approval": story.facts.aliases.get("challenger"),
        "skipped": dict(waiting.listing.skipped),
        "withdrawn_but_learned": _poisoned(story),
        "refused": [path.name for path in job.inbox.quarantined()],
    }


def _why_it_is_there(story: Story, tags: Any) -> str | None:
    if story.holder is None:
        return "no version holds the production alias"
    return tags.get("retraining.reason") or "this job does not know that version"


def _poisoned(story: Story) -> list[str]:
    """Withdrawn files that the production version learned."""
    if story.production is None or not story.production.is_ours or not story.ledger.withdrawn:
        return []
    manifest = story.job.registry.manifest(story.production)
    return sorted(file.name for file in manifest.files if file.sha256 in story.ledger.withdrawn)


def _in_words(told: dict[str, Any]) -> str:
    version = f"v{told['production_version']}" if told["production_version"] is not None else "none"
    last = told["last_cycle"]
    lines = [
        f"production   {version}: {told['reason']}",
        f"previous     {'v' + str(told['previous_version']) if told['previous_version'] else 'none'}",
        f"files        {told['waiting']} waiting, {told['judged']} judged, {told['used']} used, {told['quarantined']} quarantined",
        f"last cycle   {last['started'][:16]} {last['ending']}: {last['reason']}" if last else "last cycle   none yet",
        f"probation    {told['probation'] or 'none'}",
        f"hold         {told['hold'] or 'none'}",
    ]
    if told["awaiting_approval"]:
        lines.append(f"approval     v{told['awaiting_approval']} waits: give it the production alias, or let it be superseded")
    lines += [f"skipped      {name}: {why}" for name, why in sorted(told["skipped"].items())[:5]]
    lines += [f"quarantine   {name}" for name in told["refused"][:10]]
    if len(told["refused"]) > 10:
        lines.append(f"             and {len(told['refused']) - 10} more, each with its reason beside it")
    if told["withdrawn_but_learned"]:
        names = ", ".join(told["withdrawn_but_learned"][:5])
        lines.append(f"WARNING      production learned from withdrawn files: {names}; roll back, or wait for a version without them")
    return "\n".join(lines)
