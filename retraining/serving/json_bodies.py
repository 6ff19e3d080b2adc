"""A request's body -> the JSON object in it.

A whole number stays one, however long, so that one beyond 2^53 is seen and refused.
"""

from __future__ import annotations

import json
import math
from typing import Any

import orjson

from retraining.serving.refusals import bad_request

_LONGEST_NUMBER = 400  # digits; no float has more than 309 before its point
_DIGITS_TO_ZERO = bytes.maketrans(b"123456789", b"000000000")
_PERHAPS_BEYOND_64_BITS = b"0" * 20  # digits, which orjson would read as a float


def json_object(body: bytes) -> dict[str, Any]:
    """Read a JSON object; NaN and infinities may stand where a number may, as pandas writes them.

    Raises:
        Refusal: 400, the body is no JSON, or JSON of another kind.
    """
    may_be_longer = _PERHAPS_BEYOND_64_BITS in body.translate(_DIGITS_TO_ZERO)
    found = _read_slowly(body) if may_be_longer else _read(body)
    if not isinstance(found, dict):
        raise bad_request("not_an_object", "The body is JSON, but not an object.")
    return found


def _read(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    # NaN, half a surrogate pair and 1e400 are refused by it, not by us
    except orjson.JSONDecodeError:
        return _read_slowly(body)


def _read_slowly(body: bytes) -> Any:
    try:
        return json.loads(body.decode(), parse_int=_whole_number)
    except (ValueError, RecursionError):
        raise bad_request("no_json", "The body is not valid JSON in UTF-8.") from None


def _whole_number(digits: str) -> float:
    return int(digits) if len(digits) <= _LONGEST_NUMBER else math.inf
