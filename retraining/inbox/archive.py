"""Where learned files stand, by their bytes: names are never taken from another file, and nothing
is overwritten.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from retraining.folders.disks import sync
from retraining.folders.file_moves import free_path, holds, link, with_digest
from retraining.inbox.listing import entries_of, why_not_read

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from retraining.folders.local_state import LocalState
    from retraining.records import DataFile


@dataclass(frozen=True)
class Archive:
    """The folder, with the digests that this machine knows of its files."""

    folder: Path
    state: LocalState
    durable: bool

    def contents(self) -> dict[str, list[str]]:
        """SHA-256 -> names.

        A file whose stamp did not change since the last look is not read again.
        """
        names = [
            entry.name
            for entry in entries_of(self.folder, "USED_DATA_DIR")
            if why_not_read(entry) is None
        ]
        found: dict[str, list[str]] = {}
        for name, sha in sorted(self.state.digests(self.folder, names).items()):
            found.setdefault(sha, []).append(name)
        return found

    def named(self, files: Iterable[DataFile]) -> tuple[DataFile, ...]:
        """The files under the names that they will have here."""
        taken: set[str] = set()
        named = []
        for file in files:
            name = file.name if file.name not in taken else with_digest(file.name, file.sha256)
            target = self.folder / name
            if os.path.lexists(target) and not holds(target, file.sha256):
                name = with_digest(file.name, file.sha256)
            taken.add(name)
            named.append(replace(file, name=name))
        return tuple(named)

    def add(self, file: DataFile) -> bool:
        """Link a claimed copy to the file's name; may be repeated.

        Returns whether it was not there.
        """
        target = self.folder / file.name
        if os.path.lexists(target) and not holds(target, file.sha256):
            target = free_path(self.folder, file.name, file.sha256)
        missing = not os.path.lexists(target)
        if missing:
            if self.durable:
                sync(file.path)
            link(file.path, target)
        if self.durable:
            sync(self.folder)
        return missing
