"""Rows a second for each caller.

A bucket of tokens that fills at the rate and holds a second's rows. A larger request is let in when
the bucket is full, and is paid for afterwards.

The usual limiters count requests, or keep an entry a hit; here one request may cost 10,000.
Algorithm: the token bucket of Turner, "New directions in communications", IEEE Communications
Magazine 24(10), 1986.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from retraining.serving.refusals import Refusal

if TYPE_CHECKING:
    from retraining.settings import Settings

CALLERS_KEPT = 10_000  # the one that has been silent longest goes first; its bucket is full by then


@dataclass
class _Bucket:
    rows: float  # below 0 after a request of more than a second's rows
    filled: float


def rate_limit(settings: Settings, workers: int) -> RateLimit | None:
    """The limit of one of several workers, each of which grants its share.

    None where there is none.
    """
    if settings.rate_limit is None:
        return None
    return RateLimit(settings.rate_limit / workers)


class RateLimit:
    """Takes rows from a caller's bucket. Not for several threads: the event loop alone asks.

    Args:
        rows_a_second: for each caller.
    """

    def __init__(self, rows_a_second: float) -> None:
        self._rate = rows_a_second
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, caller: str, rows: int) -> None:
        """Let a caller ask for so many rows now.

        Raises:
            Refusal: 429, the caller has to wait.
        """
        now = time.monotonic()
        bucket = self._buckets.setdefault(caller, _Bucket(self._rate, now))
        self._buckets.move_to_end(caller)
        if len(self._buckets) > CALLERS_KEPT:
            self._buckets.popitem(last=False)
        bucket.rows = min(self._rate, bucket.rows + (now - bucket.filled) * self._rate)
        bucket.filled = now
        lacking = min(rows, self._rate) - bucket.rows
        if lacking > 0:
            seconds = math.ceil(lacking / self._rate)
            message = f"More than {self._rate:g} rows a second (RATE_LIMIT, for each worker)."
            headers = {"Retry-After": str(max(1, seconds))}
            raise Refusal(429, "too_many_rows", message, headers=headers)
        bucket.rows -= rows
