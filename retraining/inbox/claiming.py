"""A copy of one file that its sender may still be touching: whole, of one moment, known by its
digest.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

from retraining.folders.file_moves import split_ending, unchanged
from retraining.folders.local_state import CHUNK
from retraining.kill_points import kill_point

if TYPE_CHECKING:
    from pathlib import Path

    from retraining.records import DataFile

CLAIMS = ".claimed"  # a folder in the archive's


def copy_aside(source: Path, claims: Path) -> DataFile | None:
    """Copy a file into `claims` under its digest.

    None where it changed or vanished meanwhile, or is no regular file any more.
    """
    import hashlib

    from retraining.records import DataFile

    descriptor = _open_regular(source)
    if descriptor is None:
        return None
    with os.fdopen(descriptor, "rb") as stream:
        before = os.fstat(stream.fileno())
        aside = claims / f"{os.urandom(8).hex()}.tmp"
        digest = hashlib.sha256()
        with aside.open("xb") as copy:
            while chunk := stream.read(CHUNK):
                digest.update(chunk)
                copy.write(chunk)
    kill_point("during_claim")
    if not unchanged(source, before):
        aside.unlink()
        return None
    # the archive keeps the time of arrival
    os.utime(aside, ns=(before.st_atime_ns, before.st_mtime_ns))
    target = claims / (digest.hexdigest() + split_ending(source.name)[1].lower())
    aside.replace(target)
    return DataFile(source.name, digest.hexdigest(), target)


def _open_regular(source: Path) -> int | None:
    """A descriptor, without following a link or waiting for the other end of a FIFO."""
    try:
        descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except (FileNotFoundError, PermissionError):
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:  # it became a link since the listing
            return None
        raise
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    return None
