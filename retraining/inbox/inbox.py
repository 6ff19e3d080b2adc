"""The three data folders as a cycle uses them: what waits in the inbox is claimed, refused or
archived.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from retraining.errors import NOTHING_CHANGED, StoreError
from retraining.folders.disks import place_of
from retraining.folders.file_moves import holds
from retraining.inbox.listing import Listing, entries_of, is_data, look
from retraining.kill_points import kill_point
from retraining.phrases import how_many

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from pathlib import Path
    from typing import Self

    from retraining.folders.local_state import LocalState
    from retraining.inbox.archive import Archive
    from retraining.inbox.quarantine import Quarantine
    from retraining.records import DataFile
    from retraining.settings import Settings

DRY_CLAIMS = "claimed"  # in `.retraining/`: where a dry run copies to
SPARE_BYTES = 10_000_000  # for the store and what a cycle notes
BYTES_OF_A_REASON = 4096  # a block of most disks, though the text is shorter


class Waiting(NamedTuple):
    """The ready files by what is known of their bytes.

    `fresh`, `judged` and `copies` map name -> SHA-256, by arrival.
    """

    fresh: Mapping[str, str]
    judged: Mapping[str, str]
    copies: Mapping[str, str]
    listing: Listing


class Inbox:
    """The three folders of a project; `claims` is where copies stand while a cycle reads them.

    Attributes:
        durable: whether a move waits for the disk; replay plays on scratch folders and need not.
        now: the clock that ages of files are told by, in seconds.
    """

    def __init__(
        self,
        settings: Settings,
        state: LocalState,
        durable: bool = True,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.settings = settings
        self.state = state
        self.durable = durable
        self.now = now

    def under(self, settings: Settings) -> Self:
        """The inbox of the same project under other settings."""
        return type(self)(settings, self.state, self.durable, self.now)

    @property
    def claims(self) -> Path:
        """Copies of claimed files, on the archive's file system."""
        from retraining.inbox.claiming import CLAIMS

        return self.settings.used_data_dir / CLAIMS

    @property
    def _archive(self) -> Archive:
        from retraining.inbox.archive import Archive  # a closed gate moves no file

        return Archive(self.settings.used_data_dir, self.state, self.durable)

    @property
    def _quarantine(self) -> Quarantine:
        from retraining.inbox.quarantine import Quarantine

        return Quarantine(self.settings.quarantine_dir, self.durable)

    # --- what waits -------------------------------------------------------------------------------
    def listing(self) -> Listing:
        """Look at the inbox without opening a file.

        Raises:
            FolderGoneError: the folder is not there.
        """
        return look(
            self.settings.new_data_dir,
            "NEW_DATA_DIR",
            self.settings.min_file_age_seconds,
            self.now(),
        )

    def waiting(self, judged: Collection[str], known: Collection[str]) -> Waiting:
        """Sort the ready files by content: `judged` digests, copies of `known` ones or of each
        other, and fresh ones.
        """
        listing = self.listing()
        digests = self.state.digests_by_stamp(self.settings.new_data_dir, listing.stamps)
        fresh: dict[str, str] = {}
        old: dict[str, str] = {}
        copies: dict[str, str] = {}
        seen: set[str] = set()
        for name, sha in digests.items():
            if sha in known or sha in seen:
                copies[name] = sha
            elif sha in judged:
                old[name] = sha
            else:
                fresh[name] = sha
            seen.add(sha)
        return Waiting(fresh, old, copies, listing)

    def contents(self) -> tuple[dict[str, str], tuple[str, ...]]:
        """What stands in the inbox whatever its age, since bytes that are known are whole: SHA-256
        -> name.

        Also the paths, there and in the archive, of files that could not be read.
        """
        names_by_folder: dict[str, dict[str, str]] = {}
        unread: list[str] = []
        for folder, setting in (
            (self.settings.new_data_dir, "NEW_DATA_DIR"),
            (self.settings.used_data_dir, "USED_DATA_DIR"),
        ):
            names = [entry.name for entry in entries_of(folder, setting) if is_data(entry)]
            digests = self.state.digests(folder, names)
            names_by_folder[setting] = {sha: name for name, sha in digests.items()}
            unread += [
                str(folder / name)
                for name in names
                if name not in digests and os.path.lexists(folder / name)
            ]
        return names_by_folder["NEW_DATA_DIR"], tuple(unread)

    # --- claiming ---------------------------------------------------------------------------------
    def claim(self, names: Iterable[str]) -> tuple[DataFile, ...]:
        """Copy files aside while hashing them.

        One that changed or vanished meanwhile is left for the next cycle.
        """
        from retraining.inbox.claiming import copy_aside

        self.claims.mkdir(parents=True, exist_ok=True)
        claimed: dict[str, DataFile] = {}
        for name in names:
            file = copy_aside(self.settings.new_data_dir / name, self.claims)
            if file is not None:
                claimed.setdefault(file.sha256, file)
        return tuple(claimed.values())

    def claimed_copies(self) -> dict[str, Path]:
        """SHA-256 -> the copy of each file that is claimed now."""
        return {path.name.partition(".")[0]: path for path in self.claims.glob("*")}

    def check_space_for(self, names: Iterable[str]) -> None:
        """Refuse to claim what the archive's disk has no room to copy.

        Raises:
            StoreError: with what is free and what is needed.
        """
        folder = self.settings.used_data_dir
        _must_have_room(folder, SPARE_BYTES + self._bytes_of(names), "this cycle")

    def check_space_to_refuse(self, names: Collection[str]) -> None:
        """See whether quarantine's disk has room for these files, each with its reason.

        Raises:
            StoreError: with what is free and what is needed.
        """
        place = place_of(self.settings.quarantine_dir)
        needed = BYTES_OF_A_REASON * len(names)
        if place.stat().st_dev != self.settings.new_data_dir.stat().st_dev:
            needed += self._bytes_of(names)  # a rename on one disk takes none
        _must_have_room(place, needed, f"refusing {how_many(len(names), 'file')}")

    def _bytes_of(self, names: Iterable[str]) -> int:
        size = 0
        for name in names:
            with suppress(FileNotFoundError):
                size += (self.settings.new_data_dir / name).lstat().st_size
        return size

    def release(self) -> None:
        """Remove what was claimed."""
        remove_folder(self.claims)

    def sweep(self) -> None:
        """Remove what dead processes left: claimed copies, and half of what they put into
        quarantine.
        """
        self.release()
        remove_folder(self.state.folder / DRY_CLAIMS)
        self._quarantine.sweep()

    def check_rights(self, unchanged: str = NOTHING_CHANGED) -> None:
        """Look whether files can be moved, before one is.

        `unchanged` is what an error says of that.

        Raises:
            FolderClosedError: one of the folders may not be written to.
        """
        from retraining.inbox.rights import check_rights

        check_rights(self.settings, unchanged)

    # --- refusing ---------------------------------------------------------------------------------
    def refuse(self, name: str, reason: str, sha256: str | None = None) -> bool:
        """Move a file from the inbox into quarantine, its reason beside it.

        False where it is gone or holds other bytes now.
        """
        source = self.settings.new_data_dir / name
        if sha256 is not None and not holds(source, sha256):
            return False
        if not os.path.lexists(source):
            return False
        self.quarantine(source, reason, sha256, folder="inbox")
        kill_point("after_refusal")
        return True

    def quarantine(self, source: Path, reason: str, sha256: str | None, *, folder: str) -> Path:
        """Move any file into quarantine under a free name, its reason beside it.

        `folder` is where it comes from.
        """
        return self._quarantine.put(source, reason, sha256, folder=folder, when=self.now())

    def requeue(self, path: Path) -> Path:
        """Move a file from quarantine back to the inbox under a free name; its reason goes."""
        return self._quarantine.send_back(path, self.settings.new_data_dir)

    def quarantined(self) -> tuple[Path, ...]:
        """The files in quarantine, without their reasons."""
        return self._quarantine.files()

    # --- archiving --------------------------------------------------------------------------------
    def archived(self) -> dict[str, list[str]]:
        """SHA-256 -> names in the archive."""
        return self._archive.contents()

    def with_archive_names(self, files: Iterable[DataFile]) -> tuple[DataFile, ...]:
        """The files under the names that they will have in the archive: another file's name is
        never taken.
        """
        return self._archive.named(files)

    def archive(self, file: DataFile, original: str | None) -> bool:
        """Link a claimed copy into the archive under the file's name, then remove the original from
        the inbox.

        May be repeated. An original whose bytes are others by now is a new delivery and stays.
        Returns whether anything moved.
        """
        added = self._archive.add(file)
        kill_point("after_rename")
        removed = original is not None and self.remove_archived(original, file.sha256)
        return added or removed

    def remove_archived(self, name: str, sha256: str) -> bool:
        """Remove a file from the inbox whose bytes are in the archive already.

        Whether it was there.
        """
        source = self.settings.new_data_dir / name
        if not holds(source, sha256):
            return False
        source.unlink()
        return True


def _must_have_room(folder: Path, needed: int, what_for: str) -> None:
    disk = os.statvfs(folder)
    free = disk.f_bavail * disk.f_frsize
    if free < needed:
        raise StoreError(
            f"The disk of {folder} has {free:,} bytes free; {what_for} needs {needed:,}.",
            remedy="Free some space; the next start goes on from here.",
        )


def remove_folder(folder: Path) -> None:
    """Remove a folder with all in it, if it is there."""
    import shutil

    shutil.rmtree(folder, ignore_errors=True)
