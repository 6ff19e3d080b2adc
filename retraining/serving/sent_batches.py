"""The body of `/ingest/batch` -> the bytes of one data file, or why a cycle would refuse it."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from retraining.datasets.columns import label_text
from retraining.datasets.values import ColumnProblem
from retraining.prediction_log.rows import json_text
from retraining.serving.forms import sent_rows
from retraining.serving.given_labels import canonical, label_cell
from retraining.serving.refusals import unfit
from retraining.serving.rows import typed_rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from retraining.records import Kind, Schema
    from retraining.serving.rows import TypedRows
    from retraining.settings import Settings

LONGEST_BATCH_ID = 200
LONGEST_STEM = 60
ROWS_NAMED = 5
BESIDES_ROWS = ("batch_id", "labels")


@dataclass(frozen=True)
class SentBatch:
    """A batch that a cycle would take: its file's bytes, and the digest of what was sent, however
    it was spelled. `not_learned` are the columns that production does not look at.
    """

    batch_id: str
    rows: int
    content: bytes
    content_sha256: str
    not_learned: tuple[str, ...] = ()

    @cached_property
    def sha256(self) -> str:
        """The digest of the file's bytes."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def file_name(self) -> str:
        """A name that says which batch it is and can lead nowhere."""
        stem = re.sub(r"[^A-Za-z0-9]+", "-", self.batch_id).strip("-")[:LONGEST_STEM]
        return f"batch-{stem or 'x'}-{self.sha256[:12]}.csv"


def sent_batch(
    body: Mapping[str, Any], schema: Schema, settings: Settings, *, at_most: int
) -> SentBatch:
    """The batch in a request.

    Raises:
        Refusal: 400, 413 or 422; 422 too where a cycle would refuse the file.
    """
    batch_id = body.get("batch_id")
    if not _is_batch_id(batch_id):
        raise unfit(f"`batch_id` is a text of 1 to {LONGEST_BATCH_ID} printable characters.")
    sent = sent_rows(body, schema.names, at_most=at_most, besides=BESIDES_ROWS)
    rows = typed_rows(sent, schema)
    labels = _labels(body.get("labels"), rows.count, schema, settings)
    columns = _columns(rows, schema, settings.csv_decimal)
    content = _csv({**columns, schema.target: labels}, settings)
    said = json_text([dict(sorted(sent.columns.items())), labels])
    digest = hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()
    return SentBatch(str(batch_id), rows.count, content, digest, rows.extra)


def _is_batch_id(value: Any) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= LONGEST_BATCH_ID and value.isprintable()


def _labels(sent: Any, count: int, schema: Schema, settings: Settings) -> list[str]:
    """The cells of the label column; empty where a label is missing."""
    if not isinstance(sent, list) or len(sent) != count:
        raise unfit("`labels` must be a list of one label a row; null where a label is not known.")
    cells = [None if one is None else label_cell(one) for one in sent]
    unread = [k for k, cell in enumerate(cells) if cell is None and sent[k] is not None]
    if unread:
        raise _refused(schema, "type", "a label is a number, a boolean or a text", unread)
    texts = [None if cell is None else canonical(cell, schema) for cell in cells]
    classes = set(map(label_text, schema.classes))
    strange = [k for k, text in enumerate(texts) if text is not None and text not in classes]
    if strange:
        known = ", ".join(sorted(classes)[:10])
        raise _refused(schema, "type", f"a class that production knows, such as {known}", strange)
    missing = [k for k, text in enumerate(texts) if text is None]
    if len(missing) > settings.max_unlabelled_share * count:
        share = f"at most {settings.max_unlabelled_share:g} of the labels missing"
        raise _refused(schema, "missing", f"{share} (MAX_UNLABELLED_SHARE)", missing)
    return [text or "" for text in texts]


def _refused(schema: Schema, problem: Any, expected: str, rows: Sequence[int]) -> Exception:
    """A cycle would refuse the file for its label column."""
    column = ColumnProblem(schema.target, problem, expected, tuple(rows[:ROWS_NAMED]))
    return unfit("A cycle would refuse this batch for its labels.", (column,))


def _columns(rows: TypedRows, schema: Schema, decimal: str) -> dict[str, list[str]]:
    kinds: dict[str, Kind] = {column.name: column.kind for column in schema.columns}
    cells = {name: _cells(rows.columns[name], kinds[name], decimal) for name in schema.names}
    carried = {name: [_carried(v) for v in values] for name, values in rows.ignored.items()}
    return {**carried, **cells}


def _cells(values: Any, kind: Kind, decimal: str) -> list[str]:
    if kind == "string":
        return [value or "" for value in values]
    if kind == "boolean":
        return ["" if np.isnan(value) else str(bool(value)).lower() for value in values]
    return [number_cell(value, decimal) for value in values.tolist()]


def number_cell(value: float, decimal: str) -> str:
    """A number in the shortest digits that read back as the same double.

    A whole one without its fraction.
    """
    if value != value:  # noqa: PLR0124 - NaN
        return ""
    if value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return repr(value).replace(".", decimal)


def _carried(value: Any) -> str:
    """A cell of a column that no model reads: a scalar's text, and never a reason to refuse."""
    text = label_cell(value) or ""
    printable = "\0" not in text and not any("\ud800" <= c <= "\udfff" for c in text)
    return text if printable else ""


def _csv(columns: Mapping[str, Sequence[str]], settings: Settings) -> bytes:
    text = io.StringIO(newline="")
    # CRLF, as RFC 4180 has it, makes the writer quote a lone carriage return inside a cell too.
    writer = csv.writer(text, delimiter=settings.csv_separator, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    try:
        return text.getvalue().encode(settings.csv_encoding)
    except UnicodeEncodeError:
        encoding = settings.csv_encoding
        raise unfit(f"A text cannot be written as {encoding} (CSV_ENCODING).") from None
