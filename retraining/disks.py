"""What a disk refuses, and where this user may write. Standard library only."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_FULL = (errno.ENOSPC, errno.EDQUOT)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)


def is_full(error: BaseException) -> bool:
    """Whether a disk, or this user's share of it, had no room."""
    return isinstance(error, OSError) and error.errno in _FULL


def is_forbidden(error: BaseException) -> bool:
    """Whether this user lacks a right, or the disk is mounted read-only."""
    return isinstance(error, OSError) and error.errno in _FORBIDDEN


def place_of(folder: Path) -> Path:
    """The folder itself, or the nearest one above it that is there, in which it would be made."""
    return next(path for path in (folder, *folder.parents) if os.access(path, os.F_OK))


def may_write_in(folder: Path) -> bool:
    """Whether this user may make, rename and remove files there."""
    return os.access(folder, os.W_OK | os.X_OK)
