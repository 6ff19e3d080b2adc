"""Rows of answered requests -> the table `predictions`, in a transaction that the caller holds.

The first row of an id stands.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from retraining.prediction_log.locking import SHARED, in_chunks, lock_the_labels
from retraining.prediction_log.tables import STANDS, labels, predictions, repeated_ids
from retraining.prediction_log.times import text_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy.engine import Connection, Dialect
    from sqlalchemy.sql import ColumnElement

    from retraining.prediction_log.rows import AnsweredRequest

    Record = dict[str, Any]


def append_all(
    connection: Connection, model_name: str, requests: Sequence[AnsweredRequest]
) -> list[tuple[str, ...]]:
    """Append the rows of some requests.

    For each request the ids that were known before, each once.
    """
    by_request = [request.records(model_name) for request in requests]
    own: list[Record] = []
    named: list[Record] = []
    for request, records in zip(requests, by_request, strict=True):
        (named if request.ids_are_the_callers else own).extend(records)
    if own:
        # These ids are ours and new; but a request's id, which some are made of, may be the
        # caller's.
        _insert(connection, own)
    if not named:
        return [() for _ in requests]
    repeats = _append_named(connection, model_name, named)
    again = {id(record) for record in repeats}
    return [_ids_of(records, again) for records in by_request]


def _ids_of(records: Sequence[Record], again: set[int]) -> tuple[str, ...]:
    ids = (record["prediction_id"] for record in records if id(record) in again)
    return tuple(dict.fromkeys(ids))


def _append_named(connection: Connection, model_name: str, records: list[Record]) -> list[Record]:
    """Append rows with callers' ids; returns those whose id was known before."""
    lock_the_labels(connection, model_name, alone=SHARED)
    first: dict[str, Record] = {}
    for record in records:
        first.setdefault(record["prediction_id"], record)
    for prediction_id in _ids_where(connection, labels, model_name, first, STANDS):
        first[prediction_id]["label_waits"] = 1
    known = _ids_where(connection, predictions, model_name, first)
    # In one order for all services: two that insert the same ids in different orders would wait for
    # each other.
    fresh = [first[prediction_id] for prediction_id in sorted(first) if prediction_id not in known]
    known |= _lost_to_others(connection, model_name, fresh)
    repeats = [
        record
        for record in records
        if first[record["prediction_id"]] is not record or record["prediction_id"] in known
    ]
    if repeats:
        _note_repeats(connection, model_name, repeats)
    return repeats


def _ids_where(
    connection: Connection,
    table: sa.Table,
    model_name: str,
    ids: Iterable[str],
    *conditions: ColumnElement[bool],
) -> set[str]:
    """Those of the ids that a table holds."""
    held: set[str] = set()
    for chunk in in_chunks(list(ids)):
        query = sa.select(table.c.prediction_id).where(
            table.c.model_name == model_name, table.c.prediction_id.in_(chunk), *conditions
        )
        held.update(connection.execute(query).scalars())
    return held


def _lost_to_others(connection: Connection, model_name: str, fresh: list[Record]) -> set[str]:
    """Insert rows whose ids were not there.

    Returns the ids that another service inserted at the same moment.
    """
    if not fresh:
        return set()
    inserted = _insert(connection, fresh)
    if connection.dialect.name == "sqlite" or inserted == len(fresh):
        return set()  # nobody else writes to sqlite meanwhile
    ours = {(record["request_id"], record["row_index"]) for record in fresh}
    lost: set[str] = set()
    for chunk in in_chunks([record["prediction_id"] for record in fresh]):
        columns = predictions.c
        query = sa.select(columns.prediction_id, columns.request_id, columns.row_index).where(
            columns.model_name == model_name, columns.prediction_id.in_(chunk)
        )
        for prediction_id, *place in connection.execute(query):
            if tuple(place) not in ours:
                lost.add(prediction_id)
    return lost


def _note_repeats(connection: Connection, model_name: str, repeats: list[Record]) -> None:
    ids = sorted({record["prediction_id"] for record in repeats})
    standing: dict[str, str] = {}
    for some in in_chunks(ids):
        query = sa.select(predictions.c.prediction_id, predictions.c.features).where(
            predictions.c.model_name == model_name, predictions.c.prediction_id.in_(some)
        )
        standing.update(connection.execute(query).all())
    now = datetime.now(UTC)
    notes: dict[str, Record] = {}
    for record in repeats:
        prediction_id = record["prediction_id"]
        note = notes.setdefault(
            prediction_id,
            {
                "model_name": model_name,
                "prediction_id": prediction_id,
                "times": 0,
                "other_features": 0,
                "last_time": now,
            },
        )
        note["times"] += 1
        if record["features"] != standing.get(prediction_id):
            note["other_features"] = 1
    statement = insert_into(connection, repeated_ids)
    fresh, kept = statement.excluded, repeated_ids.c
    changes = {
        "times": kept.times + fresh.times,
        "other_features": sa.case((fresh.other_features == 1, 1), else_=kept.other_features),
        "last_time": fresh.last_time,
    }
    keys = (kept.model_name, kept.prediction_id)
    upsert = statement.on_conflict_do_update(index_elements=keys, set_=changes)
    connection.execute(upsert, [notes[prediction_id] for prediction_id in ids])


def _insert(connection: Connection, records: list[Record]) -> int:
    """Insert the rows whose ids are free; how many that were.

    The statement is compiled once and its values go to the driver as they are. SQLAlchemy would
    look at each value of each row, which takes longer than all else that an answer's row costs
    here.
    """
    sql, order = _statement(connection.dialect, tuple(records[0]))
    if not order:  # the driver takes values by their names
        return connection.exec_driver_sql(sql, records).rowcount
    for record in records:
        record["request_time"] = text_of(record["request_time"])
    in_order = itemgetter(*order)
    return connection.exec_driver_sql(sql, [in_order(record) for record in records]).rowcount


@lru_cache
def _statement(dialect: Dialect, names: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """The INSERT in the driver's own words, and the order in which it takes values.

    Empty where it takes them by name.
    """
    statement = _insert_of(dialect, predictions).on_conflict_do_nothing()
    compiled = statement.compile(dialect=dialect, column_keys=names)
    order = compiled.positiontup if dialect.name == "sqlite" else None
    return str(compiled), tuple(order or ())


def insert_into(connection: Connection, table: sa.Table) -> postgresql.Insert | sqlite.Insert:
    """An INSERT that knows ON CONFLICT, in the database's own dialect."""
    return _insert_of(connection.dialect, table)


def _insert_of(dialect: Dialect, table: sa.Table) -> postgresql.Insert | sqlite.Insert:
    return postgresql.insert(table) if dialect.name == "postgresql" else sqlite.insert(table)
