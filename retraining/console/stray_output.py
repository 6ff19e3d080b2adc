"""What libraries print while a command works belongs on the log: stdout carries results only.

Standard library only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TextIO


class StrayOutput:
    """Stands in for stdout and stderr while a command works: what libraries print becomes log
    lines.
    """

    encoding = "utf-8"

    def __init__(self, real: TextIO) -> None:
        self._real = real

    def write(self, text: str) -> int:
        """Log what was printed."""
        if text.strip():
            import logging

            logging.getLogger("retraining.output").debug("%s", text.rstrip())
        return len(text)

    def flush(self) -> None:
        """Nothing is held back."""

    def isatty(self) -> bool:
        """Never a terminal."""
        return False

    def fileno(self) -> int:
        """The real stream's descriptor, for code that insists on one."""
        return self._real.fileno()
