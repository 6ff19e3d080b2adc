"""Whether two texts are one value that was written in two ways: `1` and `1.0`, `yes` and `Yes `,
`<=50K` and `<=50K.`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_WHOLE_NUMBER = re.compile(r"([+-]?)0*([0-9]+)([.,]0*)?")


def spelling_key(text: str) -> str:
    """What a text is once case, spaces around it, a full stop at its end and the form of a whole
    number are left aside.

    >>> spelling_key(" <=50K.") == spelling_key("<=50k")
    True
    >>> spelling_key("1.0") == spelling_key("01") == spelling_key("1")
    True
    """
    bare = " ".join(text.split()).casefold()
    number = _WHOLE_NUMBER.fullmatch(bare)
    if number is not None:
        sign = "-" if number[1] == "-" else ""
        return sign + number[2]
    return bare.rstrip(". ") or bare


def known_by_spelling(known: Iterable[str]) -> Mapping[str, str]:
    """Spelling key -> the known text that has it, the first of several."""
    by_key: dict[str, str] = {}
    for text in known:
        by_key.setdefault(spelling_key(text), text)
    return by_key
