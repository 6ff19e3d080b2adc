"""What a cycle decided, in one sentence with its numbers, and how a person undoes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from retraining.phrases import how_many
from retraining.report.words import (
    ending_words,
    gain_text,
    printable,
    score_text,
    value_text,
)

if TYPE_CHECKING:
    from retraining.records import Comparison, Outcome

COMMAND = "python pipeline_orchestrator.py"


class Advice(NamedTuple):
    """What a person can do about a decision: `command` is to be copied, and empty where the MLflow UI is the place."""

    text: str
    command: str = ""


def verdict_sentence(outcome: Outcome) -> str:
    """The decision in one sentence, with versions, scores, intervals and counts."""
    if outcome.dry_run:
        what = headline(outcome)
        would = f"{what[0].upper()}{what[1:]}"
        return f"Dry run, nothing was changed. {would}: {printable(outcome.reason)}."
    tell = {
        "promoted": _promoted,
        "rejected": _rejected,
        "awaiting_approval": _awaiting_approval,
        "rolled_back": _rolled_back,
        "kept": _kept,
        "superseded": _superseded,
    }.get(outcome.ending)
    return tell(outcome) if tell else f"{ending_words(outcome.ending)}: {printable(outcome.reason)}"


def headline(outcome: Outcome) -> str:
    """What happened to production and challenger, in a few words; of a dry run what would happen."""
    old, serving = name(outcome.previous_version), name(outcome.production_version)
    new = name(outcome.challenger_version)
    if outcome.dry_run:
        new = "the challenger" if outcome.challenger_version is None else new
        told = {
            "promoted": f"a challenger would replace {old} in production",
            "rejected": f"{new} would be rejected, {serving} would stay in production",
            "awaiting_approval": f"{new} would wait for approval, {serving} would stay in production",
            "rolled_back": f"{old} would be rolled back, {serving} would serve again",
            "kept": f"{serving} would stay in production",
        }
    else:
        told = {
            "promoted": f"{new} replaces {old} in production",
            "rejected": f"{serving} stays in production, {new} was rejected",
            "awaiting_approval": f"{new} waits for approval, {serving} stays in production",
            "rolled_back": f"{serving} is back in production, {old} failed its probation",
            "superseded": f"a person moved the alias while the cycle ran; {new} was set aside",
        }
    as_it_was = "production is as it was"
    if outcome.production_version is not None:
        as_it_was = f"{serving} stays in production"
    return told.get(outcome.ending, as_it_was)


def undo(outcome: Outcome, command: str = COMMAND) -> Advice:
    """How to take the decision back; `command` is how the job is started in this project."""
    version = name(outcome.challenger_version)
    if outcome.dry_run:
        return Advice(
            "Nothing was changed, so there is nothing to undo. To do it, run without --dry-run."
        )
    if outcome.ending == "promoted":
        return Advice(
            f"This moves the alias back to {name(outcome.previous_version)} and holds promotions until rollback --resume lifts the hold.",
            f"{command} rollback",
        )
    if outcome.ending == "awaiting_approval":
        return Advice(
            f"Nothing was promoted yet. `approve {version}` does what moving the production alias in the "
            f"MLflow UI does; `reject {version} --why TEXT` turns it down."
        )
    if outcome.ending == "rolled_back":
        left = name(outcome.previous_version)
        return Advice(
            f"If {left} should serve after all, move the production alias to it in the MLflow UI."
        )
    if outcome.ending in ("kept", "rejected"):
        return Advice(
            "The alias was not moved, so there is nothing to undo; run --force judges the same files again."
        )
    if outcome.ending == "failed":
        return Advice(
            "The next start finishes or takes back what this one left; the log's last lines say what to try."
        )
    return Advice("The alias was not moved by this cycle, so there is nothing to undo.")


def name(version: int | None) -> str:
    """How a version is named in text."""
    return "no version" if version is None else f"v{version}"


def contest(comparison: Comparison, champion: str, challenger: str) -> str:
    """Both scores, where they are known, and their difference on the shared rows."""
    metric, where = comparison.challenger.metric, f"on {how_many(comparison.rows, 'test row')}"
    difference = f"{gain_text(metric, comparison.improvement, comparison.interval)} at {100 * comparison.confidence:g} % confidence"
    if comparison.challenger.value is None or comparison.champion.value is None:
        return f"{where} the {metric} of {challenger} less that of {champion} is {difference}"
    scores = f"{challenger} has {metric} {score_text(comparison.challenger)} and {champion} {score_text(comparison.champion)}"
    return f"{where} {scores}, a difference of {difference}"


def _promoted(outcome: Outcome) -> str:
    old, new = name(outcome.previous_version), name(outcome.challenger_version)
    return f"{new} replaces {old} in production{_because(outcome, old, new)}."


def _rejected(outcome: Outcome) -> str:
    old, new = name(outcome.production_version), name(outcome.challenger_version)
    return f"{old} stays in production and {new} was rejected{_because(outcome, old, new)}."


def _awaiting_approval(outcome: Outcome) -> str:
    old, new = name(outcome.production_version), name(outcome.challenger_version)
    return f"{new} won and waits for a person to approve it; {old} stays in production until then{_because(outcome, old, new)}."


def _superseded(outcome: Outcome) -> str:
    moved = (
        "removed the alias"
        if outcome.production_version is None
        else f"moved the alias to {name(outcome.production_version)}"
    )
    return f"A person {moved} while this cycle ran, so their choice stands and {name(outcome.challenger_version)} was set aside."


def _rolled_back(outcome: Outcome) -> str:
    left, restored = name(outcome.previous_version), name(outcome.production_version)
    start = f"{restored} is back in production, because {left} failed its probation"
    if outcome.probation is None:
        return f"{start}: {printable(outcome.reason)}"
    text = contest(outcome.probation, restored, left).replace("test row", "fresh row", 1)
    return f"{start}: {text}."


def _kept(outcome: Outcome) -> str:
    start = f"{name(outcome.production_version)} stays in production"
    served = outcome.production_on_new
    if served is None or served.value is None:
        return f"{start}: {printable(outcome.reason)}"
    limit = (
        ""
        if outcome.threshold is None
        else f" (the threshold is {value_text(outcome.metric, outcome.threshold)})"
    )
    return f"{start}: its {served.metric} on {how_many(served.rows, 'new row')} is {score_text(served)}{limit}."


def _because(outcome: Outcome, champion: str, challenger: str) -> str:
    if outcome.comparison is None:
        return f": {printable(outcome.reason)}"
    return f": {contest(outcome.comparison, champion, challenger)}"
