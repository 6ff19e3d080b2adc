"""The last start of `run` that failed, was refused or was killed, noted in `.retraining/` until one
ends well.

Standard library only.

A start that fails before its cycle has a run leaves nothing in the registry: without this note only
cron's mail would tell of it. One that is killed can say nothing: so each start that passes the gate
notes at once that it was killed, and takes that back at its end.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from retraining.folders.local_state import LocalState
from retraining.folders.lock import is_held

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

NAME = "failed_start"
LOCK_HELD = 75  # the start that holds the lock speaks for itself


class FailedStart(NamedTuple):
    """When it ended, with which code, what failed, and what to try.

    One that was killed has no code, and is told by the time when it passed the gate.
    """

    ended: str
    exit_code: int | None
    what: str
    remedy: str

    def in_words(self) -> str:
        """One line for people."""
        when = self.ended[:16].replace("T", " ")
        code = "" if self.exit_code is None else f" exit {self.exit_code}"
        return f"{when}{code}: {self.what} Try: {self.remedy}"


def note_failed_start(folder: Path, ended: datetime, code: int, what: str, remedy: str) -> None:
    """Write the note into a project's `.retraining/`.

    A disk that refuses it does not hide the failure itself.
    """
    if code == LOCK_HELD:
        return
    _write(folder, FailedStart(ended.isoformat(timespec="seconds"), code, what, remedy))


def note_begun_start(folder: Path, begun: datetime) -> None:
    """Note a start that passes the gate, as it is told if it never says how it ended."""
    what = (
        f"The start (process {os.getpid()}) ended without a message: it was killed, the machine"
        " stopped, or memory ran out."
    )
    remedy = "Start it again: the next start finishes or undoes what this one began."
    _write(folder, FailedStart(begun.isoformat(timespec="seconds"), None, what, remedy))


def _write(folder: Path, note: FailedStart) -> None:
    with suppress(OSError):
        LocalState(folder).write(NAME, note._asdict())


def forget_failed_start(folder: Path) -> None:
    """Remove the note: a start ended well."""
    with suppress(OSError):
        LocalState(folder).drop(NAME)


def last_failed_start(folder: Path) -> FailedStart | None:
    """The note, or None where the last start ended well, or runs at this moment."""
    found = LocalState(folder).read(NAME)
    try:
        note = None if found is None else FailedStart(**found)
    except TypeError:  # written by another version of this job
        return None
    if note is not None and note.exit_code is None and is_held(folder):
        return None
    return note
