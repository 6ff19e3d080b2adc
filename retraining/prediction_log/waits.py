"""When a logged row may be exported. Standard library only: a closed gate asks it too."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime


@dataclass(frozen=True)
class Waits:
    """What a row waits for: its label, its age, and enough other rows to fill a file.

    `classes` are the texts of the known classes.
    """

    classes: tuple[str, ...]
    label_wait: timedelta = timedelta(0)  # LABEL_WAIT_DAYS
    if_silent: str | None = None  # LABEL_IF_SILENT, as the text of a class
    rows_per_file: int = 1000  # PREDICTIONS_ROWS_PER_FILE
    file_wait: timedelta = timedelta(hours=24)  # PREDICTIONS_FILE_WAIT_HOURS

    def cut(self, now: datetime) -> datetime:
        """Predictions of that time and before are old enough."""
        return now - self.label_wait

    def ready_since(self, asked: datetime, label_came: datetime | None) -> datetime:
        """Since when a row could be exported: its label is there and its wait is over."""
        wait_over = asked + self.label_wait
        return wait_over if label_came is None else max(wait_over, label_came)

    def lets_a_file_leave(self, ready_since: Sequence[datetime], now: datetime) -> bool:
        """Whether rows that are ready since those times fill a file, or have waited for others
        long enough.

        >>> from datetime import UTC, datetime
        >>> noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
        >>> evening = datetime(2026, 3, 1, 18, tzinfo=UTC)
        >>> waits = Waits(("0", "1"), rows_per_file=2, file_wait=timedelta(hours=24))
        >>> waits.lets_a_file_leave([noon], evening), waits.lets_a_file_leave([noon, noon], evening)
        (False, True)
        """
        if not ready_since:
            return False
        if len(ready_since) >= self.rows_per_file:
            return True
        return min(ready_since) <= now - self.file_wait
