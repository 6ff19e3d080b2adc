"""Where refused and withdrawn files stand, each with its reason beside it: `name.csv` and
`name.csv.reason.json`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from retraining.folders.disks import sync
from retraining.folders.file_moves import free_path, move
from retraining.folders.local_state import sha256_of
from retraining.folders.quarantine_notes import REASON_SUFFIX, ROOM, Note, path_of_note, write_note

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Quarantine:
    """The folder; it is made when the first file is put there."""

    folder: Path
    durable: bool

    def put(
        self, source: Path, reason: str, sha256: str | None, *, folder: str, when: float
    ) -> Path:
        """Move any file here under a free name: the reason is there before the file is.

        `folder` is where it comes from, `when` is in seconds.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        target = free_path(self.folder, source.name, sha256, room=ROOM)
        note = Note(source.name, sha256, reason, folder, when)
        write_note(target, note, durable=self.durable)
        move(source, target)
        if self.durable:
            sync(self.folder)
        return target

    def send_back(self, path: Path, inbox: Path) -> Path:
        """Move a file back to the inbox under a free name; its reason goes."""
        target = free_path(inbox, path.name, sha256_of(path))
        move(path, target)
        if self.durable:
            sync(inbox)
        path_of_note(path).unlink(missing_ok=True)
        return target

    def files(self) -> tuple[Path, ...]:
        """The files, without their reasons."""
        if not self.folder.is_dir():
            return ()
        paths = sorted(self.folder.iterdir())
        return tuple(
            p for p in paths if not p.name.startswith(".") and not p.name.endswith(REASON_SUFFIX)
        )

    def sweep(self) -> None:
        """Remove what dead processes left: notes cut short, and notes whose file never came or was
        sent back.
        """
        for note in self.folder.glob(f"*{REASON_SUFFIX}"):
            if not os.path.lexists(self.folder / note.name.removesuffix(REASON_SUFFIX)):
                note.unlink(missing_ok=True)
        for aside in self.folder.glob(".*.tmp"):
            aside.unlink(missing_ok=True)
