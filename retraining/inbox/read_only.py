# ruff: noqa: ARG002 - the verbs keep the arguments of the inbox's
"""The data folders for whoever moves nothing: a dry run, and the commands that read."""

from __future__ import annotations

import os
from functools import cached_property
from typing import TYPE_CHECKING

from retraining.errors import NOTHING_CHANGED
from retraining.folders.file_moves import holds
from retraining.folders.local_state import writable_or_own
from retraining.inbox.inbox import DRY_CLAIMS, Inbox

if TYPE_CHECKING:
    from pathlib import Path

    from retraining.records import DataFile


class ReadOnlyInbox(Inbox):
    """The three folders for whoever moves nothing; files are copied into `.retraining/` to be read.

    What would be moved is answered as if it were.
    """

    @cached_property
    def claims(self) -> Path:
        """Copies of claimed files, outside the three folders.

        A reader may have to use their own.
        """
        return writable_or_own(self.state.folder / DRY_CLAIMS)

    def sweep(self) -> None:
        """Remove the copies of an earlier dry run."""
        self.release()

    def check_rights(self, unchanged: str = NOTHING_CHANGED) -> None:
        """Nothing: no right is needed to read."""

    def refuse(self, name: str, reason: str, sha256: str | None = None) -> bool:
        """Whether the file is there to be refused."""
        source = self.settings.new_data_dir / name
        return os.path.lexists(source) if sha256 is None else holds(source, sha256)

    def quarantine(self, source: Path, reason: str, sha256: str | None, *, folder: str) -> Path:
        """Nothing: the file stays where it is."""
        return source

    def archive(self, file: DataFile, original: str | None) -> bool:
        """Whether there is a file in the inbox to be archived."""
        return original is not None

    def remove_archived(self, name: str, sha256: str) -> bool:
        """Nothing: the file stays."""
        return False
