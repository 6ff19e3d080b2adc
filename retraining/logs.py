"""Where log lines go: stderr for people, and one file a cycle, kept for the last hundred.

Standard library only.
"""

from __future__ import annotations

import json
import logging
import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from retraining.masking import without_secrets

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import TextIO

    from retraining.settings import Settings

    # the first call sets the log up: a start that ends at the gate needs none
    OpenLog = Callable[[], "CycleLog"]

KEPT = 100
LINE = "%(asctime)s %(levelname)-7s %(message)s"
TIME = "%Y-%m-%dT%H:%M:%S"

log = logging.getLogger("retraining")  # what a cycle says


class _Redacting(logging.Formatter):
    """Text or JSON lines in which no secret stands."""

    def __init__(self, secrets: tuple[str, ...], *, as_json: bool) -> None:
        super().__init__(LINE, TIME)
        self._secrets = secrets
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        if self._as_json:
            text = json.dumps(self._fields(record), ensure_ascii=False)
        else:
            text = super().format(record)
        return without_secrets(text, self._secrets)

    def _fields(self, record: logging.LogRecord) -> dict[str, str]:
        fields = {
            "time": self.formatTime(record, TIME),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        return fields


class CycleLog(logging.Handler):
    """Holds the lines of a start until it passes the gate, then keeps them in a file: idle starts
    leave none.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(logging.DEBUG)
        self.folder = folder
        self.path: Path | None = None
        self._lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Hold a line, and write it once the file is open."""
        line = self.format(record)
        self._lines.append(line)
        if self.path is not None:
            self._write(self.path, line + "\n")

    def keep(self) -> None:
        """Write this start's lines to a file from now on, and let the oldest files go."""
        if self.path is not None:
            return
        self.path = (
            self.folder / f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{os.getpid()}.log"
        )
        self._write(self.path, "".join(line + "\n" for line in self._lines))

    def _write(self, path: Path, text: str) -> None:
        """Add to the file.

        A full disk stops no cycle here: stderr has the lines too, and the step that needs the disk
        tells.
        """
        with suppress(OSError):
            if not path.exists():
                self.folder.mkdir(parents=True, exist_ok=True)
                for old in sorted(self.folder.glob("*.log"))[: 1 - KEPT]:
                    old.unlink(missing_ok=True)
            with path.open(
                "a", encoding="utf-8", errors="backslashreplace"
            ) as stream:  # a file's name need not be text
                stream.write(text)

    def keep_failure(self, error: BaseException) -> None:
        """Log the error that ended this start, with its traceback, and keep the lines."""
        log.debug("the start failed", exc_info=error)
        self.keep()

    @property
    def lines(self) -> tuple[str, ...]:
        """All lines of this start."""
        return tuple(self._lines)


def set_up(
    settings: Settings, stderr: TextIO, *, quiet: bool, verbose: bool, log_file: Path | None
) -> CycleLog:
    """Send our lines to stderr by level, and every line to the cycle's log and to `log_file`."""
    cycle_log = CycleLog(settings.state_dir / "logs")
    cycle_log.setFormatter(_Redacting(settings.secrets(), as_json=False))
    streams = set_up_streams(settings, stderr, quiet=quiet, verbose=verbose, log_file=log_file)
    logging.getLogger().handlers[:] = [cycle_log, *streams]
    return cycle_log


def set_up_streams(
    settings: Settings, stderr: TextIO, *, quiet: bool, verbose: bool, log_file: Path | None
) -> list[logging.Handler]:
    """Send our lines to stderr by level and every line to `log_file`.

    A service keeps no other log, since it never ends.
    """
    shown = _Redacting(settings.secrets(), as_json=settings.log_format == "json")
    terminal = logging.StreamHandler(stderr)
    terminal.setFormatter(shown)
    level: int | str = settings.log_level.upper()
    if quiet:
        level = logging.ERROR
    elif verbose:
        level = logging.DEBUG
    terminal.setLevel(level)
    terminal.addFilter(
        lambda record: (
            record.name.split(".")[0] == "retraining"
            and (verbose or record.name != "retraining.output")
        )
    )
    handlers: list[logging.Handler] = [terminal]
    if log_file is not None:
        log_file.parent.mkdir(parents=True, exist_ok=True)
        to_file = logging.FileHandler(log_file, encoding="utf-8", errors="backslashreplace")
        to_file.setFormatter(_Redacting(settings.secrets(), as_json=False))
        handlers.append(to_file)
    # a handler that cannot write (a full disk) would print a traceback
    logging.raiseExceptions = False
    root = logging.getLogger()
    root.handlers[:] = handlers
    root.setLevel(logging.INFO)
    logging.getLogger("retraining").setLevel(logging.DEBUG)
    logging.captureWarnings(True)
    return handlers
