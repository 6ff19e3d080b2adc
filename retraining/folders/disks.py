"""What a disk refuses, where this user may write, and how a file is written whole.

Standard library only.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
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


def sync(path: Path) -> None:
    """Wait until a file, or a folder's names, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_whole(path: Path, content: str | bytes, *, durable: bool = False) -> None:
    """Write a file beside its name, then rename it: who reads the name finds the old content or the
    new one, never a part.

    Args:
        path: where it will stand; a process that dies on the way leaves `.<name>.tmp` beside it.
        content: a text is written as UTF-8.
        durable: whether the bytes are to be on the disk before the name is.

    Raises:
        OSError: it cannot be written; its `filename` is set, and nothing is left behind.
    """
    aside = path.with_name(f".{path.name}.tmp")
    try:
        aside.write_bytes(content if isinstance(content, bytes) else content.encode())
        if durable:
            sync(aside)
        aside.replace(path)
    except OSError as error:
        error.filename = error.filename or str(aside)  # a full disk does not say which
        with suppress(OSError):
            aside.unlink()
        raise
