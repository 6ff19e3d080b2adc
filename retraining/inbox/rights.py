"""Checks that files may be moved into a folder and out of it, before anything is learned.

After the commit it would be too late to find out.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from retraining.errors import NOTHING_CHANGED, FolderClosedError
from retraining.folders.disks import may_write_in, place_of
from retraining.inbox.claiming import CLAIMS

if TYPE_CHECKING:
    from pathlib import Path

    from retraining.settings import Settings


def check_rights(settings: Settings, unchanged: str = NOTHING_CHANGED) -> None:
    """Look whether this user may move files between a project's folders.

    `unchanged` is what an error says of that.

    Raises:
        FolderClosedError: one of them may not be written to.
    """
    _check(settings.new_data_dir, "NEW_DATA_DIR", unchanged)
    for folder in (settings.used_data_dir, settings.used_data_dir / CLAIMS):
        _check(folder, "USED_DATA_DIR", unchanged)
    _check(settings.quarantine_dir, "QUARANTINE_DIR", unchanged)


def _check(folder: Path, setting: str, unchanged: str) -> None:
    place = place_of(folder)
    if may_write_in(place):
        return
    status = place.stat()
    if os.statvfs(place).f_flag & os.ST_RDONLY:
        why, remedy = "its disk is mounted read-only", "Mount the disk for writing"
    else:
        mode = stat.filemode(status.st_mode)
        why = (
            f"the user {_name_of(os.geteuid())} may not write there, it is {mode} and belongs to"
            f" {_name_of(status.st_uid)}"
        )
        remedy = f"Give that user the right to write in {place}, or start the job as another user"
    raise FolderClosedError(
        f"No file can be moved into or out of {folder} ({setting}): {why}.",
        unchanged=unchanged,
        remedy=f"{remedy}; the next start goes on from here.",
    )


def _name_of(user: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)
