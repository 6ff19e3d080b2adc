"""`explain`: why a version was, or was not, promoted."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from retraining.commands import Answer
from retraining.commands.reading import Story, read_story, told_with_hindsight
from retraining.errors import UsageError
from retraining.hindsight import graded_decisions, in_words
from retraining.ledger import REGISTERED
from retraining.report.verdict import name
from retraining.report.words import printable
from retraining.terminal import columns, labelled

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping, Sequence

    from retraining.records import CycleRecord, Hindsight
    from retraining.settings import Settings

LABEL_WIDTH = 12


def answer(asked: argparse.Namespace, settings: Settings) -> Answer:
    """Tell one cycle's decision: scores, interval, counts, rule, trigger, and what later rows say."""
    story = read_story(settings)
    record = find(story.ledger.records, asked.which)
    hindsight = graded_decisions(story.ledger.cycles, settings.confidence).get(record.cycle_id)
    told = told_with_hindsight(record, hindsight)
    width = columns()
    facts = [
        *_facts(record, told, hindsight, settings),
        *_today(story, told.get("challenger_version")),
    ]
    return Answer(
        told,
        "\n".join(
            line
            for label, text in facts
            for line in labelled(label, printable(text, 2000), width, room=LABEL_WIDTH)
        ),
    )


def find(records: Sequence[CycleRecord], which: str | None) -> CycleRecord:
    """The newest cycle that compared a version, or the one with a cycle id; without a name the last cycle."""
    if which is None:
        found = [record for record in records if record.ending != REGISTERED] or list(records)
    else:
        number = (
            int(which.removeprefix("v")) if re.fullmatch(r"v?[0-9]+", which, re.ASCII) else None
        )
        about = [
            record
            for record in records
            if number is not None and record.told.get("challenger_version") == number
        ]
        compared = [
            record for record in about if record.told.get("improvement") is not None
        ]  # and not merely remembered
        found = (
            compared or about or [record for record in records if record.cycle_id.startswith(which)]
        )
    if not found:
        raise UsageError(
            f"There is no decision about {which or 'anything'} on record.",
            remedy="`python pipeline_orchestrator.py history` lists the cycles; name vN or a cycle id.",
        )
    return found[-1]


def _facts(
    record: CycleRecord, told: dict[str, Any], hindsight: Hindsight | None, settings: Settings
) -> Iterator[tuple[str, str]]:
    """Label and text of each line."""
    scores, metric = told.get("scores") or {}, told.get("metric")
    yield "ending", f"{record.ending}, {record.started:%Y-%m-%d %H:%M:%S}Z, cycle {record.cycle_id}"
    yield "reason", str(told["reason"])
    if told.get("trigger"):
        yield "trigger", str(told["trigger"])
    if scores.get("production_on_new") is not None:
        served = f"{metric} {scores['production_on_new']:.4f} on {told['new_rows']:,} new rows"
        yield (
            "production",
            f"v{told['previous_version']}, {served}; threshold {told['threshold']:g}",
        )
    if told.get("improvement") is not None:
        low_high = told.get("interval")
        interval = (
            f" [{low_high[0]:+.4f}, {low_high[1]:+.4f}] at {told['confidence']:.4g}"
            if low_high
            else ""
        )
        yield (
            "challenger",
            f"v{told['challenger_version']}, {metric} {scores['challenger_on_test']:.4f}",
        )
        yield (
            "champion",
            f"v{told['previous_version']}, {metric} {scores['production_on_test']:.4f}",
        )
        yield "test set", f"{told['test_rows']:,} rows that neither has learned from"
        yield (
            "improvement",
            f"{told['improvement']:+.4f}{interval}: {str(told['verdict']).replace('_', ' ')}",
        )
        yield "rule", f"PROMOTE_WHEN={settings.promote_when}, as it is set now"
    if (told.get("drift") or {}).get("detected") is not None:
        yield "drift", _drift(told["drift"])
    files = told.get("files") or {}
    yield "files", ", ".join(f"{count} {name}" for name, count in files.items())
    if hindsight is not None:
        yield "since then", in_words(hindsight, str(metric))


def _today(story: Story, challenger: int | None) -> Iterator[tuple[str, str]]:
    """What became of the version that the cycle made."""
    version = story.job.registry.version(challenger) if challenger is not None else None
    if version is not None and challenger != story.holder:
        yield (
            "today",
            f"v{challenger} is {version.status.replace('_', ' ')}; {name(story.holder)} is in production",
        )


def _drift(drift: Mapping[str, Any]) -> str:
    """The features that drifted, the material ones marked."""
    moved = [
        f"{one['name']} (material)" if one.get("material") else str(one["name"])
        for one in drift["features"]
        if one.get("detected")
    ]
    return (
        f"detected in {', '.join(moved)}"
        if moved
        else f"not detected in {len(drift['features'])} distributions"
    )
