"""Times of the log: UTC, to the microsecond; as text they sort like the moments they stand for.

Standard library only.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache


@lru_cache(maxsize=1024)  # the rows of a request have one time
def text_of(moment: datetime) -> str:
    """An aware time as the log's text, `YYYY-MM-DDTHH:MM:SS.ffffffZ`.

    >>> text_of(datetime(2026, 3, 1, 12, tzinfo=UTC))
    '2026-03-01T12:00:00.000000Z'
    """
    plain = moment.astimezone(UTC).replace(tzinfo=None)
    return plain.isoformat(timespec="microseconds") + "Z"


def time_in(text: str) -> datetime:
    """The aware time that `text_of` wrote.

    >>> time_in("2026-03-01T12:00:00.000000Z")
    datetime.datetime(2026, 3, 1, 12, 0, tzinfo=datetime.timezone.utc)
    """
    return datetime.fromisoformat(text).astimezone(UTC)
