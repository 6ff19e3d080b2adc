"""The data folders: list what waits, claim it, refuse it, archive it. Never parses rows. Standard library only.

A file is known by the SHA-256 of its bytes. What a cycle reads are copies, made while hashing: a producer may overwrite a file in
place, and what was learned must be what gets archived.
"""

from __future__ import annotations

import errno
import json
import os
import stat
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, NamedTuple

from retraining.errors import FolderGoneError, StoreError
from retraining.file_moves import free_path, holds, link, move, unchanged, with_digest
from retraining.kill_points import kill_point
from retraining.local_state import CHUNK, LocalState, sha256_of, stamp_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from retraining.records import DataFile
    from retraining.settings import Settings

READ_SUFFIXES = (".csv", ".parquet")
UNFINISHED_SUFFIXES = (".tmp", ".part")
NO_PERMISSION = "no permission to read it"
REASON_SUFFIX = ".reason.json"
SPARE_BYTES = 10_000_000  # for the store and what a cycle notes


class Listing(NamedTuple):
    """What stands in the inbox: `ready` names by arrival, links to refuse, names that are not read with the reason."""

    ready: tuple[str, ...]
    links: tuple[str, ...]
    skipped: Mapping[str, str]


class Waiting(NamedTuple):
    """The ready files by what is known of their bytes; `fresh`, `judged` and `copies` map name -> SHA-256, by arrival."""

    fresh: Mapping[str, str]
    judged: Mapping[str, str]
    copies: Mapping[str, str]
    listing: Listing


