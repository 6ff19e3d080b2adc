"""The table of a recipe's search over models and settings, as a page of MLflow shows it."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

# what a reader looks for; times and single folds follow
FIRST = ("rank_test", "mean_test", "std_test", "param_")
TWICE = "params"  # scikit-learn lists each setting once more, as a dictionary


def search_table(results: Any) -> str | None:
    """A search's `cv_results_` as CSV, a line for each candidate, the best first where it has
    ranks.

    Args:
        results: columns by name, all of one length, as scikit-learn's searches leave them; anything
            else is no table.

    Returns:
        The text of the table, or None.
    """
    try:
        columns = {
            str(name): [_text(value) for value in values]
            for name, values in dict(results).items()
            if name != TWICE
        }
    except (TypeError, ValueError):
        return None
    if len({len(values) for values in columns.values()}) != 1:
        return None
    names = sorted(columns, key=_place)
    rows = list(zip(*(columns[name] for name in names), strict=True))
    if names[0].startswith(FIRST[0]) and all(row[0].isdecimal() for row in rows):
        rows.sort(key=lambda row: int(row[0]))
    return _csv([names, *rows])


def _place(name: str) -> int:
    return next(
        (place for place, prefix in enumerate(FIRST) if name.startswith(prefix)), len(FIRST)
    )


def _text(value: Any) -> str:
    """One line; a setting that a candidate does not have is masked, and left empty."""
    text = " ".join(str(value).split())
    return "" if text == "--" else text


def _csv(rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue()
