"""Keeps a recipe from ending the job's process without a word, and has a crash of compiled code say
where it was.
"""

from __future__ import annotations

import faulthandler
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator

STDERR = 2


@contextmanager
def no_sudden_end() -> Iterator[None]:
    """Make `os._exit` raise SystemExit meanwhile, and a segmentation fault print the lines of
    Python that led there.

    Processes that the recipe forks may end as they like: `multiprocessing` ends its workers by
    `os._exit`.
    """
    really_exit, ours = os._exit, os.getpid()

    def refuse(status: int) -> NoReturn:
        if os.getpid() != ours:
            really_exit(status)
        raise SystemExit(f"os._exit({status!r}) would end the whole job")

    watched = faulthandler.is_enabled()
    if not watched:
        faulthandler.enable(STDERR, all_threads=False)
    os._exit = refuse
    try:
        yield
    finally:
        os._exit = really_exit
        if not watched:
            faulthandler.disable()
