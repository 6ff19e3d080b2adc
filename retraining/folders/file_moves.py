"""Files from name to name: never overwriting, whole or not at all, known by their bytes.

Standard library only.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import PurePath
from typing import TYPE_CHECKING

from retraining.folders.local_state import sha256_of, stamp_of

if TYPE_CHECKING:
    from pathlib import Path

LONGEST_NAME = 255  # bytes, on the file systems of Linux
LONGEST_STEM = 200  # leaves room for a digest and for what stands beside a refused file


def holds(path: Path, sha256: str) -> bool:
    """Whether a regular file stands at `path` with those bytes, and stayed so while they were
    read.
    """
    try:
        before = path.lstat()
        return (
            stat.S_ISREG(before.st_mode) and sha256_of(path) == sha256 and unchanged(path, before)
        )
    except FileNotFoundError:
        return False


def unchanged(path: Path, before: os.stat_result) -> bool:
    """Whether the file at `path` is still as it was when it was looked at."""
    try:
        return stamp_of(path.lstat()) == stamp_of(before)
    except FileNotFoundError:
        return False


def with_digest(name: str, sha256: str) -> str:
    """A file name that tells its bytes apart from others of the same name."""
    stem, ending = split_ending(name)
    if len(os.fsencode(stem)) > LONGEST_STEM:
        stem = os.fsencode(stem)[:LONGEST_STEM].decode("utf-8", "ignore")
    return f"{stem}-{sha256[:12]}{ending}"


def split_ending(name: str) -> tuple[str, str]:
    """A file name before its ending, and the ending that says how it is read: `.csv.gz` is one."""
    path = PurePath(name)
    if path.suffix.lower() != ".gz":
        return path.stem, path.suffix
    inner = PurePath(path.stem)
    return inner.stem, inner.suffix + path.suffix


def link(source: Path, target: Path) -> None:
    """A second name for the same bytes, never overwriting.

    A copy where the file system knows no links.
    """
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EXDEV, errno.EMLINK):
            raise
        aside = source.with_name(f"{source.name}.tmp")  # among the claimed copies, which are swept
        _copy(source, aside)
        aside.rename(target)


def move(source: Path, target: Path) -> None:
    """Rename; across file systems copy aside, then rename, then remove."""
    try:
        source.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        aside = target.with_name(f".{target.name}.tmp")
        _copy(source, aside)
        aside.rename(target)
        source.unlink()


def _copy(source: Path, target: Path) -> None:
    """A copy that is on the disk when this returns; a link stays a link."""
    import shutil

    shutil.copy2(source, target, follow_symlinks=False)
    if not target.is_symlink():
        with target.open("rb") as copy:
            os.fsync(copy.fileno())


def exported_name(stem: str, number: int, sha256: str, suffix: str) -> str:
    """The name of a file that a source exports: its number, and the digest of its bytes.

    >>> exported_name("predictions", 7, "e3b0c44298fc1c14", "csv")
    'predictions-00000007-e3b0c44298fc.csv'
    """
    return f"{stem}-{number:08d}-{sha256[:12]}.{suffix}"


def free_path(folder: Path, name: str, sha256: str | None, *, room: int = 0) -> Path:
    """A path in `folder` that nothing stands at, whose name could be `room` bytes longer."""
    told_apart = with_digest(name, sha256 or os.urandom(8).hex())
    stem, ending = split_ending(told_apart)
    numbered = (f"{stem}-{n}{ending}" for n in range(2, 10_000))
    for candidate in (name, told_apart, *numbered):
        fits = len(os.fsencode(candidate)) + room <= LONGEST_NAME
        if fits and not os.path.lexists(folder / candidate):
            return folder / candidate
    raise FileExistsError(errno.EEXIST, "no name is free beside this one", str(folder / name))
