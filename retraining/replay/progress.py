"""A bar on a terminal: how much of a replay is done."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TextIO

WIDTH = 30


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
            left = (time.monotonic() - self.started) / self.done * (self.total - self.done)
            filled = WIDTH * self.done // self.total
            bar = "#" * filled + "." * (WIDTH - filled)
            self.terminal.write(
                f"\r[{bar}] {self.done:,} of {self.total:,} {self.what}, {left / 60:.1f} min left "
            )
            self.terminal.flush()

    def clear(self) -> None:
        """Take the bar away."""
        if self.terminal is not None and self.done:
            self.terminal.write("\r\x1b[K")
            self.terminal.flush()
