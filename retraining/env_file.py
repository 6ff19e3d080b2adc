"""Reads `.env` files, and finds the setting that a misspelt name was meant to be.

Standard library only.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_LINE = r"""(?x)\s*(?:export\s+)?(?P<name>[A-Za-z_][A-Za-z0-9_.]*)\s*=\s*
        (?:"(?P<double>(?:[^"\\]|\\.)*)"
          |'(?P<single>[^']*)'
          |(?P<bare>[^#\s"'](?:(?!\s\#).)*)?
        )\s*(?:\#.*)?"""


def read_env_file(path: Path) -> tuple[dict[str, str], list[str]]:
    """The names and values of a `.env` file (none where there is no file), and a problem for each
    line that is no `NAME=value`.
    """
    if not path.exists():
        return {}, []
    if not path.is_file():
        return {}, [f"{path.name}: not a file"]
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        return {}, [f"{path.name}: cannot be read ({error})"]
    values, problems = {}, []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = re.fullmatch(_LINE, line)
        if match is None:
            problems.append(
                f"{path.name} line {number}: not NAME=value, or a quote that is not closed"
            )
        elif match["double"] is not None:
            values[match["name"]] = re.sub(
                r"\\(.)", lambda m: {"n": "\n", "t": "\t"}.get(m[1], m[1]), match["double"]
            )
        else:
            values[match["name"]] = (
                match["single"] if match["single"] is not None else (match["bare"] or "").strip()
            )
    return values, problems


def nearest_name(name: str, known: Iterable[str]) -> list[str]:
    """A problem where `name` is one or two letters from a known name, else nothing.

    >>> nearest_name("METRC", ["METRIC", "MODEL_NAME"])
    ['METRC: unknown; did you mean METRIC?']
    """
    distances = {
        other: _edits(name.upper(), other) for other in known if abs(len(other) - len(name)) <= 2
    }
    nearest = min(distances, key=lambda other: (distances[other], other), default=None)
    if nearest is None or distances[nearest] > 2:
        return []
    return [f"{name}: unknown; did you mean {nearest}?"]


def _edits(one: str, other: str) -> int:
    """Levenshtein distance: insertions, deletions and substitutions (Levenshtein 1966)."""
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, start=1):
        diagonal, row[0] = row[0], i
        for j, b in enumerate(other, start=1):
            substituted = diagonal + (a != b)
            diagonal = row[j]
            row[j] = min(row[j] + 1, row[j - 1] + 1, substituted)
    return row[-1]
