"""The last start of `run` that failed or was refused, noted in `.retraining/` until one ends well.

Standard library only.

A start that fails before its cycle has a run leaves nothing in the registry: without this note only
cron's mail would tell of it.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from retraining.folders.local_state import LocalState

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

NAME = "failed_start"
LOCK_HELD = 75  # the start that holds the lock speaks for itself


class FailedStart(NamedTuple):
    """When it ended, with which code, what failed, and what to try."""

    ended: str
    exit_code: int
    what: str
    remedy: str

    def in_words(self) -> str:
        """One line for people."""
        return (
            f"{self.ended[:16].replace('T', ' ')} exit {self.exit_code}: {self.what} Try:"
            f" {self.remedy}"
        )


def note_failed_start(folder: Path, ended: datetime, code: int, what: str, remedy: str) -> None:
    """Write the note into a project's `.retraining/`.

    A disk that refuses it does not hide the failure itself.
    """
    if code == LOCK_HELD:
        return
    note = FailedStart(ended.isoformat(timespec="seconds"), code, what, remedy)
    with suppress(OSError):
        LocalState(folder).write(NAME, note._asdict())


def forget_failed_start(folder: Path) -> None:
    """Remove the note: a start ended well."""
    with suppress(OSError):
        LocalState(folder).drop(NAME)


def last_failed_start(folder: Path) -> FailedStart | None:
    """The note, or None where the last start ended well."""
    found = LocalState(folder).read(NAME)
    try:
        return None if found is None else FailedStart(**found)
    except TypeError:  # written by another version of this job
        return None
