"""Champion and challenger side by side, with intervals on one scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from retraining.phrases import how_many
from retraining.report.figures import Range, ranges
from retraining.report.rendering import typeset
from retraining.report.words import VERDICTS, difference_text, interval_text, name, value_text

if TYPE_CHECKING:
    from retraining.records import Comparison, Outcome, Score


@dataclass(frozen=True)
class ContestRow:
    """One line of the comparison: a model, or their difference."""

    name: str
    value: str
    interval: str
    picture: Range | None


@dataclass(frozen=True)
class Contest:
    """Two models on the same rows."""

    title: str
    caption: str
    scale: str
    rows: tuple[ContestRow, ...]
    verdict: str
    dropped: str


def contest(outcome: Outcome) -> Contest | None:
    """The comparison of this cycle, or the probation that it looked at.

    None where nothing was compared.
    """
    comparison = outcome.comparison or outcome.probation
    if comparison is None:
        return None
    on_probation = comparison is outcome.probation
    metric = comparison.challenger.metric
    champion, challenger = _titles(outcome, on_probation=on_probation)
    scores = (comparison.champion, comparison.challenger)
    rows = [
        ContestRow(
            model,
            typeset(value_text(metric, score.value)),
            typeset(interval_text(metric, score.interval)),
            picture,
        )
        for model, score, picture in zip(
            (champion, challenger), scores, _ranges(scores), strict=True
        )
        if score.value is not None
    ]
    rows.append(
        _difference_row(
            f"{challenger} minus {champion}" if on_probation else "Difference", comparison
        )
    )
    where, title = "test", "Production and challenger"
    if on_probation:
        where, title = "fresh", f"Probation of {challenger}"
    blocks = (
        f"{how_many(comparison.rows, f'{where} row')} in {how_many(comparison.blocks, 'block')}"
    )
    caption = (
        f"Both on the same {blocks}; intervals at {100 * comparison.confidence:g} % confidence."
    )
    return Contest(
        title, caption, "Range", tuple(rows), VERDICTS[comparison.verdict], _dropped(comparison)
    )


def _difference_row(title: str, comparison: Comparison) -> ContestRow:
    metric, value, interval = (
        comparison.challenger.metric,
        comparison.improvement,
        comparison.interval,
    )
    picture = None if value is None else ranges([(value, interval)], mine=0, around_zero=True)[0]
    return ContestRow(
        title,
        typeset(difference_text(metric, value)),
        typeset(interval_text(metric, interval, signed=True)),
        picture,
    )


def _dropped(comparison: Comparison) -> str:
    if not comparison.rows_dropped:
        return ""
    rows = how_many(comparison.rows_dropped, "reserved row")
    return f"{rows} left out: copies of rows that one of the two has learned."


def _ranges(scores: tuple[Score, Score]) -> tuple[Range | None, ...]:
    if any(score.value is None for score in scores):
        return (None, None)
    return ranges([(score.value or 0.0, score.interval) for score in scores], mine=1)


def _titles(outcome: Outcome, *, on_probation: bool) -> tuple[str, str]:
    """The champion's and the challenger's.

    The version on probation is the one that served when the cycle began.
    """
    if not on_probation:
        return (
            f"Production {name(outcome.previous_version)}",
            f"Challenger {name(outcome.challenger_version)}",
        )
    before = outcome.hindsight.rival if outcome.hindsight else None
    if before is None and outcome.ending == "rolled_back":
        before = outcome.production_version
    return name(before) if before is not None else "the version before", name(
        outcome.previous_version
    )
