"""What a BSON value becomes in a cell, type by type.

Values go through BSON's bytes, as they come from a server.
"""

from __future__ import annotations

import math
import uuid
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import bson
import pytest
from bson import Binary, Code, Decimal128, Int64, MaxKey, ObjectId, Regex, Timestamp
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.datetime_ms import DatetimeMS

from retraining.sources.mongodb.bson_cells import LONGEST_CELL, MisfitError, cell_of

TOLERANT = CodecOptions(
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
    unicode_decode_error_handler="surrogateescape",
)
MIDNIGHT = datetime(2026, 11, 20, tzinfo=UTC)
OBJECT_ID = ObjectId("6b00dfd7accd3cd542d009d3")
UUID = uuid.UUID("12345678-1234-5678-1234-567812345678")


def from_bson(value: Any) -> Any:
    return bson.decode(bson.encode({"value": value}), TOLERANT)["value"]


@pytest.mark.parametrize(
    ("kind", "value", "cell"),
    [
        ("number", 7, "7"),
        ("number", Int64(7), "7"),
        ("number", 2**53, "9007199254740992"),
        ("number", -0.1, "-0.1"),
        ("number", 1e300, "1e+300"),
        ("number", 2.0**60, "1.152921504606847e+18"),
        ("number", True, "1"),
        ("number", None, ""),
        ("number", math.nan, ""),
        ("number", "12.50", "12.5"),
        ("number", " 007 ", "7"),
        ("number", "N/A", ""),
        ("number", Decimal128("0.1"), "0.1"),
        ("number", Decimal128("1E+3"), "1000"),
        ("number", Decimal128("3.00"), "3"),
        ("number", Decimal128("-1E-6000"), "-0.0"),
        ("number", Decimal128("NaN"), ""),
        ("boolean", True, "true"),
        ("boolean", 0, "false"),
        ("boolean", 1.0, "true"),
        ("boolean", -0.0, "false"),
        ("boolean", Decimal128("1.0"), "true"),
        ("boolean", math.nan, ""),
        ("boolean", "TRUE", "true"),
        ("boolean", "NULL", ""),
        ("boolean", None, ""),
        ("string", "007", "007"),
        ("string", "NA", "NA"),
        ("string", "", ""),
        ("string", None, ""),
        ("string", 7, "7"),
        ("string", 7.0, "7"),
        ("string", 7.5, "7.5"),
        ("string", Int64(2**60), "1152921504606846976"),
        ("string", Decimal128("7.50"), "7.50"),
        ("string", True, "true"),
        ("string", MIDNIGHT, "2026-11-20T00:00:00Z"),
        ("string", MIDNIGHT + timedelta(milliseconds=5), "2026-11-20T00:00:00.005Z"),
        ("string", MIDNIGHT.astimezone(timezone(timedelta(hours=5))), "2026-11-20T00:00:00Z"),
        ("string", OBJECT_ID, str(OBJECT_ID)),
        ("string", Binary.from_uuid(UUID), str(UUID)),
        ("integer", 1, "1"),
        ("integer", 1.0, "1"),
        ("integer", "1.0", "1"),
        ("integer", Decimal128("2"), "2"),
        ("integer", True, "1"),
        ("integer", None, ""),
    ],
)
def test_value_that_fits_becomes_the_text_of_its_kind(kind: Any, value: Any, cell: str) -> None:
    assert cell_of(kind)(from_bson(value)) == cell


@pytest.mark.parametrize(
    ("kind", "value", "reason"),
    [
        ("number", Int64(2**53 + 1), "is an integer beyond 2^53"),
        ("number", "9007199254740993", "is an integer beyond 2^53"),
        ("number", Decimal128("9007199254740993"), "is an integer beyond 2^53"),
        ("number", math.inf, "infinite"),
        ("number", "1e400", "infinite"),
        ("number", Decimal128("1E+6000"), "infinite"),
        ("number", Decimal128("-Infinity"), "infinite"),
        ("number", "fast", "'fast' is not a number"),
        ("number", "1,234", "'1,234' is not a number"),
        ("number", "٣", "is not a number"),
        ("number", [1], "an array where a number is expected"),
        ("number", {"a": 1}, "a document where a number is expected"),
        ("number", MIDNIGHT, "a date where a number is expected"),
        ("number", b"\1", "binary data where a number is expected"),
        ("boolean", 2, "2 is neither true nor false"),
        ("boolean", "yes", "'yes' is neither true nor false"),
        ("boolean", [], "an array where a boolean is expected"),
        ("string", ["a"], "an array where a text is expected"),
        ("string", Code("x = 1"), "a value of type Code"),
        ("string", Regex("a+"), "a value of type Regex"),
        ("string", Timestamp(1, 1), "a value of type Timestamp"),
        ("string", MaxKey(), "a value of type MaxKey"),
        ("string", DatetimeMS(2**60), "a date out of range"),
        ("string", "a\0b", "a NUL character"),
        ("string", "x" * (LONGEST_CELL + 1), "100,001 characters"),
        ("integer", 1.5, "1.5 is not a whole number"),
        ("integer", "yes", "'yes' is not a number"),
    ],
)
def test_value_that_does_not_fit_is_refused_with_its_reason(
    kind: Any, value: Any, reason: str
) -> None:
    with pytest.raises(MisfitError, match=reason.replace("^", r"\^")):
        cell_of(kind)(from_bson(value))
