"""What was seen of one column over all files of a registration, and the kind that follows from
it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from retraining.datasets.cells import MISSING, inferred_number_pattern
from retraining.records import Column

if TYPE_CHECKING:
    from retraining.records import Kind

MAX_CATEGORIES = 1_000


@dataclass
class SeenColumn:
    """Grows file by file.

    A column in which nothing but missing values was seen is one of numbers.
    """

    name: str
    numbers_only: bool = True
    booleans_only: bool = True  # true, false, 0, 1 in any case
    words_for_boolean: bool = False  # true or false was seen: 0 and 1 alone are numbers
    # None: more than MAX_CATEGORIES, or not all known
    texts: set[str] | None = field(default_factory=set)

    def add_untyped(self, texts: pa.Array, decimal: str) -> None:
        """Take distinct cells of a CSV file."""
        self._remember(texts)
        filled = texts.filter(pc.invert(pc.is_in(texts, value_set=pa.array(MISSING))))
        if self.numbers_only:
            self.numbers_only = _all(
                pc.match_substring_regex(filled, inferred_number_pattern(decimal))
            )
        if self.booleans_only:
            lower = pc.utf8_lower(filled)
            words = pc.is_in(lower, value_set=pa.array(["true", "false"]))
            self.booleans_only = _all(
                pc.or_(words, pc.is_in(lower, value_set=pa.array(["0", "1"])))
            )
            self.words_for_boolean |= bool(pc.any(words, min_count=0).as_py())

    def add_typed_texts(self, texts: pa.Array) -> None:
        """Take distinct texts of a column that is text by the file's own word."""
        self._remember(texts)
        self.numbers_only = self.booleans_only = False

    def add_typed_numbers(self) -> None:
        """Take a column that is numeric by the file's own word."""
        self.booleans_only = False
        self.texts = None

    def add_typed_booleans(self) -> None:
        """Take a column that is boolean by the file's own word."""
        self.numbers_only = False
        self.words_for_boolean = True
        self.texts = None

    def _remember(self, texts: pa.Array) -> None:
        if self.texts is not None:
            self.texts.update(text for text in texts.to_pylist() if text)
            if len(self.texts) > MAX_CATEGORIES:
                self.texts = None

    @property
    def kind(self) -> Kind:
        """The kind that holds for all that was seen."""
        if self.booleans_only and self.words_for_boolean:
            return "boolean"
        return "number" if self.numbers_only else "string"

    def column(self) -> Column:
        """The schema's column; categories in the order of their code points."""
        kind = self.kind
        return Column(
            self.name,
            kind,
            tuple(sorted(self.texts)) if kind == "string" and self.texts is not None else None,
        )


def _all(matches: pa.Array) -> bool:
    return bool(pc.all(matches, min_count=0).as_py())
