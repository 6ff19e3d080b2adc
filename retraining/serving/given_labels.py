"""The body of `/labels` -> labels as the log keeps them, read by the label's type as files are."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from retraining.datasets.cells import label_from
from retraining.datasets.columns import label_text
from retraining.datasets.values import ColumnProblem
from retraining.prediction_log.labels import GivenLabel
from retraining.serving.refusals import bad_request, too_large, unfit
from retraining.serving.service import LONGEST_ID, is_id

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from retraining.datasets.values import Problem
    from retraining.records import Schema

KEYS = {"prediction_id", "label", "label_time"}
ROWS_NAMED = 5
LONGEST_LABEL = 1024


def given_labels(body: Mapping[str, Any], schema: Schema, *, at_most: int) -> list[GivenLabel]:
    """The labels of a request.

    Args:
        body: `{"labels": [{"prediction_id", "label", "label_time"?}]}`.
        schema: of the version that serves: its label's type, and its classes.
        at_most: labels.

    Raises:
        Refusal: 400, 413 or 422, naming what is wrong in which labels and never a value.
    """
    if set(body) != {"labels"}:
        raise bad_request("not_labels", "Send an object with `labels` and nothing else.")
    sent = body["labels"]
    if not isinstance(sent, list) or not sent:
        raise unfit("`labels` must be a list of one label or more.")
    if len(sent) > at_most:
        raise too_large(f"{len(sent)} labels; at most {at_most} are taken (MAX_REQUEST_ROWS).")
    if not all(isinstance(one, dict) and set(one) <= KEYS for one in sent):
        raise unfit(
            "Each label is an object with `prediction_id`, `label` and, where known, `label_time`."
        )
    _refuse_unfit(sent)
    classes = frozenset(map(label_text, schema.classes))
    return [_given(one, schema, classes) for one in sent]


def label_cell(value: Any) -> str | None:
    """A label that came as JSON, as a CSV would hold it.

    None where it is missing or no label at all.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        whole = math.isfinite(value) and value.is_integer()
        return str(int(value)) if whole else repr(value)
    return value if isinstance(value, str) else None


def canonical(cell: str, schema: Schema) -> str | None:
    """The one text of a label, whatever way it was written.

    None where the cell says that there is none.

    What cannot be read as the label's type is no class of the schema, and stays as it is.
    """
    try:
        label = label_from(cell, schema.label_kind)
    except ValueError:
        return cell
    return None if label is None else label_text(label)


def _given(one: Mapping[str, Any], schema: Schema, classes: frozenset[str]) -> GivenLabel:
    cell = label_cell(one["label"])
    text = None if cell is None else canonical(cell, schema)
    if text is None:
        raise unfit("A label is missing: send a prediction only once its label is known.")
    when = one.get("label_time")
    time = None if when is None else _time_in(when)
    return GivenLabel(one["prediction_id"], text, text in classes, time)


def _refuse_unfit(sent: Sequence[Mapping[str, Any]]) -> None:
    wanted: tuple[tuple[str, str, Callable[[Any], bool]], ...] = (
        ("prediction_id", f"a text of 1 to {LONGEST_ID} printable characters", is_id),
        (
            "label",
            f"a class, as a number, a boolean or a text of at most {LONGEST_LABEL}",
            _is_label,
        ),
        ("label_time", "a time in ISO 8601, such as 2026-03-01T10:00:00Z", _is_time),
    )
    problems = []
    for name, expected, fits in wanted:
        optional = name == "label_time"
        rows = [k for k, one in enumerate(sent) if not _is_fit(one, name, fits, optional=optional)]
        if rows:
            absent = all(name not in sent[k] for k in rows)
            problem: Problem = "missing" if absent else "type"
            problems.append(ColumnProblem(name, problem, expected, tuple(rows[:ROWS_NAMED])))
    if problems:
        raise unfit("Some labels cannot be read.", tuple(problems))


def _is_fit(
    one: Mapping[str, Any], name: str, fits: Callable[[Any], bool], *, optional: bool
) -> bool:
    if one.get(name) is None:
        return optional
    return fits(one[name])


def _is_label(value: Any) -> bool:
    cell = label_cell(value)
    if not cell or len(cell) > LONGEST_LABEL or "\0" in cell:
        return False
    return cell.isascii() or not any("\ud800" <= c <= "\udfff" for c in cell)


def _is_time(value: Any) -> bool:
    try:
        return isinstance(value, str) and _time_in(value) is not None
    except (ValueError, OverflowError):
        return False


def _time_in(text: str) -> datetime:
    """An ISO time as UTC; without a zone it is UTC already."""
    found = datetime.fromisoformat(text)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
