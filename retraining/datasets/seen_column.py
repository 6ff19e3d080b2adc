"""What was seen of one column over all files of a registration, and the kind that follows from
it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from retraining.datasets.cells import BOOLEANS, MISSING, inferred_number_pattern, number_pattern
from retraining.records import Column

if TYPE_CHECKING:
    from retraining.records import Kind

MAX_CATEGORIES = 1_000


@dataclass
class SeenColumn:
    """Grows file by file.

    What files of a cycle may hold beside each other is one column here too: every cell must be
    readable as the kind that comes out.
    """

    name: str
    declared: Kind = "number"  # its kind while nothing but missing values was seen
    has_values: bool = False
    numbers_only: bool = True
    readable_as_numbers: bool = True  # as numbers_only, but 007 counts too
    booleans_only: bool = True  # true, false, 0, 1 in any case
    words_for_boolean: bool = False  # true or false was seen: 0 and 1 alone are numbers
    # what files say of their own types, where the column has values
    has_typed_texts: bool = False
    has_typed_booleans: bool = False  # which no column of texts or numbers takes
    has_typed_fractions: bool = False  # floats and decimals, which no column of texts takes
    # None: more than MAX_CATEGORIES, or not all known
    texts: set[str] | None = field(default_factory=set)

    def add_untyped(self, texts: pa.Array, decimal: str) -> None:
        """Take distinct cells of a CSV file."""
        self._remember(texts)
        filled = _less_missing(texts)
        self.has_values |= len(filled) > 0
        if self.numbers_only:
            pattern = inferred_number_pattern(decimal)
            self.numbers_only = _all(pc.match_substring_regex(filled, pattern))
        if self.readable_as_numbers and not self.numbers_only:
            lax = pc.match_substring_regex(filled, number_pattern(decimal))
            self.readable_as_numbers = _all(lax)
        words = pc.is_in(pc.utf8_lower(filled), value_set=pa.array(["true", "false"]))
        self.words_for_boolean |= bool(pc.any(words, min_count=0).as_py())
        self.booleans_only = self.booleans_only and _are_booleans(filled)

    def add_typed_texts(self, texts: pa.Array) -> None:
        """Take distinct texts of a column that is text by the file's own word."""
        self.declared = "string"
        if not len(texts):
            return
        self._remember(texts)
        self.has_values = self.has_typed_texts = True
        self.numbers_only = self.readable_as_numbers = False
        self.booleans_only = self.booleans_only and _are_booleans(_less_missing(texts))

    def add_typed_values(self, values: pa.Array) -> None:
        """Take values, one or more and none of them missing, of a column that is boolean or
        numeric by the file's own word.
        """
        self.has_values, self.texts = True, None
        if pa.types.is_boolean(values.type):
            self.numbers_only = self.readable_as_numbers = False
            self.words_for_boolean = self.has_typed_booleans = True
            return
        self.has_typed_fractions |= not pa.types.is_integer(values.type)
        if self.booleans_only:
            numbers = pc.cast(values, pa.float64(), safe=False)
            self.booleans_only = _all(pc.is_in(numbers, value_set=pa.array([0.0, 1.0])))

    def may_learn_from(self, kind: pa.DataType) -> bool:
        """Whether values of this type, of a file yet to be read, could change the kind."""
        if pa.types.is_boolean(kind):
            return not self.has_typed_booleans
        is_news = not (self.has_typed_fractions or pa.types.is_integer(kind))
        return is_news or self.booleans_only or not self.has_values

    def _remember(self, texts: pa.Array) -> None:
        if self.texts is not None:
            self.texts.update(text for text in texts.to_pylist() if text)
            if len(self.texts) > MAX_CATEGORIES:
                self.texts = None

    @property
    def kind(self) -> Kind:
        """The kind that holds for all that was seen."""
        if not self.has_values:
            return self.declared
        words_are_meant = self.words_for_boolean and not self.has_typed_texts
        if self.booleans_only and (self.has_typed_booleans or words_are_meant):
            return "boolean"
        if self.numbers_only:
            return "number"
        must_be_numbers = self.has_typed_fractions and self.readable_as_numbers
        return "number" if must_be_numbers else "string"

    def column(self) -> Column:
        """The schema's column; categories in the order of their code points."""
        kind = self.kind
        return Column(
            self.name,
            kind,
            tuple(sorted(self.texts)) if kind == "string" and self.texts is not None else None,
        )


def _less_missing(texts: pa.Array) -> pa.Array:
    return texts.filter(pc.invert(pc.is_in(texts, value_set=pa.array(MISSING))))


def _are_booleans(texts: pa.Array) -> bool:
    return _all(pc.is_in(pc.utf8_lower(texts), value_set=pa.array(list(BOOLEANS))))


def _all(matches: pa.Array) -> bool:
    return bool(pc.all(matches, min_count=0).as_py())
