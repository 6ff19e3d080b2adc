"""One cycle at a time: a kernel lock on a file that is never unlinked. Standard library only."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from retraining.errors import FolderGoneError, LockHeldError
from retraining.folders.disks import is_full, may_write_in, place_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOOKS_WAITED_FOR = 1000


@contextmanager
def one_cycle_at_a_time(state_dir: Path) -> Iterator[None]:
    """Hold the project's lock; the kernel lets go of it however the process ends.

    Raises:
        LockHeldError: another process holds it; the message names its pid and start.
    """
    try:
        state_dir.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(state_dir / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        if is_full(error):
            raise
        raise _not_opened(state_dir, error) from error
    try:
        if not _taken(descriptor):
            raise _held_by(os.pread(descriptor, 1000, 0), state_dir)
        holder = {
            "pid": os.getpid(),
            "started": time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime()),
        }
        with suppress(OSError):  # a full disk: who holds the lock cannot be told, but it is held
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, json.dumps(holder).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def why_it_cannot_be_taken(state_dir: Path) -> FolderGoneError | None:
    """The error of a start that could not open the lock; None if it can. Nothing is made."""
    try:
        os.close(os.open(state_dir / "lock", os.O_RDWR))
    except FileNotFoundError:
        if may_write_in(place_of(state_dir)):
            return None
        return _not_opened(state_dir, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))
    except OSError as error:
        return _not_opened(state_dir, error)
    return None


def _not_opened(state_dir: Path, error: OSError) -> FolderGoneError:
    lock = state_dir / "lock"
    remedy = f"Make {state_dir} a folder that this user can write."
    if isinstance(error, IsADirectoryError):
        remedy = f"Remove the folder {lock}: the job makes a file of that name."
    elif lock.is_file() and may_write_in(state_dir):
        remedy = f"Give this user the right to write {lock}: another user has made it."
    return FolderGoneError(f"The lock {lock} cannot be opened: {error.strerror}.", remedy=remedy)


def _taken(descriptor: int) -> bool:
    """Take the lock, unless another start holds it.

    Who only looks, by `is_held`, shares it for a moment: that is no cycle, and is waited for.
    """
    for _ in range(LOOKS_WAITED_FOR):
        if _flock(descriptor, fcntl.LOCK_EX):
            return True
        if not _flock(descriptor, fcntl.LOCK_SH):
            return False
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        time.sleep(0.001)
    return False


def _flock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def is_held(state_dir: Path) -> bool:
    """Whether a process holds the project's lock at this moment."""
    try:
        with (state_dir / "lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def error_while_held(state_dir: Path) -> LockHeldError | None:
    """The error of a start at this moment, which names the holder; None if there is none."""
    if not is_held(state_dir):
        return None
    return _held_by((state_dir / "lock").read_bytes(), state_dir)


def _held_by(content: bytes, state_dir: Path) -> LockHeldError:
    try:
        holder = json.loads(content)
        who = f"process {holder['pid']}, started {holder['started']}"
    except (ValueError, KeyError, TypeError):
        who = "a process that has only just started"
    return LockHeldError(
        f"Another cycle holds the lock {state_dir / 'lock'}: {who}.",
        remedy=(
            "Wait for it to end; if it hangs, look at its log in .retraining/logs/, then end that"
            " process."
        ),
    )
