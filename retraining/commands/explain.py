"""`explain`: why a version was, or was not, promoted."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from retraining.commands import Answer
from retraining.commands.reading import Story, read_known_story
from retraining.console.terminal import columns, labelled
from retraining.errors import UsageError
from retraining.hindsight import graded_decisions, in_words
from retraining.ledger import REGISTERED
from retraining.phrases import in_brackets, traffic_in_words
from retraining.report.words import name, printable
from retraining.serialisation import cycle_to_json
from retraining.sources.predictions import KEY as FROM_THE_LOG

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from retraining.records import BatchFile, Comparison, CycleRecord, Drift, Hindsight
    from retraining.settings import Settings

LABEL_WIDTH = 12


def add_flags(command: argparse.ArgumentParser) -> None:
    """What to explain."""
    command.add_argument(
        "which",
        nargs="?",
        metavar="vN or CYCLE",
        help="a version or a cycle id; the last cycle by default",
    )


def answer(args: argparse.Namespace, settings: Settings) -> Answer:
    """Tell one cycle's decision: scores, interval, counts, rule, trigger, and what later rows
    say.
    """
    story = read_known_story(settings)
    record = find(story.ledger.records, args.which)
    hindsight = graded_decisions(story.ledger.cycles, settings.confidence).get(record.cycle_id)
    width = columns()
    facts = [
        *_facts(record, hindsight, settings),
        *_today(story, record.outcome.challenger_version),
    ]
    lines: list[str] = []
    for label, text in facts:
        lines += labelled(label, printable(text, 2000), width, room=LABEL_WIDTH)
    return Answer(cycle_to_json(record, hindsight), "\n".join(lines))


def find(records: Sequence[CycleRecord], which: str | None) -> CycleRecord:
    """The newest cycle that compared a version, or the one with a cycle id.

    Without a name the last cycle.
    """
    if which is None:
        matching = [record for record in records if record.ending != REGISTERED] or list(records)
    else:
        number = (
            int(which.removeprefix("v")) if re.fullmatch(r"v?[0-9]+", which, re.ASCII) else None
        )
        about = [
            record
            for record in records
            if number is not None and record.outcome.challenger_version == number
        ]
        # One that was merely remembered has no comparison.
        compared = [record for record in about if _has_improvement(record.outcome.comparison)]
        matching = (
            compared or about or [record for record in records if record.cycle_id.startswith(which)]
        )
    if not matching and which is None:
        raise UsageError(
            "No cycle has decided anything yet.",
            remedy="`python pipeline_orchestrator.py status` says what waits for the first one.",
        )
    if not matching:
        raise UsageError(
            f"There is no decision about {which} on record.",
            remedy=(
                "`python pipeline_orchestrator.py history` lists the cycles; name vN or a cycle id."
            ),
        )
    return matching[-1]


def _has_improvement(comparison: Comparison | None) -> bool:
    return comparison is not None and comparison.improvement is not None


def _facts(
    record: CycleRecord, hindsight: Hindsight | None, settings: Settings
) -> Iterator[tuple[str, str]]:
    """Label and text of each line."""
    outcome = record.outcome
    metric, champion = outcome.metric, name(outcome.previous_version)
    served, comparison = outcome.production_on_new, outcome.comparison
    yield "ending", f"{record.ending}, {record.started:%Y-%m-%d %H:%M:%S}Z, cycle {record.cycle_id}"
    yield "reason", outcome.reason
    if outcome.trigger:
        yield "trigger", outcome.trigger
    if served is not None and served.value is not None:
        score = f"{metric} {served.value:.4f} on {outcome.new_rows or 0:,} new rows"
        if outcome.copied_rows:
            score += f" ({outcome.copied_rows:,} more are copies of rows seen before)"
        limit = "" if outcome.threshold is None else f"; threshold {outcome.threshold:g}"
        yield "production", f"{champion}, {score}{limit}"
    if comparison is not None and comparison.improvement is not None:
        challenger = name(outcome.challenger_version)
        yield "challenger", f"{challenger}, {metric} {comparison.challenger.value:.4f}"
        yield "champion", f"{champion}, {metric} {comparison.champion.value:.4f}"
        yield "test set", f"{comparison.rows:,} rows that neither has learned from"
        yield "improvement", _improvement(comparison)
        yield "rule", f"PROMOTE_WHEN={settings.promote_when}, as it is set now"
    if outcome.traffic is not None:
        yield "traffic", traffic_in_words(*outcome.traffic)
    if outcome.drift.detected is not None:
        yield "drift", _drift(outcome.drift)
    files = outcome.files._asdict()
    yield "files", ", ".join(f"{count} {state}" for state, count in files.items())
    files_of_the_log = _files_of_the_log(record)
    if files_of_the_log:
        rows = sum(file.rows for file in files_of_the_log)
        count = len(files_of_the_log)
        yield "labels", f"{rows:,} rows in {count} of the files are labelled predictions"
    if hindsight is not None:
        yield "since then", in_words(hindsight, str(metric))


def _files_of_the_log(record: CycleRecord) -> list[BatchFile]:
    """The files judged first in a cycle that the prediction log delivered."""
    files = () if record.batch is None else record.batch.files
    return [file for file in files if file.name.startswith(f"{FROM_THE_LOG}-")]


def _improvement(comparison: Comparison) -> str:
    verdict = comparison.verdict.replace("_", " ")
    if comparison.interval is None:
        return f"{comparison.improvement:+.4f}: {verdict}"
    interval = f"{in_brackets(comparison.interval)} at {100 * comparison.confidence:g} %"
    return f"{comparison.improvement:+.4f} {interval}: {verdict}"


def _today(story: Story, challenger: int | None) -> Iterator[tuple[str, str]]:
    """What became of the version that the cycle made."""
    version = story.project.registry.version(challenger) if challenger is not None else None
    if version is not None and challenger != story.holder:
        yield (
            "today",
            (
                f"v{challenger} is {version.status.replace('_', ' ')}; {name(story.holder)} is in"
                " production"
            ),
        )


def _drift(drift: Drift) -> str:
    """The features that drifted, the material ones marked."""
    if drift.moved:
        return f"detected in {', '.join(drift.moved)}"
    if drift.detected is None:
        return "not judged"
    return f"not detected in {len(drift.features)} distributions (columns, label, predictions)"
