"""The files of an export on their way into the folders, so that each row is delivered exactly once.

The order of an export, which every source keeps:

1. `set_aside`: the file is written beside where it will stand, whole and on the disk, named by the
   digest of its bytes.
2. The source *claims* the rows: it notes name and digest of the file with them, in one transaction
   of its own.
3. `publish`: the file gets its name.
4. The source notes that it was delivered.

A start that finds claims without that note calls `finish` for each: a file that is aside gets its
name, one that stands in a folder was delivered, and the rows of one that is nowhere are given back.
Then `discard_all_aside` removes what was set aside and never claimed.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from retraining.errors import FolderGoneError, StoreError
from retraining.folders.disks import sync
from retraining.folders.quarantine_notes import Note, write_note

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from retraining.settings import Settings


class Claimed(Protocol):
    """What a source noted with the rows that it claimed, of the one file that they are in."""

    @property
    def file(self) -> str:
        """The name that it gets."""

    @property
    def sha256(self) -> str:
        """The digest of its bytes."""

    @property
    def size(self) -> int:
        """Its length in bytes."""

    @property
    def refused(self) -> bool:
        """Whether it is one of refused rows, for quarantine."""

    @property
    def reason(self) -> str:
        """Why they are refused."""

    @property
    def prepared_at(self) -> datetime:
        """When it was written."""


class Named(Protocol):
    """Who delivers: a source, or the service that is handed whole batches."""

    @property
    def key(self) -> str:
        """One lower-case word, of nobody else: what is set aside is named by it."""

    @property
    def name(self) -> str:
        """What people call it, in messages."""


@dataclass(frozen=True)
class Outbox:
    """The folders that an export writes to (`inbox`, `quarantine`), and where what it wrote may be
    found later (`archive` too).

    `key` and `name` are those of whoever delivers.
    """

    key: str
    name: str
    inbox: Path
    archive: Path
    quarantine: Path
    minimum_age: float  # seconds, MIN_FILE_AGE_SECONDS

    @classmethod
    def of(cls, source: Named, settings: Settings) -> Outbox:
        """The folders of a project, for one of its sources.

        Raises:
            FolderGoneError: the inbox or the archive is not there, so nobody could tell what was
                delivered before.
        """
        inbox, archive = settings.new_data_dir, settings.used_data_dir
        for folder, setting in ((inbox, "NEW_DATA_DIR"), (archive, "USED_DATA_DIR")):
            if not folder.is_dir():
                raise FolderGoneError(
                    f"The folder {folder} ({setting}) is not there; nothing was exported from"
                    f" {source.name}.",
                    remedy=(
                        "Mount or create the folder, or correct the setting; an unmounted disk is"
                        " the usual cause."
                    ),
                )
        return cls(
            source.key,
            source.name,
            inbox,
            archive,
            settings.quarantine_dir,
            settings.min_file_age_seconds,
        )

    def set_aside(self, content: bytes, *, refused: bool, now: datetime) -> str:
        """Write the bytes beside where they will stand, and to the disk; returns their SHA-256.

        They are ready for a cycle at once: who copies a file of somebody else's sees first that it
        is no longer being written.

        Raises:
            StoreError: the disk is full or refuses; what was written is removed again.
        """
        sha256 = hashlib.sha256(content).hexdigest()
        path = self._aside(sha256, refused=refused)
        # The minimum age guards against files that are still being written; these are whole when
        # they get their name.
        born = now.timestamp() - self.minimum_age - 1
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _write_to_disk(path, content, born)
        except OSError as error:
            with suppress(OSError):
                path.unlink()
            raise StoreError(
                f"An export from {self.name} cannot be written to {path.parent}: {error.strerror}.",
                unchanged="Its rows are not marked as delivered; nothing is half-delivered.",
                remedy="Free some space or mend the permissions; the next start exports them.",
            ) from error
        return sha256

    def path_aside(self, sha256: str, *, refused: bool) -> Path:
        """Where a file that was set aside can be read."""
        return self._aside(sha256, refused=refused)

    def publish(self, claimed: Claimed) -> None:
        """Give a file that was set aside its name; a refused one gets its reason first."""
        if claimed.refused:
            self._write_reason(claimed)
        aside = self._aside(claimed.sha256, refused=claimed.refused)
        aside.replace(aside.with_name(claimed.file))
        sync(aside.parent)

    def finish(self, claimed: Claimed) -> bool:
        """What a dead export left: whether the file was delivered, or is now.

        False: its bytes are nowhere here.
        """
        if self._is_aside(claimed):
            self.publish(claimed)
            return True
        return self.stands(claimed)

    def discard_all_aside(self) -> None:
        """Remove what a dead export of this source set aside and never claimed."""
        for folder in (self.inbox, self.quarantine):
            for path in _files(folder):
                if path.match(self._aside_name("*")):
                    path.unlink(missing_ok=True)

    def discard(self, sha256: str, *, refused: bool) -> None:
        """Remove one file that was set aside."""
        self._aside(sha256, refused=refused).unlink(missing_ok=True)

    def _is_aside(self, claimed: Claimed) -> bool:
        return _holds(self._aside(claimed.sha256, refused=claimed.refused), claimed)

    def stands(self, claimed: Claimed) -> bool:
        """Whether the bytes stand in the inbox, the archive or quarantine, under any name."""
        folders = (self.inbox, self.archive, self.quarantine)
        paths = (path for folder in folders for path in _files(folder))
        return any(_holds(path, claimed) for path in paths)

    def _aside(self, sha256: str, *, refused: bool) -> Path:
        folder = self.quarantine if refused else self.inbox
        return folder / self._aside_name(sha256)

    def _aside_name(self, sha256: str) -> str:
        return f".{self.key}-{sha256}.tmp"

    def _write_reason(self, claimed: Claimed) -> None:
        when = claimed.prepared_at.timestamp()
        note = Note(claimed.file, claimed.sha256, claimed.reason, self.key, when)
        write_note(self.quarantine / claimed.file, note, durable=True)


def _write_to_disk(path: Path, content: bytes, modified: float) -> None:
    with path.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.utime(stream.fileno(), (modified, modified))
        os.fsync(stream.fileno())


def _files(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        with os.scandir(folder) as entries:
            yield from [
                Path(entry.path) for entry in entries if entry.is_file(follow_symlinks=False)
            ]


def _holds(path: Path, claimed: Claimed) -> bool:
    try:
        if path.stat().st_size != claimed.size:  # most files are told apart without being read
            return False
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest() == claimed.sha256
    except FileNotFoundError:
        return False
