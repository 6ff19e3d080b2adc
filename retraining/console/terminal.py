"""How text is laid out for a terminal: labelled lines, wrapped at its width.

Standard library only: a closed gate prints too.
"""

from __future__ import annotations

import os
import sys

NARROWEST, USUAL, WIDEST = 40, 80, 100
_KEPT = "\0"  # a space where no line may end


def columns() -> int:
    """The width to wrap at: COLUMNS, else the terminal's, else 80.

    Long lines are hard to read, so never more than 100.
    """
    given = os.environ.get("COLUMNS", "")
    try:
        if given.isdigit():
            width = int(given)
        elif sys.__stdout__:
            width = os.get_terminal_size(sys.__stdout__.fileno()).columns
        else:
            width = 0
    except (OSError, ValueError):  # not a terminal, or closed
        width = 0
    return max(NARROWEST, min(width or USUAL, WIDEST))


def labelled(label: str, text: str, width: int, *, room: int, indent: str = "") -> list[str]:
    """`label`, padded to `room` columns, with `text` wrapped beside it.

    A word or a command (in backticks) is left whole, to be copied.
    """
    first = f"{indent}{label:<{room}} "
    if len(first) + len(text) <= width and "  " not in text:
        return [first + text]
    import textwrap

    margin, parts = " " * len(first), text.split("`")
    parts[1::2] = [part.replace(" ", _KEPT) for part in parts[1::2]]
    wrapped = textwrap.wrap(
        "`".join(parts),
        max(width, NARROWEST),
        initial_indent=first,
        subsequent_indent=margin,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace(_KEPT, " ") for line in wrapped] or [first.rstrip()]
