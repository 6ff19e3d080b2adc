"""BSON values -> the text of a CSV cell, by the kind of its column.

A missing field, `null` and NaN are a missing value: the empty cell. A value that its column cannot
hold raises `MisfitError`, so that one document is refused instead of the file that it would have
spoiled. Texts are those that the reader of the inbox takes back.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from bson.binary import UUID_SUBTYPE, Binary
from bson.datetime_ms import DatetimeMS
from bson.decimal128 import Decimal128
from bson.objectid import ObjectId

from retraining.records import MISSING_TEXTS

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal

    from retraining.records import Kind, LabelKind

    Cell = Callable[[Any], str]

# beyond it a double skips integers: a number column would hold another value than the document
EXACT_INTEGERS = 2**53
LONGEST_CELL = 100_000  # characters; readers of CSV give up on a file with cells not much longer
NUMERIC_TRUTHS = {"": "", "0": "false", "0.0": "false", "-0.0": "false", "1": "true", "1.0": "true"}
TRUTHS = {"true": "true", "false": "false", "1": "true", "0": "false"}


class MisfitError(Exception):
    """A value or a document that does not fit its columns.

    The message is the reason a person reads.
    """


def number_cell(value: Any) -> str:
    """A number, or a text that is one, in the shortest digits that read back as the same double."""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, str):
        return _number_text(value)
    if isinstance(value, Decimal128):
        return _decimal_text(value.to_decimal())
    if isinstance(value, int):
        return _exact(value)
    if isinstance(value, float):
        return _double_text(value)
    return _missing(value, expected="a number")


def integer_cell(value: Any) -> str:
    """A label that is a whole number: `1`, `1.0` and `"1"` are one label."""
    text = number_cell(value)
    if text == "":
        return ""
    if not float(text).is_integer():
        raise MisfitError(f"{_shown(value)} is not a whole number")
    return str(int(float(text)))


def boolean_cell(value: Any) -> str:
    """A boolean, 0 or 1 as any numeric type, or a text that says so."""
    if isinstance(value, str):
        text = "" if value in MISSING_TEXTS else TRUTHS.get(value.lower())
    elif isinstance(value, (bool, int, float, Decimal128)):
        text = NUMERIC_TRUTHS.get(number_cell(value))
    else:
        return _missing(value, expected="a boolean")
    if text is None:
        raise MisfitError(f"{_shown(value)} is neither true nor false")
    return text


def text_cell(value: Any) -> str:
    """A scalar as text, as `mongoexport` writes it: dates in ISO 8601 (UTC), a whole double without
    its fraction, `true`, `false`.
    """
    text = _text(value)
    if "\0" in text:
        raise MisfitError("a text with a NUL character")
    if len(text) > LONGEST_CELL:
        raise MisfitError(f"a text of {len(text):,} characters; {LONGEST_CELL:,} is the limit")
    return text


def cell_of(kind: Kind | LabelKind) -> Cell:
    """The function that turns a value into a cell of a column, or of a label, of that kind."""
    return {
        "number": number_cell,
        "boolean": boolean_cell,
        "string": text_cell,
        "integer": integer_cell,
    }[kind]


def is_scalar(value: Any) -> bool:
    """Whether a value can stand in a cell at all: not an array, a document, binary data or a
    code.
    """
    return isinstance(
        value, (str, bool, int, float, Decimal128, datetime, DatetimeMS, ObjectId)
    ) or _is_uuid(value)


def _text(value: Any) -> str:
    if isinstance(value, str):
        # bson.Code is a subclass of str
        return str(value) if type(value) is str else _missing(value, expected="a text")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return _date_text(value)
    if isinstance(value, float):
        return _float_text(value)
    if isinstance(value, (int, ObjectId, Decimal128)):
        return "" if str(value) == "NaN" else str(value)
    if isinstance(value, Binary) and _is_uuid(value):
        return str(value.as_uuid(value.subtype))
    return _missing(value, expected="a text")


def _float_text(value: float) -> str:
    if math.isnan(value):
        return ""
    is_whole = value.is_integer() and abs(value) < 1e15
    return str(int(value)) if is_whole else repr(value)


def _date_text(value: datetime) -> str:
    if value.tzinfo is not None:
        value = value.astimezone(UTC)
    stamp = value.replace(tzinfo=None)
    return stamp.isoformat(timespec="milliseconds" if stamp.microsecond else "seconds") + "Z"


def _number_text(value: str) -> str:
    text = value.strip()
    if text in MISSING_TEXTS:
        return ""
    if (
        not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?", text)
        or len(text) > 400
    ):
        raise MisfitError(f"{_shown(value)} is not a number")
    return _exact(int(text)) if re.fullmatch(r"[+-]?[0-9]+", text) else _double_text(float(text))


def _decimal_text(value: Decimal) -> str:
    if value.is_nan():
        return ""
    if value.is_finite() and value == value.to_integral_value():
        return _exact(int(value)) if value.adjusted() < 400 else _double_text(math.inf)
    return _double_text(float(value))


def _double_text(value: float) -> str:
    if math.isnan(value):
        return ""
    if math.isinf(value):
        raise MisfitError("an infinite number, or one beyond the range of a double")
    return repr(value)


def _exact(value: int) -> str:
    if abs(value) > EXACT_INTEGERS:
        raise MisfitError(
            f"{_shown(value)} is an integer beyond 2^53, which no double holds exactly"
        )
    return str(int(value))


def _is_uuid(value: Any) -> bool:
    return isinstance(value, Binary) and value.subtype == UUID_SUBTYPE and len(value) == 16


def _missing(value: Any, *, expected: str) -> str:
    """The empty cell for a missing value.

    Anything else is of a type that the column cannot hold.
    """
    if value is None:
        return ""
    names = {
        dict: "a document",
        list: "an array",
        datetime: "a date",
        DatetimeMS: "a date out of range",
        bytes: "binary data",
    }
    raise MisfitError(
        f"{names.get(type(value), 'a value of type ' + type(value).__name__)} where {expected} is"
        " expected"
    )


def _shown(value: Any) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else text[:57] + "..."
