"""Keeps a recipe from ending the job's process without a message."""

from __future__ import annotations

import faulthandler
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator

STDERR = 2  # its file descriptor


@contextmanager
def no_sudden_end() -> Iterator[None]:
    """Make `os._exit` raise SystemExit meanwhile, and let a crash print its Python lines.

    Nothing can stop a segmentation fault, but with these lines a person knows where it was. In
    processes that the recipe forks `os._exit` works: `multiprocessing` ends its workers by it.
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
