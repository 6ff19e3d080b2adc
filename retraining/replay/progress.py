"""A bar on a terminal: how much of a replay is done."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from retraining.console.progress import WIPE, bar

if TYPE_CHECKING:
    from typing import TextIO


@dataclass
class Progress:
    """Counts cycles played.

    Draws where `terminal` is one, and is silent elsewhere (a cron mail, a pipe).
    """

    total: int
    terminal: TextIO | None
    what: str = "cycles"
    started: float = field(default_factory=time.monotonic)
    done: int = 0

    def __post_init__(self) -> None:
        if self.terminal is not None and not self.terminal.isatty():
            self.terminal = None

    def tick(self) -> None:
        """One more cycle was played."""
        self.done += 1
        if self.terminal is not None:
            seconds_each = (time.monotonic() - self.started) / self.done
            left = seconds_each * (self.total - self.done)
            counted = f"{bar(self.done, self.total)} {self.done:,} of {self.total:,} {self.what}"
            self.terminal.write(f"\r{counted}, {left / 60:.1f} min left ")
            self.terminal.flush()

    def clear(self) -> None:
        """Take the bar away."""
        if self.terminal is not None and self.done:
            self.terminal.write(WIPE)
            self.terminal.flush()
