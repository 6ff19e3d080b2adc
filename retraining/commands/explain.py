"""`explain`: why a version was, or was not, promoted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from retraining.commands import Answer
from retraining.commands.reading import read_story, told_with_hindsight
from retraining.errors import UsageError
from retraining.hindsight import graded_decisions, in_words

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from retraining.records import CycleRecord, Hindsight
    from retraining.settings import Settings


def answer(asked: argparse.Namespace, settings: Settings) -> Answer:
    """Tell one cycle's decision: scores, interval, counts, rule, trigger, and what later rows say."""
    story = read_story(settings)
    record = _find(story.ledger.records, asked.which)
    hindsight = graded_decisions(story.ledger.cycles, settings.confidence).get(record.cycle_id)
    told = told_with_hindsight(record, hindsight)
    return Answer(told, "\n".join(_lines(record, told, hindsight, settings)))


def _find(records: Sequence[CycleRecord], which: str | None) -> CycleRecord:
    """The newest cycle that made a version, or the one with a cycle id; without a name the last decision."""
    if which is None:
        found = [record for record in records if record.told.get("challenger_version")] or list(records)
    elif which.removeprefix("v").isdigit():
        found = [record for record in records if record.told.get("challenger_version") == int(which.removeprefix("v"))]
    else:
        found = [record for record in records if record.cycle_id.startswith(which)]
    if not found:
        raise UsageError(
            f"There is no decision about {which or 'anything'} on record.",
            remedy="`python pipeline_orchestrator.py history` lists the cycles; name vN or a cycle id.",
        )
    return found[-1]


def _lines(record: CycleRecord, told: dict[str, Any], hindsight: Hindsight | None, settings: Settings) -> list[str]:
    scores, metric = told.get("scores") or {}, told.get("metric")
    lines = [f"{record.started:%Y-%m-%d %H:%M:%S}Z  cycle {record.cycle_id}  {record.ending}", f"reason       {told['reason']}"]
    if told.get("trigger"):
        lines.append(f"trigger      {told['trigger']}")
    if scores.get("production_on_new") is not None:
        served = f"{metric} {scores['production_on_new']:.4f} on {told['new_rows']:,} new rows"
        lines.append(f"production   v{told['previous_version']}, {served}; threshold {told['threshold']:g}")
    if told.get("improvement") is not None:
        low_high = told.get("interval")
        interval = f" [{low_high[0]:+.4f}, {low_high[1]:+.4f}] at {told['confidence']:.4g}" if low_high else ""
        lines += [
            f"challenger   v{told['challenger_version']}, {metric} {scores['challenger_on_test']:.4f}",
            f"champion     v{told['previous_version']}, {metric} {scores['production_on_test']:.4f}",
            f"test set     {told['test_rows']:,} rows that neither has learned from",
            f"improvement  {told['improvement']:+.4f}{interval}: {str(told['verdict']).replace('_', ' ')}",
            f"rule         PROMOTE_WHEN={settings.promote_when} now",
        ]
    files = told.get("files") or {}
    lines.append("files        " + ", ".join(f"{count} {name}" for name, count in files.items()))
    if hindsight is not None:
        lines.append(f"since then   {in_words(hindsight, str(metric))}")
    return lines
