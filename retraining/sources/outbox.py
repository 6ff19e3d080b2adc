"""The files of an export on their way into the folders: set aside, whole and on the disk, then renamed.

A file that is set aside is named by the digest of its bytes, so a later start finds it by what the ledger says of its delivery.
"""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from retraining.errors import FolderGoneError, StoreError
from retraining.file_moves import sync

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from retraining.settings import Settings
    from retraining.sources.ledger import Delivery

ASIDE = ".mongodb-{sha256}.tmp"
REASON_SUFFIX = ".reason.json"


@dataclass(frozen=True)
class Outbox:
    """The folders that an export writes to (`inbox`, `quarantine`), and where what it wrote may be found later (`archive` too)."""

    inbox: Path
    archive: Path
    quarantine: Path
    minimum_age: float  # seconds, MIN_FILE_AGE_SECONDS

    @classmethod
    def of(cls, settings: Settings, inbox: Path) -> Outbox:
        """The folders of a project.

        Raises:
            FolderGoneError: the inbox or the archive is not there, so nobody could tell what was delivered before.
        """
        for folder, name in ((inbox, "NEW_DATA_DIR"), (settings.used_data_dir, "USED_DATA_DIR")):
            if not folder.is_dir():
                raise FolderGoneError(
                    f"The folder {folder} ({name}) is not there; nothing was exported from MongoDB.",
                    remedy="Mount or create the folder, or correct the setting; an unmounted disk is the usual cause.",
                )
        return cls(
            inbox, settings.used_data_dir, settings.quarantine_dir, settings.min_file_age_seconds
        )

    def set_aside(self, content: bytes, *, refused: bool, now: datetime) -> str:
        """Write the bytes beside where they will stand, and to the disk; returns their SHA-256.

        Raises:
            StoreError: the disk is full or refuses; what was written is removed again.
        """
        sha256 = hashlib.sha256(content).hexdigest()
        folder = self._folder(refused=refused)
        path = folder / ASIDE.format(sha256=sha256)
        # The minimum age guards against files that are still being written; these are whole when they get their name.
        born = now.timestamp() - self.minimum_age - 1
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _write_to_disk(path, content, born)
        except OSError as error:
            with suppress(OSError):
                path.unlink()
            raise StoreError(
                f"An export from MongoDB cannot be written to {folder}: {error.strerror}.",
                unchanged="Its documents are not marked as delivered; nothing is half-delivered.",
                remedy="Free some space or mend the permissions; the next start exports them.",
            ) from error
        return sha256

    def publish(self, delivery: Delivery) -> None:
        """Give a file that was set aside its name; a refused one gets its reason first."""
        folder = self._folder(refused=delivery.refused)
        if delivery.refused:
            self._write_reason(folder, delivery)
        (folder / ASIDE.format(sha256=delivery.sha256)).replace(folder / delivery.file)
        sync(folder)

    def is_aside(self, delivery: Delivery) -> bool:
        """Whether the delivery's bytes are still set aside here."""
        path = self._folder(refused=delivery.refused) / ASIDE.format(sha256=delivery.sha256)
        return _holds(path, delivery.size, delivery.sha256)

    def holds(self, delivery: Delivery) -> bool:
        """Whether the delivery's bytes stand in the inbox, the archive or quarantine, under any name."""
        paths = (
            path
            for folder in (self.inbox, self.archive, self.quarantine)
            for path in _files(folder)
        )
        return any(_holds(path, delivery.size, delivery.sha256) for path in paths)

    def discard_all_aside(self) -> None:
        """Remove what a dead export set aside and never claimed."""
        for folder in (self.inbox, self.quarantine):
            for path in _files(folder):
                if path.match(ASIDE.format(sha256="*")):
                    path.unlink(missing_ok=True)

    def discard(self, sha256: str, *, refused: bool) -> None:
        """Remove one file that was set aside."""
        (self._folder(refused=refused) / ASIDE.format(sha256=sha256)).unlink(missing_ok=True)

    def _folder(self, *, refused: bool) -> Path:
        return self.quarantine if refused else self.inbox

    def _write_reason(self, folder: Path, delivery: Delivery) -> None:
        note = {
            "file": delivery.file,
            "sha256": delivery.sha256,
            "reason": f"{len(delivery.ids)} documents of MongoDB do not fit the columns; each line has its own reason",
            "from": "mongodb",
            "refused": delivery.prepared_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        content = (json.dumps(note, indent=1) + "\n").encode()
        aside = folder / ASIDE.format(sha256=hashlib.sha256(content).hexdigest())
        _write_to_disk(aside, content, delivery.prepared_at.timestamp())
        aside.replace(folder / (delivery.file + REASON_SUFFIX))


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


def _holds(path: Path, size: int, sha256: str) -> bool:
    try:
        if path.stat().st_size != size:  # most files are told apart without being read
            return False
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest() == sha256
    except FileNotFoundError:
        return False
