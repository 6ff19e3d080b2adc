"""What stands in a folder, and which of it is read: told by names, kinds and ages, without opening
a file.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from retraining.errors import FolderGoneError
from retraining.folders.local_state import stamp_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from retraining.folders.local_state import Stamp

READ_SUFFIXES = (".csv", ".csv.gz", ".parquet")
UNFINISHED_SUFFIXES = (".tmp", ".part")
HIDDEN = (".", "~$")  # Excel and LibreOffice lock a file that is open by one named so
MARKERS = "_"  # Spark and Hive begin the names of their notes so: _SUCCESS, _committed_7
A_DAY = 86_400.0  # seconds
READ_BY_ALL = 0o444

TOO_YOUNG = "younger than MIN_FILE_AGE_SECONDS"
CHANGING = "still changing"
FOLDER = "a folder: files in it are not read"
NO_FILE = "not a regular file"
OTHER_FORMAT = "neither .csv, .csv.gz nor .parquet"
NO_PERMISSION = "no permission to read it"
NEVER_FINISHED = "unfinished by its name (.tmp, .part) for over a day"
GOES_WITHOUT_SAYING = ""


class Listing(NamedTuple):
    """What stands in the inbox.

    Attributes:
        stamps: of each ready file, by arrival: what `LocalState` knows its bytes by.
        links: names to refuse.
        skipped: name -> why it is not read.
    """

    stamps: Mapping[str, Stamp]
    links: tuple[str, ...]
    skipped: Mapping[str, str]

    @property
    def ready(self) -> tuple[str, ...]:
        """The names of the ready files, by arrival."""
        return tuple(self.stamps)


def look(folder: Path, setting: str, min_age: float, now: float) -> Listing:
    """List a folder that senders write to.

    A file younger than `min_age` seconds is left for the next look.

    So is one whose time lies ahead by no more than that: the clock of another machine differs.

    Each start walks this loop over all that waits, judged files too: each is looked at once.

    Raises:
        FolderGoneError: the folder is not there.
    """
    ready: list[tuple[int, str, Stamp]] = []
    links, skipped, ahead = [], {}, []
    for entry in entries_of(folder, setting):
        if entry.is_symlink():
            links.append(entry.name)
            continue
        kind = why_not_read(entry)
        if kind is None:
            status = entry.stat(follow_symlinks=False)
            age = now - status.st_mtime
            if min_age == 0 or age >= min_age:
                ready.append((status.st_mtime_ns, entry.name, stamp_of(status)))
            elif age < -min_age:
                ahead.append((entry, status))
            else:
                skipped[entry.name] = TOO_YOUNG
        elif kind != GOES_WITHOUT_SAYING:
            skipped[entry.name] = kind
        elif _was_given_up(entry, now):
            skipped[entry.name] = NEVER_FINISHED
    if ahead:
        ready += _stable(ahead, skipped, min(1.0, min_age))
    ready.sort()
    stamps = {name: stamp for _, name, stamp in ready}
    return Listing(stamps, tuple(sorted(links)), skipped)


def _stable(
    ahead: list[tuple[os.DirEntry[str], os.stat_result]], skipped: dict[str, str], pause: float
) -> list[tuple[int, str, Stamp]]:
    """A time in the future says nothing of a file's age (a clock went back): it is ready when a
    second look finds it unchanged.
    """
    time.sleep(pause)
    stable = []
    for entry, before in ahead:
        try:
            after = Path(entry.path).lstat()
        except FileNotFoundError:
            continue
        if stamp_of(after) == stamp_of(before):
            stable.append((after.st_mtime_ns, entry.name, stamp_of(after)))
        else:
            skipped[entry.name] = CHANGING
    return stable


def _was_given_up(entry: os.DirEntry[str], now: float) -> bool:
    """Whether a file that its sender names unfinished has not changed for a day."""
    if entry.name.startswith(HIDDEN) or not entry.name.lower().endswith(UNFINISHED_SUFFIXES):
        return False
    try:
        return now - entry.stat(follow_symlinks=False).st_mtime > A_DAY
    except FileNotFoundError:
        return False


def entries_of(folder: Path, setting: str) -> Iterator[os.DirEntry[str]]:
    """All that stands in a folder, one after the other: an entry keeps what was asked of it.

    Raises:
        FolderGoneError: it is not there, or may not be read.
    """
    try:
        with os.scandir(folder) as entries:
            yield from entries
    except OSError as error:
        raise FolderGoneError(
            f"The folder {folder} ({setting}) cannot be read: {error.strerror}.",
            remedy=(
                "Mount or create the folder, or correct the setting; an unmounted disk is the usual"
                " cause."
            ),
        ) from error


def why_not_read(entry: os.DirEntry[str]) -> str | None:
    """None for a file that is read.

    Else why not, `GOES_WITHOUT_SAYING` if that need not be said.
    """
    name = entry.name.lower()
    if name.startswith(HIDDEN) or name.endswith(UNFINISHED_SUFFIXES):
        return GOES_WITHOUT_SAYING
    is_link = entry.is_symlink()
    if not (is_link or entry.is_file(follow_symlinks=False)):
        return FOLDER if entry.is_dir(follow_symlinks=False) else NO_FILE
    if not name.endswith(READ_SUFFIXES):
        return GOES_WITHOUT_SAYING if name.startswith(MARKERS) else OTHER_FORMAT
    return None if is_link or _may_read(entry) else NO_PERMISSION


def _may_read(entry: os.DirEntry[str]) -> bool:
    """Whether this user may read a file.

    Where its mode lets everybody, the kernel is not asked.
    """
    try:
        mode = entry.stat(follow_symlinks=False).st_mode  # kept: who asks again pays nothing
    except OSError:  # it vanished, or stands in a folder that lists names and no more
        return False
    return mode & READ_BY_ALL == READ_BY_ALL or os.access(entry.path, os.R_OK)


def is_data(entry: os.DirEntry[str]) -> bool:
    """Whether it is a file that would be read, had we the permission."""
    return not entry.is_symlink() and why_not_read(entry) in (None, NO_PERMISSION)
