"""Text columns that are numbers but for a few cells, or for the way in which the numbers are
written.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from retraining.datasets.cells import (
    MISSING,
    MISSING_LIKE,
    inferred_number_pattern,
    listed,
    number_pattern,
    shown,
)
from retraining.datasets.date_texts import DATE_PATTERN
from retraining.datasets.survey.remarks import Remark

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from retraining.datasets.survey.rows import Rows, Texts
    from retraining.settings import Settings

    Mask = NDArray[np.bool_]

ENOUGH = 0.9  # of the rows; columns of real words have fewer numbers
OTHERS_NAMED = 3
CODES_SHARE = 0.01  # of the rows with digits, that begin with a zero in a column of codes
_LEADING_ZERO = r"^[ \t]*[+-]?0[0-9]+[ \t]*\z"
_TRUTH_WORDS = r"(?i)^(true|false|0|1)\z"
_THOUSANDS = r"^[ \t]*[+-]?[0-9]{1,3}([,.' \x{a0}\x{202f}][0-9]{3})+([,.][0-9]+)?[ \t]*\z"
_UNITS = (
    r"(?i)^\s*([$€£¥]|usd|eur|chf|gbp)?\s*[+-]?[0-9][0-9,.' ]*\s*"
    r"(%|[$€£¥]|usd|eur|chf|gbp|k?m|kg|g|km/h|mph|°c|°f|h|min|s|ms|k|mio)?\s*\z"
)


def numbers_in_words(rows: Rows, column: str, settings: Settings) -> Remark | None:
    """What keeps a text column from being one of numbers (or of true and false), if that is little.

    Cells that stand for a missing value in other people's tables (`?`, `-`, `n/a`, `#N/A`, a blank)
    never count against it.
    """
    cells = _Cells(rows, column, rows.texts(column), settings)
    return (
        _in_another_decimal_mark(cells)
        or _with_thousands_or_units(cells)
        or _but_for_a_few(cells, cells.numbers, "a number")
        or _but_for_a_few(cells, cells.texts.matching(_TRUTH_WORDS), "true or false")
    )


@dataclass(frozen=True)
class _Cells:
    """One text column. Masks are over its distinct texts."""

    rows: Rows
    column: str
    texts: Texts
    settings: Settings

    @cached_property
    def numbers(self) -> Mask:
        """Numbers as the settings say that they are written."""
        return self.texts.matching(inferred_number_pattern(self.settings.csv_decimal))

    @cached_property
    def missing(self) -> Mask:
        """Texts that a number column reads as missing."""
        return np.isin(np.asarray(self.texts.distinct.to_pylist(), dtype=object), MISSING)

    @cached_property
    def padded_numbers(self) -> Mask:
        """Numbers that are written with a zero in front."""
        return self.texts.matching(number_pattern(self.settings.csv_decimal)) & ~self.numbers

    @cached_property
    def leading_zeros(self) -> Mask:
        """Codes such as 00501, which stand for themselves.

        One such text among hundreds of numbers of other lengths is a slip, and no code.
        """
        padded = self.texts.matching(_LEADING_ZERO)
        numbers = padded | self.numbers
        lengths = pc.unique(pc.utf8_length(self.texts.distinct.filter(pa.array(numbers))))
        if len(lengths) > 1 and self.count(padded) < CODES_SHARE * self.count(numbers):
            return np.zeros_like(padded)
        return padded

    def count(self, chosen: Mask) -> int:
        """Rows with one of the chosen texts."""
        return int(self.texts.counts[chosen].sum())

    def are_nearly_all(self, chosen: Mask) -> bool:
        """Whether the chosen texts fill nearly all rows that have a value, and are not one and the
        same.
        """
        placeholders = self.texts.matching(MISSING_LIKE)
        with_value = self.count(~self.missing & ~placeholders)
        return int(chosen.sum()) > 1 and self.count(chosen) >= ENOUGH * with_value

    def remark(self, what: str, shows_it: Mask, advice: str) -> Remark:
        """A remark with the first row that shows it."""
        first = int(self.texts.rows_with(shows_it)[0])
        return Remark("number in words", self.column, what, self.rows.place(first), advice)

    def first_text(self, chosen: Mask) -> str:
        """The chosen text that comes first in the files, as it may be shown."""
        first = int(self.texts.rows_with(chosen)[0])
        return shown(self.texts.distinct[int(self.texts.codes[first])].as_py())


def _in_another_decimal_mark(cells: _Cells) -> Remark | None:
    mark = "," if cells.settings.csv_decimal == "." else "."
    marked = cells.texts.matching(inferred_number_pattern(mark)) & ~cells.numbers
    surely = marked & ~cells.texts.matching(_THOUSANDS)
    if not surely.any() or not cells.are_nearly_all(cells.numbers | marked):
        return None
    word = "decimal commas" if mark == "," else "decimal points"
    count = f"{cells.count(marked):,} of {cells.rows.count:,} rows"
    what = f"holds {word} in {count}, such as {cells.first_text(marked)}"
    advice = f"taken as string; CSV_DECIMAL={mark}?"
    if cells.settings.csv_separator == mark:
        advice += f" (with a CSV_SEPARATOR other than {mark})"
    return cells.remark(what, marked, advice)


def _with_thousands_or_units(cells: _Cells) -> Remark | None:
    decorated = cells.texts.matching(_THOUSANDS) | cells.texts.matching(_UNITS)
    decorated &= ~cells.numbers & ~cells.padded_numbers
    decorated &= ~cells.texts.matching(DATE_PATTERN)  # 31.12.2026 is no number with a unit
    codes = cells.count(cells.leading_zeros)
    if not decorated.any() or codes > cells.count(decorated):
        return None
    if not cells.are_nearly_all(cells.numbers | decorated):
        return None
    count = f"{cells.count(decorated):,} of {cells.rows.count:,} rows"
    example = cells.first_text(decorated)
    what = f"holds numbers with thousands separators or units in {count}, such as {example}"
    return cells.remark(what, decorated, "taken as string; deliver plain numbers")


def _but_for_a_few(cells: _Cells, chosen: Mask, kind: str) -> Remark | None:
    """The column is of a kind in nearly all rows: what stands in the others, most frequent
    first.
    """
    others = ~chosen & ~cells.missing
    if not others.any() or not cells.are_nearly_all(chosen):
        return None
    if 2 * cells.count(others & cells.leading_zeros) > cells.count(others):
        return None
    found = np.flatnonzero(others)
    by_frequency = found[np.argsort(-cells.texts.counts[found], kind="stable")]
    named = [str(cells.texts.distinct[int(place)].as_py()) for place in by_frequency]
    what = (
        f"is {kind} in {cells.count(chosen):,} of {cells.rows.count:,} rows; "
        f"the others hold {listed(named, OTHERS_NAMED)}"
    )
    advice = "taken as string"
    stand_for_missing = cells.texts.matching(MISSING_LIKE)
    if not (others & ~stand_for_missing).any() and any(name.strip() for name in named):
        advice += "; leave cells without a value empty"
    return cells.remark(what, others, advice)
