"""Documents -> rows of a CSV file, by the production version's schema.

Without a schema (no first model yet) the scalar fields of the first documents are the columns; they
are kept in the ledger, so that every file that the first model is trained from has the same ones.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bson import json_util
from bson.decimal128 import Decimal128

from retraining.sources.mongodb.bson_cells import (
    MisfitError,
    cell_of,
    is_scalar,
    number_cell,
    text_cell,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from retraining.records import Schema
    from retraining.settings import Settings
    from retraining.sources.mongodb.bson_cells import Cell

ID = "_id"
LONGEST_ROW = 1_000_000  # characters; the reader of the inbox takes rows up to 4 MiB
DEEPEST_PATH = (
    20  # levels of nested documents that are looked into for columns; MongoDB itself allows 100
)


@dataclass(frozen=True)
class Layout:
    """The columns of the files: names by how their cells are written, and how the file is.

    `learned` are the names that a model reads; a document with a value for none of them is refused.
    """

    cells: Mapping[str, Cell]
    learned: frozenset[str]
    separator: str
    encoding: str

    def row(self, document: Mapping[str, Any]) -> tuple[str, ...]:
        """The document's cells, in the order of the columns.

        Raises:
            MisfitError: a value does not fit its column, or the document has a value for none of
                them.
        """
        cells = []
        for name, cell in self.cells.items():
            try:
                text = cell(field_at(document, name))
                text.encode(self.encoding)
            except MisfitError as misfit:
                raise MisfitError(f"field {name!r}: {misfit}") from None
            except UnicodeEncodeError:
                raise MisfitError(
                    f"field {name!r}: a text that cannot be written as {self.encoding}"
                ) from None
            cells.append(text)
        if sum(map(len, cells)) > LONGEST_ROW:
            raise MisfitError(f"a row of more than {LONGEST_ROW:,} characters")
        if not any(
            text for name, text in zip(self.cells, cells, strict=True) if name in self.learned
        ):
            raise MisfitError("none of the columns has a value in this document")
        return tuple(cells)

    def file(self, rows: Iterable[Sequence[str]], ids: Iterable[Any] = ()) -> bytes:
        """The bytes of a CSV file; with `ids` it gets a last column `_id`."""
        ids = list(ids)
        header = list(self.cells)
        if ids:
            header.append(ID)
            rows = [[*row, id_text(_id)] for row, _id in zip(rows, ids, strict=True)]
        text = io.StringIO(newline="")
        # CRLF, as RFC 4180 has it, makes the writer quote a lone carriage return inside a cell too.
        writer = csv.writer(text, delimiter=self.separator, lineterminator="\r\n")
        writer.writerow(header)
        writer.writerows(rows)
        return text.getvalue().encode(self.encoding)


def layout_of(schema: Schema, settings: Settings) -> Layout:
    """The columns that the production version reads, its label, and those that are carried along
    (`IGNORE_COLUMNS`).
    """
    learned: dict[str, Cell] = {column.name: cell_of(column.kind) for column in schema.columns}
    learned[schema.target] = cell_of(schema.label_kind)
    carried = [name for name in (*settings.ignore_columns, *schema.ignored) if name not in learned]
    cells = {**dict.fromkeys(carried, carried_cell), **learned}
    return _layout(cells, frozenset(learned), settings)


def layout_without_schema(columns: Sequence[str], settings: Settings) -> Layout:
    """The columns found in the first documents, each cell by the type of its own value."""
    carried = [name for name in columns if name in settings.ignore_columns]
    learned = [name for name in columns if name not in carried]
    cells = {**dict.fromkeys(carried, carried_cell), **dict.fromkeys(learned, plain_cell)}
    return _layout(cells, frozenset(learned), settings)


def columns_found(documents: Iterable[Mapping[str, Any]], settings: Settings) -> tuple[str, ...]:
    """Every scalar field of the documents by its dotted path, the target last.

    `_id` only where `IGNORE_COLUMNS` names it.
    """
    seen: dict[str, None] = {}
    for document in documents:
        seen.update(dict.fromkeys(_paths(document)))
    names = [name for name in seen if name != ID or ID in settings.ignore_columns]
    target = settings.target_column
    return (
        (*(name for name in names if name != target), target) if target in names else tuple(names)
    )


def field_at(document: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path, a field of exactly that name first; None where there is none."""
    if path in document:
        return document[path]
    head, dot, rest = path.partition(".")
    inner = document.get(head)
    return field_at(inner, rest) if dot and isinstance(inner, dict) else None


def plain_cell(value: Any) -> str:
    """A cell where nothing is known of the column: numbers as numbers, anything else as text."""
    if isinstance(value, (float, Decimal128)):
        # refuses what is infinite; as a text it would turn the column into one of strings
        number_cell(value)
    return text_cell(value)


def carried_cell(value: Any) -> str:
    """A cell that no model reads: what cannot be written is left empty, and never a reason to
    refuse a document.
    """
    try:
        text = text_cell(value)
        text.encode()
    except (MisfitError, UnicodeEncodeError):
        return ""
    return text


def id_text(value: Any) -> str:
    """An `_id` as text: plain where it is a scalar, else its extended JSON."""
    return text_cell(value) if is_scalar(value) else str(json_util.dumps(value))


def refused_line(document: Mapping[str, Any], reason: str) -> str:
    """One line of JSON for a refused document: its `_id`, the reason, and all of it as canonical
    extended JSON.
    """
    line = {ID: document[ID], "reason": reason, "document": document}
    return str(json_util.dumps(line, json_options=json_util.CANONICAL_JSON_OPTIONS))


def _paths(document: Mapping[str, Any], prefix: str = "", depth: int = 0) -> Iterator[str]:
    for name, value in document.items():
        if is_scalar(value):
            yield prefix + name
        elif isinstance(value, dict) and depth < DEEPEST_PATH:
            yield from _paths(value, f"{prefix}{name}.", depth + 1)


def _layout(cells: Mapping[str, Cell], learned: frozenset[str], settings: Settings) -> Layout:
    if settings.csv_decimal != ".":
        cells = {name: _with_decimal(cell, settings.csv_decimal) for name, cell in cells.items()}
    return Layout(cells, learned, settings.csv_separator, settings.csv_encoding)


def _with_decimal(cell: Cell, decimal: str) -> Cell:
    """The same cell with another decimal mark, where what it writes is a number."""
    if cell is number_cell:
        return lambda value: number_cell(value).replace(".", decimal)
    if cell is plain_cell:
        return lambda value: plain_cell(value).replace(
            ".", decimal if isinstance(value, (float, Decimal128)) else "."
        )
    return cell
