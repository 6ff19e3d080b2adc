"""Texts that a person reads as a date, or as a point in time.

The pattern is in RE2's dialect: pyarrow runs it over columns.
"""

from __future__ import annotations

_MONTHS = (
    "jan(uary)?|feb(ruary)?|mar(ch)?|apr(il)?|may|june?|july?|aug(ust)?"
    "|sept?(ember)?|oct(ober)?|nov(ember)?|dec(ember)?"
)
_DAY, _MONTH, _YEAR = "(0?[1-9]|[12][0-9]|3[01])", "(0?[1-9]|1[0-2])", "((1[789]|20)[0-9]{2})"
_CLOCK = r"([01]?[0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.,][0-9]+)?)?( ?[ap]m)?"
_ZONE = r"( ?(z|utc|gmt)|[+-][0-9]{2}:?[0-9]{2})?"
_DATES = (
    f"{_YEAR}[-/.]{_MONTH}[-/.]{_DAY}",
    f"{_DAY}[-/.]{_MONTH}[-/.]{_YEAR}",
    f"{_MONTH}[-/.]{_DAY}[-/.]{_YEAR}",
    f"{_DAY}[-/.]{_MONTH}[-/.][0-9]{{2}}",
    f"{_MONTH}[-/.]{_DAY}[-/.][0-9]{{2}}",
    f"{_YEAR}[-/.]{_MONTH}",
    f"{_DAY}[-. ]+({_MONTHS})[-., ]+{_YEAR}",
    f"({_MONTHS})[. ]+{_DAY},? {_YEAR}",
)
DATE_PATTERN = rf"(?i)^[ \t]*({'|'.join(_DATES)})([t ,]+{_CLOCK}{_ZONE})?[ \t]*\z"
