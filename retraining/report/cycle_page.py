"""The page about one cycle: what the templates show, gathered from the outcome and its material."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retraining.phrases import how_many, traffic_in_words
from retraining.report import on_test_set
from retraining.report.contest import contest
from retraining.report.drift_table import drift_table
from retraining.report.figures import Served, timeline
from retraining.report.model_pictures import curve_pictures, matrices
from retraining.report.past import cycles_only, decisions, served_scores, timeline_words
from retraining.report.rendering import render_template, typeset
from retraining.report.tables import FactsTable, by_class, by_slice, files, mistakes
from retraining.report.verdict import undo, verdict_sentence
from retraining.report.words import name, printable, score_text, time_text, value_text

if TYPE_CHECKING:
    from retraining.records import Outcome
    from retraining.report.material import ReportMaterial, TestSet

MOST_DECISIONS = 40


def render(outcome: Outcome, material: ReportMaterial) -> str:
    """The whole page."""
    records = cycles_only(material.history)
    scored = _with_this_cycle(served_scores(records), outcome)
    line = timeline(scored, outcome.threshold)
    limit = None if line is None else line.threshold
    classes = () if material.test_set is None else material.test_set.classes
    tables = (by_class(outcome), by_slice(outcome), _mistakes(outcome, material.test_set))
    champion, challenger = name(outcome.previous_version), name(outcome.challenger_version)
    return render_template(
        "report.html.j2",
        outcome=outcome,
        width="62rem",
        stamp=time_text(outcome.started) if outcome.started else "",
        sentence=typeset(verdict_sentence(outcome)),
        facts=_facts(outcome, material),
        advice=undo(outcome, material.command),
        contest=contest(outcome),
        results=[table for table in tables if table],
        matrices=matrices(outcome, material.test_set),
        classes=[printable(label, 40) for label in classes],
        curves=curve_pictures(outcome, material.test_set),
        champion_name=f"production {champion}",
        challenger_name=f"challenger {challenger}",
        drift=drift_table(outcome.drift, material.distributions),
        files=files(material),
        line=line,
        line_label=timeline_words(outcome.metric, scored) if line else "",
        line_threshold="" if limit is None else _threshold(outcome),
        decisions=decisions(records, material.hindsight)[:MOST_DECISIONS],
        seconds=[
            (printable(stage, 40), f"{seconds:.1f} s") for stage, seconds in outcome.seconds.items()
        ],
        confidence=f"{100 * outcome.comparison.confidence:g} %" if outcome.comparison else "",
    )


def _threshold(outcome: Outcome) -> str:
    return typeset(value_text(outcome.metric, outcome.threshold))


def _facts(outcome: Outcome, material: ReportMaterial) -> list[tuple[str, str]]:
    counts = outcome.files
    served = outcome.production_on_new
    facts = [
        ("When", time_text(outcome.started) if outcome.started else ""),
        ("Model", printable(material.model_name, 80)),
        ("In production", name(outcome.production_version)),
        (
            "Score on the new rows",
            f"{score_text(served)} on {how_many(served.rows, 'row')}" if served else "",
        ),
        ("Seen before", _seen_before(outcome)),
        (
            "Threshold",
            value_text(outcome.metric, outcome.threshold) if outcome.threshold is not None else "",
        ),
        ("Traffic", traffic_in_words(*outcome.traffic) if outcome.traffic else ""),
        ("Trigger", printable(outcome.trigger or "", 80)),
        (
            "Files",
            (
                f"{counts.waiting} waiting, {counts.judged} judged, {counts.archived} archived,"
                f" {counts.quarantined} quarantined"
            ),
        ),
        ("Run", outcome.run_id or ""),
    ]
    return [(label, typeset(text)) for label, text in facts if text]


def _seen_before(outcome: Outcome) -> str:
    """How many of the new rows were there when production was made; empty where none."""
    copied, new = outcome.copied_rows or 0, outcome.new_rows or 0
    if not copied:
        return ""
    rows = how_many(copied, "row")
    fact = f"{rows} of {copied + new:,} left out, copies of rows that were there before"
    return f"{fact}. Is each file a full dump?" if copied > new else fact


def _mistakes(outcome: Outcome, test_set: TestSet | None) -> FactsTable | None:
    if test_set is None or len(test_set.classes) <= on_test_set.MOST_CLASSES:
        return None
    return mistakes(test_set, on_test_set.frequent_mistakes(test_set), outcome)


def _with_this_cycle(scored: list[Served], outcome: Outcome) -> list[Served]:
    """The timeline with this cycle at its end, unless its record is there already."""
    served, started = outcome.production_on_new, outcome.started
    known = scored and outcome.number is not None and scored[-1].number >= outcome.number
    if known or served is None or served.value is None or started is None:
        return scored
    before, after = outcome.previous_version, outcome.production_version
    label = f"{started.day} {started:%b %Y}"
    return [
        *scored,
        Served(
            outcome.number or 0, label, served.value, served.interval, before, after, outcome.ending
        ),
    ]
