"""How CSV files are written: encoding, separator and decimal mark, told from the first lines of one
file.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
from typing import TYPE_CHECKING, BinaryIO, cast

from retraining.new_project.proposal import Proposal

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    Rows = Sequence[Sequence[str]]

BYTES_LOOKED_AT = 2**16
LINES_LOOKED_AT = 50
SEPARATORS = (",", ";", "\t", "|")
_DECIMAL_COMMA = re.compile(r"[+-]?[0-9]+,[0-9]+")


def csv_proposals(file: Path) -> list[Proposal]:
    """The CSV_* settings that read this file; none where the defaults do."""
    with opened(file) as content:
        head = content.read(BYTES_LOOKED_AT)
    encoding = _encoding_of(head)
    lines = head.decode(encoding, errors="replace").removeprefix("\ufeff").splitlines()
    lines = [line for line in lines if line.strip()][:LINES_LOOKED_AT]
    separator = _separator_of(lines)
    rows = list(csv.reader(lines, delimiter=separator))
    proposals = []
    if encoding != "utf-8":
        reason = f"{file.name} is no UTF-8; it reads as {encoding}."
        proposals.append(Proposal("CSV_ENCODING", encoding, reason))
    if separator != ",":
        written = "\\t" if separator == "\t" else separator
        reason = f"It splits {file.name} into {len(rows[0])} columns."
        proposals.append(Proposal("CSV_SEPARATOR", written, reason))
    if separator != "," and _has_decimal_commas(rows[1:]):
        reason = f"Numbers in {file.name} are written with a comma."
        proposals.append(Proposal("CSV_DECIMAL", ",", reason))
    return proposals


def header_of(file: Path, encoding: str, separator: str) -> list[str]:
    """The names in the first line of a CSV file."""
    with opened(file) as content:
        text = io.TextIOWrapper(content, encoding=encoding, errors="replace", newline="")
        names = next(csv.reader(text, delimiter=separator), [])
    return [name.removeprefix("\ufeff") for name in names]


def opened(file: Path) -> BinaryIO:
    """The bytes of a CSV file, unpacked."""
    if file.name.lower().endswith(".gz"):
        return cast("BinaryIO", gzip.open(file, "rb"))
    return file.open("rb")


def _encoding_of(head: bytes) -> str:
    """UTF-8 where the bytes are that, UTF-16 by its mark, else what Windows writes in western
    Europe.
    """
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    whole_lines = head.rpartition(b"\n")[0] or head
    try:
        whole_lines.decode("utf-8")
    except UnicodeDecodeError:
        return "cp1252"
    return "utf-8"


def _separator_of(lines: Sequence[str]) -> str:
    """The separator that splits every line into the same number of cells, and into the most.

    The comma where none does so: reading then tells which lines differ.
    """
    widths = {separator: _width(lines, separator) for separator in SEPARATORS}
    return max(SEPARATORS, key=lambda separator: widths[separator])


def _width(lines: Sequence[str], separator: str) -> int:
    """Cells a line, 0 where lines differ or are not split at all."""
    counts = {len(row) for row in csv.reader(lines[:-1] or lines, delimiter=separator)}
    return counts.pop() if len(counts) == 1 and counts != {1} else 0


def _has_decimal_commas(rows: Rows) -> bool:
    return any(_DECIMAL_COMMA.fullmatch(cell.strip()) for row in rows for cell in row)
