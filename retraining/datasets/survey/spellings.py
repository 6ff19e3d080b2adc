"""Values and labels that are written in two ways."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from retraining.datasets.cells import shown
from retraining.datasets.columns import UNLABELLED, label_text
from retraining.datasets.seen_column import MAX_CATEGORIES
from retraining.datasets.spelling import spelling_key
from retraining.datasets.survey.remarks import Remark
from retraining.phrases import how_many

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from retraining.datasets.survey.rows import Rows
    from retraining.records import Schema

_TRUE, _FALSE = ("true", "t", "yes", "y", "1", "1.0"), ("false", "f", "no", "n", "0", "0.0")
_TRUTH = {**dict.fromkeys(_TRUE, "true"), **dict.fromkeys(_FALSE, "false")}


def labels_in_two_spellings(rows: Rows, schema: Schema) -> Iterator[Remark]:
    """Classes that differ only by case, spaces, a full stop or the form of a number.

    Where every class is a word for true or false, those that mean the same.
    """
    names = [label_text(label) for label in schema.classes]
    counts = np.bincount(rows.labels[rows.labels != UNLABELLED], minlength=len(names))
    are_truth_words = all(_plain(name) in _TRUTH for name in names)
    key = _truth if are_truth_words else spelling_key
    for alike in _alike(names, key):
        rarest, what = _rarest_in_words(alike, names, counts)
        first = int(np.flatnonzero(rows.labels == rarest)[0])
        advice = "one class or two? Mend the labels if it is one"
        yield Remark(
            "label spelling", schema.target, f"has the class {what}", rows.place(first), advice
        )


def texts_in_two_spellings(rows: Rows, column: str) -> Remark | None:
    """A text column of few values, of which some are written in two ways."""
    texts = rows.texts(column)
    if len(texts.distinct) > MAX_CATEGORIES:
        return None
    names = texts.distinct.to_pylist()
    groups = _alike(names, spelling_key)
    if not groups:
        return None
    rarest, what = _rarest_in_words(groups[0], names, texts.counts)
    if len(groups) > 1:
        what += f" (and {len(groups) - 1:,} more like this)"
    first = int(np.flatnonzero(texts.codes == rarest)[0])
    advice = "one value or two? Mend the cells if it is one"
    return Remark("spelling", column, f"holds {what}", rows.place(first), advice)


def _alike(names: Sequence[str], key: Callable[[str], str]) -> list[list[int]]:
    """Places of the names that have one key, where they are two or more."""
    by_key: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        by_key.setdefault(key(name), []).append(place)
    return [places for places in by_key.values() if len(places) > 1]


def _rarest_in_words(
    alike: Sequence[int], names: Sequence[str], counts: NDArray[np.int64]
) -> tuple[int, str]:
    """The rarest of names that are alike, and a phrase that sets it beside the others."""
    rarest = min(alike, key=lambda place: int(counts[place]))
    others = ", ".join(shown(names[place]) for place in alike if place != rarest)
    spellings = {spelling_key(names[place]) for place in alike}
    verb = "is written like" if len(spellings) == 1 else "may mean the same as"
    rows = how_many(int(counts[rarest]), "row")
    return rarest, f"{shown(names[rarest])} in {rows}, which {verb} {others}"


def _plain(name: str) -> str:
    return name.strip().casefold()


def _truth(name: str) -> str:
    return _TRUTH[_plain(name)]
