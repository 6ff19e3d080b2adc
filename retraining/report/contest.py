"""Champion and challenger side by side, with intervals on one scale."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from retraining.report.figures import Range, ranges
from retraining.report.rendering import typeset
from retraining.report.verdict import name
from retraining.report.words import VERDICTS, count_text, difference_text, interval_text, value_text

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

    caption: str
    scale: str
    rows: tuple[ContestRow, ...]
    verdict: str
    dropped: str


def contest(outcome: Outcome) -> Contest | None:
    """The comparison of this cycle, or the probation that it ended; None where nothing was compared."""
    comparison = outcome.comparison or outcome.probation
    if comparison is None:
        return None
    metric = comparison.challenger.metric
    champion, challenger = _titles(outcome, comparison)
    scores = (comparison.champion, comparison.challenger)
    pictures = _ranges(scores)
    rows = [
        ContestRow(title, typeset(value_text(metric, score.value)), typeset(interval_text(metric, score.interval)), picture)
        for title, score, picture in zip((champion, challenger), scores, pictures, strict=True)
    ]
    rows.append(
        ContestRow(
            "Difference",
            typeset(difference_text(metric, comparison.improvement)),
            typeset(interval_text(metric, comparison.interval, signed=True)),
            _difference(comparison),
        )
    )
    where = "fresh" if comparison is outcome.probation else "test"
    blocks = f"{count_text(comparison.rows, f'{where} row')} in {count_text(comparison.blocks, 'block')}"
    caption = f"Both on the same {blocks}; intervals at {100 * comparison.confidence:g} % confidence."
    return Contest(caption, "Range", tuple(rows), VERDICTS[comparison.verdict], _dropped(comparison))


def _dropped(comparison: Comparison) -> str:
    if not comparison.rows_dropped:
        return ""
    return f"{count_text(comparison.rows_dropped, 'reserved row')} left out, because a model learned a row with the same values."


def _ranges(scores: tuple[Score, Score]) -> tuple[Range | None, ...]:
    if any(score.value is None for score in scores):
        return (None, None)
    return ranges([(score.value or 0.0, score.interval) for score in scores], mine=1)


def _difference(comparison: Comparison) -> Range | None:
    if comparison.improvement is None:
        return None
    return ranges([(comparison.improvement, comparison.interval)], mine=0, around_zero=True)[0]


def _titles(outcome: Outcome, comparison: Comparison) -> tuple[str, str]:
    if comparison is outcome.probation:
        return f"{name(outcome.production_version)}, before", f"{name(outcome.previous_version)}, on probation"
    return f"Production {name(outcome.previous_version)}", f"Challenger {name(outcome.challenger_version)}"
