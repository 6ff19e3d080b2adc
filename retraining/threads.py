"""How many threads OpenMP gets.

Boosting's loops are short, and a thread that waits for the others spins: on two cores that others used too, a fit of 12,000 rows took
1 s with one thread and 12 s with two, and one of 200,000 rows 6 s and 60 s. Alone on the machine, two are at best twice as fast.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from threadpoolctl import threadpool_limits

if TYPE_CHECKING:
    from collections.abc import Iterator

MANY_ROWS = 100_000  # fewer are through in a second with one thread


@contextmanager
def threads_for(rows: int) -> Iterator[None]:
    """One OpenMP thread for few rows, or where others keep the cores busy; what OMP_NUM_THREADS says goes before that."""
    if "OMP_NUM_THREADS" in os.environ or (rows >= MANY_ROWS and not _busy()):
        yield
        return
    with threadpool_limits(1, user_api="openmp"):
        yield


def _busy() -> bool:
    """Whether fewer than half of the cores were idle over the last minute."""
    return os.getloadavg()[0] > len(os.sched_getaffinity(0)) / 2
