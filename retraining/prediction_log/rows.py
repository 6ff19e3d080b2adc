"""What an answered request leaves in the log, and the ids of rows that came without one."""

from __future__ import annotations

import json
import math
import os
import struct
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from retraining.prediction_log.tables import LAYOUT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

TICKS = 4096  # in a millisecond: the twelve bits that RFC 9562 leaves for a finer clock


@dataclass(frozen=True, slots=True)
class AnsweredRequest:
    """One request with its answer; sequences hold an element for each row, in the caller's order.

    `features` are JSON values by column: the schema's columns, None or NaN where missing, and the
    ignored ones that were sent. `predictions` are texts, as a CSV would hold them. `size` (bytes)
    is about what the rows take in memory.
    """

    request_id: str
    request_time: datetime
    model_version: int
    prediction_ids: Sequence[str]
    ids_are_the_callers: bool
    features: Mapping[str, Sequence[Any]]
    predictions: Sequence[str]
    classes: Sequence[Any] | None = None
    probabilities: Sequence[Sequence[float]] | None = None
    execution_ms: float = 0.0
    client_request_id: str | None = None
    trace_id: str | None = None
    caller: str | None = None
    size: int = 0

    def records(self, model_name: str) -> list[dict[str, Any]]:
        """The rows of `predictions`, by column."""
        of_the_request = {
            "model_name": model_name,
            "request_id": _storable(self.request_id),
            "client_request_id": _storable(self.client_request_id),
            "trace_id": _storable(self.trace_id),
            "request_time": self.request_time,
            "model_version": self.model_version,
            "classes": None if self.classes is None else json_text(self.classes),
            "execution_ms": self.execution_ms,
            "caller": _storable(self.caller),
            "schema_version": LAYOUT,
            "label_waits": 0,
        }
        return [of_the_request | of_the_row for of_the_row in self._of_the_rows()]

    def _of_the_rows(self) -> Iterator[dict[str, Any]]:
        names = tuple(self.features)
        by_row = zip(*(_plain(values) for values in self.features.values()), strict=True)
        features = [json_text(dict(zip(names, values, strict=True))) for values in by_row]
        for index, prediction_id in enumerate(self.prediction_ids):
            probabilities = None if self.probabilities is None else self.probabilities[index]
            yield {
                "prediction_id": prediction_id,
                "row_index": index,
                "features": features[index],
                "prediction": _storable(self.predictions[index]),
                "probabilities": None if probabilities is None else json_text(probabilities),
            }


def _plain(values: Sequence[Any]) -> Sequence[Any]:
    """An array as a list: JSON is made of Python's own numbers several times as fast."""
    return values.tolist() if isinstance(values, np.ndarray) else values


def json_text(value: Any) -> str:
    """A value as JSON; what JSON has no word for, such as NaN, is null."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY).decode()
    except TypeError:  # a whole number beyond 64 bits, half of a surrogate pair
        return json.dumps(_without_nan(value), separators=(",", ":"), default=str)


def _without_nan(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {name: _without_nan(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_nan(inner) for inner in value]
    return value


def _storable(text: str | None) -> str | None:
    """The text without what UTF-8 and PostgreSQL cannot hold."""
    if text is None or text.isascii():
        return text if text is None else text.replace("\0", "")
    return text.encode("utf-8", "replace").decode().replace("\0", "")


class TimeOrderedIds:
    """Makes ids that sort by the time they were made: version 7 of RFC 9562, in hexadecimal.

    Safe to share among threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def take(self, count: int) -> list[str]:
        """That many ids, each greater than all that this object gave before."""
        now = time.time_ns() * TICKS // 1_000_000
        with self._lock:
            first = max(now, self._last + 1)
            self._last = first + count - 1
        chances = struct.unpack(f"{count}Q", os.urandom(8 * count))
        return list(map(_uuid7, range(first, first + count), chances))


def _uuid7(ticks: int, chance: int) -> str:
    milliseconds, fraction = divmod(ticks, TICKS)
    chance &= 2**62 - 1
    value = milliseconds << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | chance
    return f"{value:032x}"
