"""Labels -> the table `labels`: each is counted once, and the last by its own time stands.

A label belongs to a prediction's id and may come before its prediction. The table keeps every label
that differed from the one before; those that no longer stand are superseded.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import sqlalchemy as sa

from retraining.prediction_log.locking import ALONE, in_chunks, lock_the_labels
from retraining.prediction_log.tables import labels, predictions

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from sqlalchemy.engine import Connection

    from retraining.prediction_log.connection import Database

Outcome = Literal["new", "repeated", "changed", "unknown", "new_class"]
AT_ONCE = 500  # labels in one transaction: rows that are appended meanwhile wait for no longer


@dataclass(frozen=True, slots=True)
class GivenLabel:
    """A label as a caller gave it: its canonical text, and whether it is a class of the schema.

    Times are aware.
    """

    prediction_id: str
    label: str
    is_class: bool
    label_time: datetime | None = None  # None: when it was received


@dataclass
class LabelOutcomes:
    """What became of some labels: each is in exactly one of the five."""

    new: int = 0
    repeated: int = 0
    changed: int = 0
    unknown: list[str] = field(default_factory=list)
    new_class: list[str] = field(default_factory=list)

    def count(self, prediction_id: str, outcome: Outcome) -> None:
        """Add one label."""
        if outcome == "unknown":
            self.unknown.append(prediction_id)
        elif outcome == "new_class":
            self.new_class.append(prediction_id)
        else:
            setattr(self, outcome, getattr(self, outcome) + 1)

    @property
    def counts(self) -> dict[str, int]:
        """How many labels had which outcome."""
        return {
            "new": self.new,
            "repeated": self.repeated,
            "changed": self.changed,
            "unknown": len(self.unknown),
            "new_class": len(self.new_class),
        }


@dataclass
class _Known:
    """A label that the table holds, or is about to; `number` None: not inserted yet."""

    number: int | None
    label: str
    label_time: datetime
    received_time: datetime
    superseded: bool


@dataclass
class _Changes:
    superseded: list[int] = field(default_factory=list)
    later: dict[int, datetime] = field(default_factory=dict)  # number -> the label's time


def take_labels(
    database: Database, model_name: str, given: Sequence[GivenLabel], now: datetime
) -> LabelOutcomes:
    """Write labels down; returns once they are committed. To send them again changes nothing.

    Raises:
        PredictionLogError: the log cannot be reached or written. Some of the labels may be
            committed.
    """
    outcomes = LabelOutcomes()
    for chunk in in_chunks(given, AT_ONCE):
        with database.writing() as connection:
            lock_the_labels(connection, model_name, alone=ALONE)
            results = _take(connection, model_name, chunk, now)
        for label, outcome in zip(chunk, results, strict=True):
            outcomes.count(label.prediction_id, outcome)
    return outcomes


def _take(
    connection: Connection, model_name: str, given: Sequence[GivenLabel], now: datetime
) -> list[Outcome]:
    ids = sorted({label.prediction_id for label in given})
    predicted = _predicted(connection, model_name, ids)
    known = _known(connection, model_name, ids)
    changes = _Changes()
    outcomes: list[Outcome] = []
    for label in given:
        history = known.setdefault(label.prediction_id, [])
        is_other = _add(history, label, now, changes)
        outcomes.append(_outcome(label, history, is_other, label.prediction_id in predicted))
    _write(connection, model_name, known, changes)
    _let_rows_leave(connection, model_name, [i for i in ids if i in predicted])
    return outcomes


def _outcome(
    label: GivenLabel, history: Sequence[_Known], is_other: bool, is_predicted: bool
) -> Outcome:
    """The one count that a label is in, in the order in which the contract asks."""
    if not label.is_class:
        return "new_class"
    if not is_predicted:
        return "unknown"
    if not is_other:
        return "repeated"
    return "changed" if len(history) > 1 else "new"


def _add(history: list[_Known], label: GivenLabel, now: datetime, changes: _Changes) -> bool:
    """Put a label into the history of its prediction; False where it says what stands already."""
    when = label.label_time or _received(history, now)
    standing = next((known for known in history if not known.superseded), None)
    if standing is None:
        history.append(_Known(None, label.label, when, now, superseded=False))
        return True
    if standing.label == label.label:
        if when > standing.label_time:  # said again later: what came between them is older now
            standing.label_time = when
            if standing.number is not None:
                changes.later[standing.number] = when
        return False
    is_older = when < standing.label_time
    if is_older and any(k.label == label.label and k.label_time == when for k in history):
        return True  # sent again: it is there already, superseded
    if not is_older:
        standing.superseded = True
        if standing.number is not None:
            changes.superseded.append(standing.number)
    history.append(_Known(None, label.label, when, now, superseded=is_older))
    return True


def _received(history: Sequence[_Known], now: datetime) -> datetime:
    """When a label came: after those that came before it, also where this clock is behind the
    one that they were received by, or was set back since.
    """
    return max([now, *(known.received_time for known in history)])


def _predicted(connection: Connection, model_name: str, ids: Sequence[str]) -> set[str]:
    query = sa.select(predictions.c.prediction_id).where(
        predictions.c.model_name == model_name, predictions.c.prediction_id.in_(ids)
    )
    return set(connection.execute(query).scalars())


def _known(connection: Connection, model_name: str, ids: Sequence[str]) -> dict[str, list[_Known]]:
    query = sa.select(
        labels.c.prediction_id,
        labels.c.number,
        labels.c.label,
        labels.c.label_time,
        labels.c.received_time,
        labels.c.superseded,
    ).where(labels.c.model_name == model_name, labels.c.prediction_id.in_(ids))
    by_prediction: dict[str, list[_Known]] = {}
    for row in connection.execute(query.order_by(labels.c.number)):
        known = _Known(
            row.number, row.label, row.label_time, row.received_time, bool(row.superseded)
        )
        by_prediction.setdefault(row.prediction_id, []).append(known)
    return by_prediction


def _write(
    connection: Connection, model_name: str, known: dict[str, list[_Known]], changes: _Changes
) -> None:
    # What no longer stands gives way first: only one label of a prediction may stand.
    if changes.superseded:
        this = labels.c.number.in_(changes.superseded)
        connection.execute(sa.update(labels).where(this).values(superseded=1))
    if changes.later:
        statement = (
            sa.update(labels)
            .where(labels.c.number == sa.bindparam("the_number"))
            .values(label_time=sa.bindparam("the_time"))
        )
        later = [{"the_number": n, "the_time": when} for n, when in changes.later.items()]
        connection.execute(statement, later)
    fresh = [
        _record(model_name, prediction_id, label)
        for prediction_id, history in known.items()
        for label in history
        if label.number is None
    ]
    if fresh:
        connection.execute(sa.insert(labels), fresh)


def _record(model_name: str, prediction_id: str, label: _Known) -> dict[str, Any]:
    return {
        "model_name": model_name,
        "prediction_id": prediction_id,
        "label": label.label,
        "label_time": label.label_time,
        "received_time": label.received_time,
        "superseded": int(label.superseded),
    }


def _let_rows_leave(connection: Connection, model_name: str, ids: Iterable[str]) -> None:
    """Labelled rows wait for an export from now on, unless they were exported before."""
    labelled = list(ids)
    if not labelled:
        return
    those = (
        predictions.c.model_name == model_name,
        predictions.c.prediction_id.in_(labelled),
        predictions.c.exported_in.is_(None),
        predictions.c.label_waits == 0,
    )
    connection.execute(sa.update(predictions).where(*those).values(label_waits=1))
