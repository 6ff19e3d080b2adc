"""How several things are put into one line of text. Standard library only: settings and closed gates speak too."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def first_few(texts: Iterable[str], limit: int) -> str:
    """The first texts, separated by commas, and how many more there are.

    >>> first_few(["a", "b", "c"], 2)
    'a, b and 1 more'
    """
    everything = list(texts)
    shown = ", ".join(everything[:limit])
    left_out = len(everything) - limit
    return f"{shown} and {left_out:,} more" if left_out > 0 else shown
