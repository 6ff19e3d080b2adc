"""What a cycle decided, in one sentence with its numbers, and how a person undoes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from retraining.phrases import how_many
from retraining.report.ending_texts import filled, texts_of
from retraining.report.words import (
    ending_words,
    gain_text,
    name,
    printable,
    score_text,
    value_text,
)

if TYPE_CHECKING:
    from retraining.records import Comparison, Outcome

COMMAND = "python pipeline_orchestrator.py"


class Advice(NamedTuple):
    """What a person can do about a decision: `command` is to be copied, and empty where the MLflow
    UI is the place.
    """

    text: str
    command: str = ""


def verdict_sentence(outcome: Outcome) -> str:
    """The decision in one sentence, with versions, scores, intervals and counts."""
    if outcome.dry_run:
        what = headline(outcome)
        would = f"{what[0].upper()}{what[1:]}"
        return f"Dry run, nothing was changed. {would}: {printable(outcome.reason)}."
    start = filled(texts_of(outcome.ending).sentence, outcome)
    if outcome.ending in ("promoted", "rejected", "awaiting_approval"):
        return f"{start}{_because(outcome)}."
    if outcome.ending == "rolled_back":
        return _rolled_back(outcome, start)
    if outcome.ending == "kept":
        return _kept(outcome, start)
    if outcome.ending == "superseded":
        return f"{start}."
    return f"{ending_words(outcome.ending)}: {printable(outcome.reason)}"


def headline(outcome: Outcome) -> str:
    """What happened to production and challenger, in a few words.

    Of a dry run what would happen.
    """
    texts = texts_of(outcome.ending)
    text = texts.dry if outcome.dry_run else texts.headline
    if text and outcome.dry_run and outcome.challenger_version is None:
        text = text.replace("{new}", "the challenger")
    if text:
        return filled(text, outcome)
    if outcome.production_version is None:
        return "production is as it was"
    return filled("{serving} stays in production", outcome)


def undo(outcome: Outcome, command: str = COMMAND) -> Advice:
    """How to take the decision back; `command` is how the job is started in this project."""
    if outcome.dry_run:
        return Advice(
            "Nothing was changed, so there is nothing to undo. To do it, run without --dry-run."
        )
    text = filled(texts_of(outcome.ending).undo, outcome)
    return Advice(text, f"{command} rollback" if outcome.ending == "promoted" else "")


def contest(comparison: Comparison, champion: str, challenger: str) -> str:
    """Both scores, where they are known, and their difference on the shared rows."""
    metric, where = comparison.challenger.metric, f"on {how_many(comparison.rows, 'test row')}"
    difference = (
        f"{gain_text(metric, comparison.improvement, comparison.interval)} at"
        f" {100 * comparison.confidence:g} % confidence"
    )
    if comparison.challenger.value is None or comparison.champion.value is None:
        return f"{where} the {metric} of {challenger} minus that of {champion} is {difference}"
    scores = (
        f"{challenger} has {metric} {score_text(comparison.challenger)} and {champion}"
        f" {score_text(comparison.champion)}"
    )
    return f"{where} {scores}, a difference of {difference}"


def _rolled_back(outcome: Outcome, start: str) -> str:
    if outcome.probation is None:
        return f"{start}: {printable(outcome.reason)}"
    left, restored = name(outcome.previous_version), name(outcome.production_version)
    text = contest(outcome.probation, restored, left).replace("test row", "fresh row", 1)
    return f"{start}: {text}."


def _kept(outcome: Outcome, start: str) -> str:
    served = outcome.production_on_new
    if served is None or served.value is None:
        return f"{start}: {printable(outcome.reason)}"
    limit = ""
    if outcome.threshold is not None:
        limit = f" (the threshold is {value_text(outcome.metric, outcome.threshold)})"
    return (
        f"{start}: its {served.metric} on {how_many(served.rows, 'new row')} is"
        f" {score_text(served)}{limit}."
    )


def _because(outcome: Outcome) -> str:
    if outcome.comparison is None:
        return f": {printable(outcome.reason)}"
    stays = outcome.ending in ("rejected", "awaiting_approval")
    champion = name(outcome.production_version if stays else outcome.previous_version)
    return f": {contest(outcome.comparison, champion, name(outcome.challenger_version))}"
