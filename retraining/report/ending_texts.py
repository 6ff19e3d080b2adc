"""How each ending is told in a report: every sentence of an ending stands here, once.

Standard library only.

In the texts `{old}` is the version that was in production before the cycle, `{serving}` the one
that is now, `{new}` the challenger.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from retraining.report.words import name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from retraining.records import EndingName, Outcome

NOT_MOVED = "The alias was not moved by this cycle, so there is nothing to undo."
NOT_MOVED_AND_JUDGED_AGAIN = (
    "The alias was not moved, so there is nothing to undo; run --force judges the same files again."
)


class EndingTexts(NamedTuple):
    """The texts of one ending.

    Attributes:
        row: in the table of past decisions.
        headline: what happened to production and challenger, in a few words.
        dry: the same of a dry run: what would happen; empty where no dry run ends so.
        sentence: the same as a sentence, which numbers or a reason follow.
        version: how the description of the cycle's version begins; empty where it trained none.
        undo: how a person takes it back.
    """

    row: str = ""
    headline: str = ""
    dry: str = ""
    sentence: str = ""
    version: str = ""
    undo: str = NOT_MOVED


TEXTS: Mapping[EndingName, EndingTexts] = {
    "promoted": EndingTexts(
        row="{new} promoted over {old}",
        headline="{new} replaces {old} in production",
        dry="a challenger would replace {old} in production",
        sentence="{new} replaces {old} in production",
        version="Replaced {old} in production",
        undo=(
            "This moves the alias back to {old} and holds promotions until rollback --resume lifts"
            " the hold."
        ),
    ),
    "rejected": EndingTexts(
        row="{new} rejected for {serving}",
        headline="{serving} stays in production, {new} was rejected",
        dry="{new} would be rejected, {serving} would stay in production",
        sentence="{serving} stays in production and {new} was rejected",
        version="Did not replace {old}",
        undo=NOT_MOVED_AND_JUDGED_AGAIN,
    ),
    "awaiting_approval": EndingTexts(
        row="{new} waits for approval",
        headline="{new} waits for approval, {serving} stays in production",
        dry="{new} would wait for approval, {serving} would stay in production",
        sentence=(
            "{new} won and waits for a person to approve it; {serving} stays in production until"
            " then"
        ),
        # read before and after the approval: what became of it stands in its tags
        version=(
            "Won against {old} and was left to a person, who gives it the production alias with"
            " `approve`"
        ),
        undo=(
            "Nothing was promoted yet. `approve {new}` does what moving the production alias in the"
            " MLflow UI does; `reject {new} --why TEXT` rejects it."
        ),
    ),
    "rolled_back": EndingTexts(
        row="{old} rolled back to {serving}",
        headline="{serving} is back in production, {old} failed its probation",
        dry="{old} would be rolled back, {serving} would serve again",
        sentence="{serving} is back in production, because {old} failed its probation",
        undo="If {old} should serve after all, move the production alias to it in the MLflow UI.",
    ),
    "kept": EndingTexts(
        row="{serving} kept",
        dry="{serving} would stay in production",
        sentence="{serving} stays in production",
        undo=NOT_MOVED_AND_JUDGED_AGAIN,
    ),
    "superseded": EndingTexts(
        row="{new} set aside, a person chose",
        headline="a person moved the alias while the cycle ran; {new} was set aside",
        sentence=(
            "A person {moved} while this cycle ran, so their choice stands and {new} was set aside"
        ),
    ),
    "failed": EndingTexts(
        undo=(
            "The next start finishes or undoes what this one began; the log's last lines say"
            " what to try."
        )
    ),
}


def texts_of(ending: EndingName) -> EndingTexts:
    """The texts of an ending.

    One without any of its own has those of an alias that was not moved.
    """
    return TEXTS.get(ending, EndingTexts())


def filled(text: str, outcome: Outcome) -> str:
    """A text with the versions of an outcome."""
    serving = name(outcome.production_version)
    is_gone = outcome.production_version is None
    return text.format(
        old=name(outcome.previous_version),
        serving=serving,
        new=name(outcome.challenger_version),
        moved="removed the alias" if is_gone else f"moved the alias to {serving}",
    )
