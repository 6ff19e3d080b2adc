"""How one cell is read: what counts as a number, a boolean, a label, or missing.

And how a cell is shown to a person.

These rules are the same for every file format. Regular expressions are in RE2's dialect, since
pyarrow runs them over columns.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from retraining.phrases import first_few
from retraining.records import MISSING_TEXTS

if TYPE_CHECKING:
    from retraining.records import Kind, Label, LabelKind

MISSING = MISSING_TEXTS
BOOLEANS = {"true": True, "false": False, "1": True, "0": False}
LARGEST_EXACT_INTEGER = 2**53  # beyond it not every integer has a float64 of its own

_INTEGRAL = re.compile(r"[+-]?[0-9]+(\.0*)?")
_WORDS_FOR_INFINITY = r"[+-]?(?i:inf|infinity)"
_MISSING_WORDS = (
    r"none|nil|nan|null|missing|unknown|not available|not applicable|n[./]?a[.]?|n[.]a[.]|\\n"
)
# An RE2 pattern of what other people's tables hold where a value is missing
MISSING_LIKE = (
    rf"(?i)^\s*(|[?.*\x{{2013}}\x{{2014}}-]+|#?({_MISSING_WORDS})!?|[<(\[]({_MISSING_WORDS})[>)\]]"
    r"|#(value|ref|div/0|name|null|num)[!?]?)\s*\z"
)


def number_pattern(decimal: str) -> str:
    """An RE2 pattern of the texts that a number column may hold besides the missing markers.

    Spaces around are harmless.
    """
    point = re.escape(decimal)
    return rf"^[ \t]*[+-]?(?:[0-9]+{point}?[0-9]*|{point}[0-9]+)(?:[eE][+-]?[0-9]+)?[ \t]*\z"


def inferred_number_pattern(decimal: str) -> str:
    """An RE2 pattern of the texts that make a column one of numbers: none with a leading zero,
    since `007` is a code.

    Infinity counts here, so that the file is refused for it later and the column is not taken for
    text.
    """
    point = re.escape(decimal)
    digits = rf"(?:0|[1-9][0-9]*)(?:{point}[0-9]*)?|{point}[0-9]+"
    return rf"^[ \t]*(?:[+-]?(?:{digits})(?:[eE][+-]?[0-9]+)?|{_WORDS_FOR_INFINITY})[ \t]*\z"


def boolean_from(text: str) -> bool | None:
    """The value of a boolean cell, None where it is missing.

    Raises:
        ValueError: the text is neither true, false, 0, 1 nor a missing marker.
    """
    if text in MISSING:
        return None
    try:
        return BOOLEANS[text.lower()]
    except KeyError:
        raise ValueError("true, false, 0 or 1") from None


def label_from(text: str, kind: LabelKind) -> Label | None:
    """The value of a label cell, None where it is missing.

    A string label is exactly what stands there.

    Raises:
        ValueError: the text cannot be read as a label of this kind; the message says what was
            expected.
    """
    if kind == "string":
        return text or None
    if kind == "boolean":
        return boolean_from(text)
    if text in MISSING:
        return None
    if not _INTEGRAL.fullmatch(text.strip(" \t")):
        raise ValueError("an integer")
    digits = text.strip(" \t").partition(".")[0]
    if len(digits) > 20 or abs(int(digits)) > LARGEST_EXACT_INTEGER:
        raise ValueError("an integer of at most 2^53")
    return int(digits)


def expected_in(kind: Kind) -> str:
    """What a cell of a column of this kind should hold, in words."""
    return {"number": "a number", "boolean": "true, false, 0 or 1", "string": "a text"}[kind]


def shown(text: str, limit: int = 40) -> str:
    """A text as a person may safely read it in a log: quoted, shortened, whatever does not print
    escaped.
    """
    if len(text) <= limit:
        return repr(text)
    return f"{text[:limit]!r}... ({len(text):,} characters)"


def listed(names: tuple[str, ...] | list[str], limit: int = 8) -> str:
    """Names in one line, the first few of many."""
    return first_few(map(shown, names), limit)