@dataclass(frozen=True, eq=False, repr=False)
class Inbox:
    """The three folders of a project; `claims` is where copies stand while a cycle reads them."""

    settings: Settings
    state: LocalState
    dry_run: bool = False
    durable: bool = True  # replay plays on scratch folders and needs no fsync
    now: Callable[[], float] = time.time

    @property
    def claims(self) -> Path:
        """Copies of claimed files, on the archive's file system; a dry run touches nothing but `.retraining/`."""
        return self.state.folder / "claimed" if self.dry_run else self.settings.used_data_dir / ".claimed"

    # --- listing --------------------------------------------------------------------------------------------------------
    def listing(self) -> Listing:
        """Look at the inbox without opening a file.

        Raises:
            FolderGoneError: the folder is not there.
        """
        entries = _entries(self.settings.new_data_dir, "NEW_DATA_DIR")
        ready: list[tuple[int, str]] = []
        links, skipped, ahead = [], {}, []
        for entry in entries:
            kind = _why_not_read(entry)
            if entry.is_symlink():
                links.append(entry.name)
            elif kind is not None:
                skipped.update({entry.name: kind} if kind else {})
            else:
                with suppress(FileNotFoundError):
                    found = entry.stat(follow_symlinks=False)
                    age = self.now() - found.st_mtime
                    if self.settings.min_file_age_seconds == 0 or age >= self.settings.min_file_age_seconds:
                        ready.append((found.st_mtime_ns, entry.name))
                    elif age < 0:
                        ahead.append((entry, found))
                    else:
                        skipped[entry.name] = "younger than MIN_FILE_AGE_SECONDS"
        ready += self._stable(ahead, skipped)
        return Listing(tuple(name for _, name in sorted(ready)), tuple(sorted(links)), skipped)

    def _stable(self, ahead: list[tuple[os.DirEntry[str], os.stat_result]], skipped: dict[str, str]) -> list[tuple[int, str]]:
        """A time in the future says nothing of a file's age (a clock went back): it is ready when a second look finds it unchanged."""
        if not ahead:
            return []
        time.sleep(min(1.0, self.settings.min_file_age_seconds))
        stable = []
        for entry, before in ahead:
            try:
                after = Path(entry.path).lstat()
            except FileNotFoundError:
                continue
            if stamp_of(after) == stamp_of(before):
                stable.append((after.st_mtime_ns, entry.name))
            else:
                skipped[entry.name] = "still changing"
        return stable

    def waiting(self, judged: Collection[str], known: Collection[str]) -> Waiting:
        """Sort the ready files by content: `judged` digests, copies of `known` ones or of each other, and fresh ones."""
        listing = self.listing()
        digests = self.state.digests(self.settings.new_data_dir, listing.ready)
        fresh: dict[str, str] = {}
        old: dict[str, str] = {}
        copies: dict[str, str] = {}
        seen: set[str] = set()
        for name in listing.ready:
            sha = digests.get(name)
            if sha is None:
                continue
            place = copies if sha in known or sha in seen else old if sha in judged else fresh
            place[name] = sha
            seen.add(sha)
        return Waiting(fresh, old, copies, listing)

    # --- claiming -------------------------------------------------------------------------------------------------------
    def claim(self, names: Iterable[str]) -> tuple[DataFile, ...]:
        """Copy files aside while hashing them; one that changed or vanished meanwhile is left for the next cycle."""
        self.claims.mkdir(parents=True, exist_ok=True)
        claimed: dict[str, DataFile] = {}
        for name in names:
            file = self._claim(name)
            if file is not None:
                claimed.setdefault(file.sha256, file)
        return tuple(claimed.values())

    def _claim(self, name: str) -> DataFile | None:
        import hashlib

        from retraining.records import DataFile

        source = self.settings.new_data_dir / name
        try:
            descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except (FileNotFoundError, PermissionError):
            return None
        except OSError as error:
            if error.errno == errno.ELOOP:  # it became a link since the listing
                return None
            raise
        with os.fdopen(descriptor, "rb") as stream:
            before = os.fstat(stream.fileno())
            if not stat.S_ISREG(before.st_mode):
                return None
            aside = self.claims / f"{os.urandom(8).hex()}.tmp"
            digest = hashlib.sha256()
            with aside.open("xb") as copy:
                while chunk := stream.read(CHUNK):
                    digest.update(chunk)
                    copy.write(chunk)
        kill_point("during_claim")
        if not unchanged(source, before):
            aside.unlink()
            return None
        os.utime(aside, ns=(before.st_atime_ns, before.st_mtime_ns))  # the archive keeps the time of arrival
        target = self.claims / (digest.hexdigest() + PurePath(name).suffix.lower())
        aside.replace(target)
        return DataFile(name, digest.hexdigest(), target)

    def release(self) -> None:
        """Remove what was claimed."""
        import shutil

        shutil.rmtree(self.claims, ignore_errors=True)

    def sweep(self) -> None:
        """Remove what dead processes left: claimed copies, notes cut short, and notes whose file never came or was sent back."""
        self.release()
        if self.dry_run:
            return
        replace(self, dry_run=True).release()
        folder = self.settings.quarantine_dir
        for note in folder.glob(f"*{REASON_SUFFIX}"):
            if not os.path.lexists(folder / note.name.removesuffix(REASON_SUFFIX)):
                note.unlink(missing_ok=True)
        for aside in folder.glob(".*.tmp"):
            aside.unlink(missing_ok=True)

    # --- refusing -------------------------------------------------------------------------------------------------------
    def refuse(self, name: str, reason: str, sha256: str | None = None) -> bool:
        """Move a file from the inbox into quarantine, its reason beside it; False where it is gone or holds other bytes now."""
        source = self.settings.new_data_dir / name
        if sha256 is not None and not holds(source, sha256):
            return False
        if self.dry_run or not os.path.lexists(source):
            return os.path.lexists(source)
        self.quarantine(source, reason, sha256, folder="inbox")
        kill_point("after_refusal")
        return True

    def quarantine(self, source: Path, reason: str, sha256: str | None, *, folder: str) -> Path:
        """Move any file into quarantine under a free name: the reason is there before the file is."""
        self.settings.quarantine_dir.mkdir(parents=True, exist_ok=True)
        target = free_path(self.settings.quarantine_dir, source.name, sha256, beside=f".{REASON_SUFFIX}.tmp")
        note = {"file": source.name, "sha256": sha256, "reason": reason, "from": folder, "refused": _utc(self.now())}
        aside = self.settings.quarantine_dir / f".{target.name}{REASON_SUFFIX}.tmp"
        content = json.dumps(note, indent=1, ensure_ascii=False) + "\n"
        aside.write_text(content, encoding="utf-8", errors="backslashreplace")  # a name need not be UTF-8
        self._sync(aside)
        aside.replace(self.settings.quarantine_dir / (target.name + REASON_SUFFIX))
        move(source, target)
        self._sync(self.settings.quarantine_dir)
        return target

    def requeue(self, path: Path) -> Path:
        """Move a file from quarantine back to the inbox under a free name; its reason goes."""
        target = free_path(self.settings.new_data_dir, path.name, sha256_of(path))
        move(path, target)
        self._sync(self.settings.new_data_dir)
        path.with_name(path.name + REASON_SUFFIX).unlink(missing_ok=True)
        return target

    def quarantined(self) -> tuple[Path, ...]:
        """The files in quarantine, without their reasons."""
        if not self.settings.quarantine_dir.is_dir():
            return ()
        paths = sorted(self.settings.quarantine_dir.iterdir())
        return tuple(p for p in paths if not p.name.startswith(".") and not p.name.endswith(REASON_SUFFIX))

    # --- archiving ------------------------------------------------------------------------------------------------------
    def contents(self) -> tuple[dict[str, str], tuple[str, ...]]:
        """What stands in the inbox whatever its age, since bytes that are known are whole: SHA-256 -> name.

        Also the paths, there and in the archive, of files that could not be read.
        """
        found: dict[str, dict[str, str]] = {}
        unread: list[str] = []
        for folder, setting in ((self.settings.new_data_dir, "NEW_DATA_DIR"), (self.settings.used_data_dir, "USED_DATA_DIR")):
            names = [entry.name for entry in _entries(folder, setting) if _is_data(entry)]
            digests = self.state.digests(folder, names)
            found[setting] = {sha: name for name, sha in digests.items()}
            unread += [str(folder / name) for name in names if name not in digests and os.path.lexists(folder / name)]
        return found["NEW_DATA_DIR"], tuple(unread)

    def archived(self) -> dict[str, list[str]]:
        """SHA-256 -> names in the archive; a file whose stamp did not change since the last look is not read again."""
        names = [entry.name for entry in _entries(self.settings.used_data_dir, "USED_DATA_DIR") if _why_not_read(entry) is None]
        found: dict[str, list[str]] = {}
        for name, sha in sorted(self.state.digests(self.settings.used_data_dir, names).items()):
            found.setdefault(sha, []).append(name)
        return found

    def with_archive_names(self, files: Iterable[DataFile]) -> tuple[DataFile, ...]:
        """The files under the names that they will have in the archive: another file's name is never taken."""
        taken: set[str] = set()
        named = []
        for file in files:
            name = file.name if file.name not in taken else with_digest(file.name, file.sha256)
            target = self.settings.used_data_dir / name
            if os.path.lexists(target) and not holds(target, file.sha256):
                name = with_digest(file.name, file.sha256)
            taken.add(name)
            named.append(replace(file, name=name))
        return tuple(named)

    def archive(self, file: DataFile, original: str | None) -> bool:
        """Link a claimed copy into the archive under the file's name, then remove the original from the inbox.

        May be repeated. An original whose bytes are others by now is a new delivery and stays. Returns whether the inbox lost a file.
        """
        if self.dry_run:
            return original is not None
        target = self.settings.used_data_dir / file.name
        if os.path.lexists(target) and not holds(target, file.sha256):
            target = free_path(self.settings.used_data_dir, file.name, file.sha256)
        if not os.path.lexists(target):
            self._sync(file.path)
            link(file.path, target)
        self._sync(self.settings.used_data_dir)
        kill_point("after_rename")
        if original is None:
            return False
        source = self.settings.new_data_dir / original
        if not holds(source, file.sha256):
            return False
        source.unlink()
        return True

    def remove_archived(self, name: str, sha256: str) -> bool:
        """Remove a file from the inbox whose bytes are in the archive already; whether it was there."""
        source = self.settings.new_data_dir / name
        if self.dry_run or not holds(source, sha256):
            return False
        source.unlink()
        return True

    def _sync(self, path: Path) -> None:
        if self.durable:
            descriptor = os.open(path, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def check_space_for(self, names: Iterable[str]) -> None:
        """Refuse to claim what the archive's disk has no room to copy.

        Raises:
            StoreError: with what is free and what is needed.
        """
        sizes = []
        for name in names:
            with suppress(FileNotFoundError):
                sizes.append((self.settings.new_data_dir / name).lstat().st_size)
        self._check_space(sum(sizes) + SPARE_BYTES)

    def _check_space(self, needed: int) -> None:
        disk = os.statvfs(self.settings.used_data_dir)
        free = disk.f_bavail * disk.f_frsize
        if free < needed:
            raise StoreError(
                f"The disk of {self.settings.used_data_dir} has {free:,} bytes free; this cycle needs {needed:,}.",
                remedy="Free some space; the next start goes on from here.",
            )


def _entries(folder: Path, setting: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError as error:
        raise FolderGoneError(
            f"The folder {folder} ({setting}) cannot be read: {error.strerror}.",
            remedy="Mount or create the folder, or correct the setting; an unmounted disk is the usual cause.",
        ) from error


def _why_not_read(entry: os.DirEntry[str]) -> str | None:
    """None for a file that is read; else why not, empty where that goes without saying."""
    name = entry.name.lower()
    if name.startswith(".") or name.endswith(UNFINISHED_SUFFIXES) or entry.is_dir(follow_symlinks=False):
        return ""
    if not entry.is_file(follow_symlinks=False) and not entry.is_symlink():
        return "not a regular file"
    if not name.endswith(READ_SUFFIXES):
        return "neither .csv nor .parquet"
    if not os.access(entry.path, os.R_OK) and not entry.is_symlink():
        return NO_PERMISSION
    return None


def _is_data(entry: os.DirEntry[str]) -> bool:
    """Whether it is a file that would be read, had we the permission."""
    return not entry.is_symlink() and _why_not_read(entry) in (None, NO_PERMISSION)


def _utc(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
