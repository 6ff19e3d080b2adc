"""A bar on the terminal for steps whose end is known.

It is for people: wiped when the step is through, and never on a log.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable
    from typing import TextIO

    T = TypeVar("T")

WIDTH = 30  # characters
PATIENCE, PAUSE = 1.0, 0.1  # seconds: shorter steps show nothing; between two pictures
WIPE = "\r\x1b[K"


def watched(
    items: Iterable[T],
    total: int,
    what: str,
    terminal: TextIO,
    clock: Callable[[], float] = time.monotonic,
) -> Generator[T, None, None]:
    """The items, one by one, while a bar tells how many of `total` were worked on."""
    began = drawn = clock()
    try:
        for done, item in enumerate(items, start=1):
            yield item
            now = clock()
            if now - began >= PATIENCE and now - drawn >= PAUSE:
                terminal.write(WIPE + picture(done, total, what))
                terminal.flush()
                drawn = now
    finally:
        if drawn > began:
            terminal.write(WIPE)
            terminal.flush()


def picture(done: int, total: int, what: str) -> str:
    """`  [######........]  6 of 14 files`."""
    return f"  {bar(done, total)}  {done:,} of {total:,} {what}"


def bar(done: int, total: int) -> str:
    """The part that is done, `WIDTH` characters between brackets.

    >>> bar(1, 3)
    '[##########....................]'
    """
    filled = WIDTH * min(done, total) // max(total, 1)
    return f"[{'#' * filled}{'.' * (WIDTH - filled)}]"
