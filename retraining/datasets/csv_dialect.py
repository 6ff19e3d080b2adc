"""Whether a CSV file is written with another separator or decimal mark than the settings say:
looked at before anything else.

Read with the wrong separator, a file seems to lack columns, or to hold stray quotes; these are
symptoms, this is the cause.
"""

from __future__ import annotations

import csv
import re
from typing import TYPE_CHECKING

from retraining.errors import UnreadableFileError

if TYPE_CHECKING:
    from retraining.settings import Settings

BYTES_LOOKED_AT = 2**16
LINES_LOOKED_AT = 50
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_DECIMAL_COMMA = re.compile(r"[ \t]*[+-]?[0-9]+,[0-9]+[ \t]*")
_EXCEL_HINT = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)


class OtherDialectError(UnreadableFileError):
    """The file is sound, but written in another way than the settings say."""


def refuse_another_dialect(head: bytes, settings: Settings) -> None:
    """Look at the first lines of a CSV file.

    Args:
        head: its first bytes, 64 KiB are enough.
        settings: CSV_SEPARATOR, CSV_DECIMAL, CSV_ENCODING, and TARGET_COLUMN, which the header
            should name.

    Raises:
        OtherDialectError: another separator splits the header, and that of the settings does not;
            or Excel's `sep=;` comes first.
    """
    text = head.decode(settings.csv_encoding, errors="replace").removeprefix("\ufeff")
    lines = [line for line in text.splitlines() if line.strip()][: LINES_LOOKED_AT + 1]
    if not lines:
        return
    if hint := _EXCEL_HINT.fullmatch(lines[0]):
        raise OtherDialectError(
            f"the first line, {lines[0].strip()!r}, is a hint for Excel and no header: deliver the "
            f"file without it{_setting_for(hint[1], lines[2:], settings)}"
        )
    other = _other_separator(lines[0], settings)
    if other is not None:
        raise OtherDialectError(
            f"the columns are separated by {SEPARATORS[other]}, not by "
            f"{SEPARATORS.get(settings.csv_separator, repr(settings.csv_separator))}"
            f"{_setting_for(other, lines[1:], settings)}"
        )


def _cells(line: str, separator: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=separator))
    except csv.Error:
        return []


def _other_separator(header: str, settings: Settings) -> str | None:
    """The separator that splits the header, where that of the settings does not split it, or misses
    the label by it.
    """
    names = _cells(header, settings.csv_separator)
    if settings.target_column in names and len(names) > 1:
        return None
    others = {other: _cells(header, other) for other in SEPARATORS if other in header}
    others.pop(settings.csv_separator, None)
    for other, cells in others.items():
        if settings.target_column in cells and len(cells) > 1:
            return other
    if len(names) > 1 or not others:
        return None
    return max(others, key=lambda other: len(others[other]))


def _setting_for(separator: str, rows: list[str], settings: Settings) -> str:
    """The lines of `.env` that would read such a file, as a question."""
    lines = []
    if separator != settings.csv_separator:
        written = "\\t" if separator == "\t" else separator
        lines.append(f"CSV_SEPARATOR={written}")
    cells = [cell for row in rows for cell in _cells(row, separator)]
    may_have_commas = settings.csv_decimal == "." and separator != ","
    if may_have_commas and any(_DECIMAL_COMMA.fullmatch(cell) for cell in cells):
        lines.append("CSV_DECIMAL=,")
    return f": {' and '.join(lines)}?" if lines else ""
