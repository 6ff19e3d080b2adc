"""How many threads OpenMP gets.

Boosting's loops are short. With few rows a second thread costs more than it brings, so they get
one. A thread that waits must not spin meanwhile: beside two busy processes it would hold up the
very thread that it waits for. `cli.ENVIRONMENT_DEFAULTS` sees to that before the libraries load
(`python -m bench.threads` prints both fits).
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
    """One OpenMP thread for few rows; what OMP_NUM_THREADS says goes before that."""
    if "OMP_NUM_THREADS" in os.environ or rows >= MANY_ROWS:
        yield
        return
    with threadpool_limits(1, user_api="openmp"):
        yield
