"""`history`: the last cycles, with what later rows say of each decision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retraining.commands import Answer
from retraining.commands.reading import Story, read_story, told_with_hindsight
from retraining.errors import UsageError
from retraining.hindsight import graded_decisions, in_words

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from retraining.records import CycleRecord, Hindsight
    from retraining.settings import Settings


def answer(asked: argparse.Namespace, settings: Settings) -> Answer:
    """List the last cycles, or write them as pages."""
    if asked.n < 1:
        raise UsageError(f"-n {asked.n} is no number of cycles.", remedy="Name a number of 1 or more.")
    story = read_story(settings)
    hindsight = graded_decisions(story.ledger.cycles, settings.confidence)
    newest = story.ledger.cycles[::-1][: asked.n]
    told = [told_with_hindsight(record, hindsight.get(record.cycle_id)) for record in newest]
    if asked.html is not None:
        return Answer(told, _write_pages(story, hindsight, asked.html))
    lines = [line for record in newest for line in _lines(record, hindsight.get(record.cycle_id))]
    return Answer(told, "\n".join(lines) or "No cycle has passed the gate yet.")


def _lines(record: CycleRecord, hindsight: Hindsight | None) -> list[str]:
    told = record.told
    version = told.get("challenger_version") or told.get("production_version")
    on_new = (told.get("scores") or {}).get("production_on_new")
    parts = [f"{record.started:%Y-%m-%d %H:%M}", f"{record.ending:<17}", f"v{version}" if version else ""]
    if on_new is not None:
        parts.append(f"served {told['metric']} {on_new:.4f} on {told['new_rows']:,} rows")
    if told.get("improvement") is not None:
        low_high = told.get("interval")
        parts.append(f"gain {told['improvement']:+.4f}" + (f" [{low_high[0]:+.4f}, {low_high[1]:+.4f}]" if low_high else ""))
    lines = ["  ".join(part for part in parts if part)]
    if record.ending == "failed":
        lines.append(f"    {told.get('reason')}")
    if hindsight is not None:
        lines.append(f"    since then: {in_words(hindsight, str(told.get('metric')))}")
    return lines


def _write_pages(story: Story, hindsight: dict[str, Hindsight], folder: Path) -> str:
    """Write the index and a copy of every report that the registry still has."""
    from retraining.report import index

    reports = folder / "reports"
    reports.mkdir(parents=True, exist_ok=True)
    links = {}
    for record in story.ledger.cycles:
        page = story.job.registry.read_text(record.run_id, "report.html") if record.run_id else None
        if page is not None:
            (reports / f"{record.cycle_id}.html").write_text(page, encoding="utf-8")
            links[record.cycle_id] = f"reports/{record.cycle_id}.html"
    text = index(story.ledger.cycles, hindsight=hindsight, reports=links, model_name=story.job.settings.model_name)
    (folder / "index.html").write_text(text, encoding="utf-8")
    return f"Wrote {folder / 'index.html'} and {len(links)} reports."
