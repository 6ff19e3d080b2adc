"""Plain tables of the cycle's page: classes, slices, frequent mistakes, files."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from retraining.report.rendering import typeset
from retraining.report.words import NOTHING, difference_text, name, printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from retraining.records import ClassResult, Outcome, SliceResult
    from retraining.report.material import ReportMaterial, TestSet

MOST_ROWS = 100
RATES = ("Recall", "Precision", "F1")


@dataclass(frozen=True)
class FactsTable:
    """A table with a heading: its first column names the row, the next up to `words` hold text, the
    others numbers.

    A `folded` one shows its caption, and the rows when asked.
    """

    key: str
    title: str
    caption: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: int = 1
    left_out: str = ""
    folded: bool = False


def facts_table(table: FactsTable) -> FactsTable:
    """`table` with the rows that fit on a page, and a word about the others."""
    beyond = len(table.rows) - MOST_ROWS
    rows = []
    for row in table.rows[:MOST_ROWS]:
        words, numbers = row[: table.words], row[table.words :]
        rows.append((*words, *map(typeset, numbers)))
    left_out = f"{beyond:,} more are left out here." if beyond > 0 else ""
    return replace(table, rows=tuple(rows), left_out=left_out)


def by_class(outcome: Outcome) -> FactsTable | None:
    """Recall, precision and F1 of both models for each class, as `statistics.per_class` gives
    them.
    """
    if outcome.comparison is None or not outcome.comparison.per_class:
        return None
    champion, challenger = _versions(outcome)
    heads = (
        "Class",
        "Rows",
        *(f"{rate}, {version}" for rate in RATES for version in (champion, challenger)),
    )
    rows = tuple(
        (printable(one.name, 80), f"{one.support:,}", *map(_percent, _rates(one)))
        for one in outcome.comparison.per_class
    )
    return facts_table(
        FactsTable("classes", "By class", "Shares of the test rows of each class.", heads, rows)
    )


def _rates(one: ClassResult) -> tuple[float | None, ...]:
    """Each of RATES, of the champion and of the challenger."""
    return (
        one.champion_recall,
        one.challenger_recall,
        one.champion_precision,
        one.challenger_precision,
        one.champion_f1,
        one.challenger_f1,
    )


def by_slice(outcome: Outcome) -> FactsTable | None:
    """What each slice gains with the challenger, the largest loss first, as
    `statistics.judge_slices` gives it.
    """
    comparison = outcome.comparison
    if comparison is None or not comparison.slices:
        return None
    metric = comparison.challenger.metric
    slices = sorted(comparison.slices, key=lambda one: -_number(one.loss))
    rows = tuple(
        (
            printable(one.name, 80),
            _finding(one),
            f"{one.rows:,}",
            NOTHING if one.loss is None else difference_text(metric, -one.loss),
            NOTHING if one.p is None else f"{one.p:.3f}",
        )
        for one in slices
    )
    caption = (
        "What the challenger changes in each slice, worst first; p of losing nothing, corrected for"
        " the number of slices."
    )
    return facts_table(
        FactsTable(
            "slices",
            "By slice",
            caption,
            ("Slice", "Finding", "Rows", "Change", "p"),
            rows,
            words=2,
        )
    )


def mistakes(
    test_set: TestSet, confused: Sequence[tuple[str, str, int, int]], outcome: Outcome
) -> FactsTable | None:
    """The most frequent mistakes, where there are too many classes for a matrix."""
    if not confused:
        return None
    champion, challenger = _versions(outcome)
    rows = tuple(
        (printable(true, 80), printable(predicted, 80), f"{before:,}", f"{after:,}")
        for true, predicted, before, after in confused
    )
    caption = f"Test rows of the most frequent mistakes among {len(test_set.classes)} classes."
    return facts_table(
        FactsTable(
            "mistakes",
            "Frequent mistakes",
            caption,
            ("True class", "Predicted", champion, challenger),
            rows,
            words=2,
        )
    )


def files(material: ReportMaterial) -> list[FactsTable]:
    """Files used and refused."""
    used = tuple(
        (printable(file.name, 120), file.sha256[:12], f"{file.rows:,}") for file in material.used
    )
    refused = tuple(
        (printable(file.name, 120), printable(file.reason), _count(file.rows))
        for file in material.refused
    )
    tables = [
        FactsTable(
            "used",
            "Files used",
            _files(len(used), "judged by this cycle"),
            ("File", "SHA-256", "Rows"),
            used,
            words=2,
            folded=True,
        ),
        FactsTable(
            "refused",
            "Files refused",
            _files(len(refused), "moved to quarantine. Mend a file and move it back with requeue."),
            ("File", "Reason", "Rows"),
            refused,
            words=2,
        ),
    ]
    return [facts_table(table) for table in tables if table.rows]


def _versions(outcome: Outcome) -> tuple[str, str]:
    return name(outcome.previous_version), name(outcome.challenger_version)


def _finding(one: SliceResult) -> str:
    if one.vetoes:
        return "vetoes the promotion"
    return "too few rows to judge" if one.p is None else "no veto"


def _percent(share: float | None) -> str:
    return NOTHING if share is None else f"{100 * share:.1f} %"


def _number(value: float | None) -> float:
    return float("-inf") if value is None else value


def _count(rows: int | None) -> str:
    return NOTHING if rows is None else f"{rows:,}"


def _files(count: int, rest: str) -> str:
    return f"{count:,} file{'' if count == 1 else 's'} {rest}"
