"""What a cycle may take of this machine: its memory, and OpenMP's threads.

Standard library only, until threads are counted.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

CGROUPS = Path("/sys/fs/cgroup")
UNITS = {"K": 2**10, "M": 2**20, "G": 2**30}
MANY_ROWS = 100_000  # fewer are through in a second with one thread


class _Shared:
    """How many cycles this machine works on at once: told by whoever started them, else one."""

    cycles = 1


def share_with(cycles: int) -> None:
    """Say that this process is one of so many cycles at once on this machine."""
    _Shared.cycles = cycles


def half_a_share() -> int:
    """Half of what this machine grants, in bytes, divided by the cycles at once.

    The other half is for the packages, what a cycle holds beside its rows, and other programs.
    """
    return granted() // 2 // _Shared.cycles


def granted() -> int:
    """The bytes of this machine's memory, or of its control group where that has a limit."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([machine, *_limits(Path("/proc/self/cgroup"), CGROUPS)])


def _limits(membership: Path, root: Path) -> Iterator[int]:
    """The limits of this process's control groups and of those above them."""
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return  # no Linux
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if controllers == "":
            top, name = root, "memory.max"
        elif "memory" in controllers.split(","):
            top, name = root / "memory", "memory.limit_in_bytes"
        else:
            continue
        folder = top / group.lstrip("/")
        # in a container the group's name may be the host's: then only the top is there
        for place in (folder, *folder.parents):
            if place.is_relative_to(top):
                yield from _limit_in(place / name)


def _limit_in(file: Path) -> Iterator[int]:
    try:
        text = file.read_text().strip()
    except OSError:
        return
    if text.isdecimal():  # not `max`
        yield int(text)


def size_in_words(size: float) -> str:
    """A number of bytes as people read it.

    >>> size_in_words(2_400_000_000), size_in_words(8_400_000), size_in_words(700)
    ('2.4 GB', '8.4 MB', '700 bytes')
    """
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size:.0f} bytes"


@contextmanager
def threads_for(rows: int) -> Iterator[None]:
    """One OpenMP thread for few rows; what OMP_NUM_THREADS says goes before that.

    Boosting's loops are short: with few rows a second thread costs more than it brings. A thread
    that waits must not spin meanwhile. Beside two busy processes it would hold up the very thread
    that it waits for. `cli.ENVIRONMENT_DEFAULTS` sees to that before the libraries load
    (`python -m bench.threads` prints both fits).
    """
    if "OMP_NUM_THREADS" in os.environ or rows >= MANY_ROWS:
        yield
        return
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1, user_api="openmp"):
        yield
