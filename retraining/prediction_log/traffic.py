"""Predictions and their labels, for people who watch: read only, never more in memory than asked
for.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any

import orjson
import sqlalchemy as sa

from retraining.prediction_log.tables import OLDEST_FIRST, STANDS, labels, predictions
from retraining.prediction_log.times import text_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlalchemy.engine import Connection

AT_ONCE = 5000  # rows that a driver hands over together
DIGESTS = 1 << 32
AN_HOUR = timedelta(hours=1)
JSON_COLUMNS = ("features", "classes", "probabilities")


@dataclass(frozen=True)
class TrafficGroup:
    """Predictions that agree in all of this.

    Attributes:
        hour: the hour (UTC) of the requests.
        age_days: whole days since the requests.
        version: which answered.
        prediction: as text; None where the log holds none.
        label: as text; None where no label came.
        rows: how many predictions they are.
    """

    hour: datetime
    age_days: int
    version: int
    prediction: str | None
    label: str | None
    rows: int


@dataclass(frozen=True)
class Answer:
    """A prediction; `classes` and `probabilities` are JSON.

    Attributes:
        label: that stands, as text; None where none came.
        received_time: when that label came.
    """

    request_time: datetime
    version: int
    prediction: str | None
    classes: str | None
    probabilities: str | None
    label: str | None = None
    received_time: datetime | None = None


@dataclass(frozen=True)
class DrawnAnswers:
    """A share of all predictions, and a share of those whose label came."""

    of_all: list[Answer]
    of_labelled: list[Answer]


@dataclass(frozen=True)
class WholeAnswer:
    """A prediction with all that other tools want.

    `features`, `classes` and `probabilities` are JSON.
    """

    prediction_id: str
    request_time: datetime
    version: int
    features: str
    prediction: str | None
    classes: str | None
    probabilities: str | None
    label: str | None


@dataclass(frozen=True)
class WindowRow:
    """A prediction with what it was asked for; `features` is a JSON object by column."""

    request_time: datetime
    request_id: str
    version: int
    features: str
    prediction: str | None


def traffic_groups(
    connection: Connection, model_name: str, since: datetime, now: datetime
) -> Iterator[TrafficGroup]:
    """All predictions of a model since a time; labels that were superseded do not count.

    An hour is asked for at a time. The databases group by sorting: few rows often are sorted much
    sooner than all of them once.
    """
    query = _groups_query(connection, model_name)
    start = _next_request(connection, model_name, since)
    while start is not None:
        hour = start.replace(minute=0, second=0, microsecond=0)
        for begin, end in pairwise(_edges(hour, now)):
            age = max(0, (now - begin).days)
            times = {"begin": max(begin, since), "end": end}
            for key, rows in connection.execute(query, times):
                version, prediction, label = orjson.loads(key)
                yield TrafficGroup(hour, age, version, prediction, label, rows)
        start = _next_request(connection, model_name, hour + AN_HOUR)


def _next_request(connection: Connection, model_name: str, since: datetime) -> datetime | None:
    """The time of the first request since then: hours without any are passed over."""
    columns = predictions.c
    mine = (columns.model_name == model_name, columns.request_time >= since)
    found: datetime | None = connection.execute(
        sa.select(sa.func.min(columns.request_time)).where(*mine)
    ).scalar()
    return found


def _edges(hour: datetime, now: datetime) -> list[datetime]:
    """Where an hour begins and ends, and where in it an age in whole days, told by now, becomes one
    less.
    """
    end = hour + AN_HOUR
    just_as_late = hour.replace(minute=now.minute, second=now.second, microsecond=now.microsecond)
    younger = just_as_late + timedelta(microseconds=1)
    return [hour, younger, end] if hour.hour == now.hour and younger < end else [hour, end]


def _groups_query(connection: Connection, model_name: str) -> sa.Select[str, int]:
    """Groups and their rows from `begin` until before `end`.

    What a group agrees in is one text: sqlite sorts that sooner than three columns.
    """
    columns = predictions.c
    agreed = (columns.model_version, columns.prediction, labels.c.label)
    if connection.dialect.name == "postgresql":
        key: sa.ColumnElement[str] = sa.cast(sa.func.json_build_array(*agreed), sa.Text)
    else:
        key = sa.func.json_array(*agreed, type_=sa.Text)
    key = key.label("agreed")
    return (
        sa.select(key, sa.func.count())
        .select_from(predictions.outerjoin(labels, _label_of_the_prediction()))
        .where(
            columns.model_name == model_name,
            columns.request_time >= sa.bindparam("begin"),
            columns.request_time < sa.bindparam("end"),
        )
        .group_by(key)
    )


def draw_answers(
    connection: Connection,
    model_name: str,
    since: datetime,
    *,
    share: float,
    share_of_labelled: float,
) -> DrawnAnswers:
    """Draw from the predictions since a time: always the same ones, and spread over all of them.

    One look draws both: what takes time is to go through millions of rows, not to read the few.

    Args:
        connection: to the log.
        model_name: whose rows.
        since: from when on.
        share: of all predictions; 1 or more draws each.
        share_of_labelled: of those whose label came.
    """
    query = _drawing_query(connection, model_name, since, share, share_of_labelled)
    drawn = DrawnAnswers([], [])
    streamed = connection.execution_options(yield_per=AT_ONCE).execute(query)
    for of_all, of_labelled, *row in streamed:
        answer = Answer(*row)
        if of_all:
            drawn.of_all.append(answer)
        if of_labelled:
            drawn.of_labelled.append(answer)
    return drawn


def _drawing_query(
    connection: Connection,
    model_name: str,
    since: datetime,
    share: float,
    share_of_labelled: float,
) -> sa.Select[Any]:
    """Whether a row is of either share, and the fields of its `Answer`."""
    columns = predictions.c
    digest = _digest(connection)
    is_of_all = digest < _digests(share)
    is_of_labelled = sa.and_(digest < _digests(share_of_labelled), labels.c.label.is_not(None))
    return (
        sa.select(
            is_of_all,
            is_of_labelled,
            columns.request_time,
            columns.model_version,
            columns.prediction,
            columns.classes,
            columns.probabilities,
            labels.c.label,
            labels.c.received_time,
        )
        .select_from(predictions.outerjoin(labels, _label_of_the_prediction()))
        .where(columns.model_name == model_name, columns.request_time >= since)
        # said apart from the rest, since it can be told before a label is looked for
        .where(digest < _digests(max(share, share_of_labelled)))
        .where(sa.or_(is_of_all, is_of_labelled))
    )


def _digests(share: float) -> int:
    """How many of the digests a share is."""
    return min(DIGESTS, int(share * DIGESTS))


def _digest(connection: Connection) -> sa.ColumnElement[int]:
    """A number below `DIGESTS` that has nothing to do with what a row says.

    In sqlite it is made of the row's place, which the index by time holds: rows that are not wanted
    are not read.
    """
    if connection.dialect.name == "postgresql":
        return sa.literal_column("(hashtext(predictions.prediction_id)::bigint & 4294967295)")
    return sa.literal_column("(predictions.rowid * 2654435761 % 4294967296)")  # Knuth, 6.4


def whole_answers(
    connection: Connection, model_name: str, since: datetime
) -> Iterator[WholeAnswer]:
    """The predictions since a time, oldest first, each with the label that stands."""
    columns = predictions.c
    query = (
        sa.select(
            columns.prediction_id,
            columns.request_time,
            columns.model_version,
            columns.features,
            columns.prediction,
            columns.classes,
            columns.probabilities,
            labels.c.label,
        )
        .select_from(predictions.outerjoin(labels, _label_of_the_prediction()))
        .where(columns.model_name == model_name, columns.request_time >= since)
        .order_by(*OLDEST_FIRST)
    )
    streamed = connection.execution_options(yield_per=AT_ONCE).execute(query)
    for row in streamed:
        yield WholeAnswer(*row)


def newest_rows(
    connection: Connection, model_name: str, count: int, span: timedelta, most: int
) -> list[WindowRow]:
    """The last `count` predictions, or as many more as it takes to span that time; oldest first.

    Where they are more than `most`, every second, third and so on of them is read.
    """
    columns = predictions.c
    mine = columns.model_name == model_name
    newest = connection.execute(sa.select(sa.func.max(columns.request_time)).where(mine)).scalar()
    if newest is None:
        return []
    in_span = sa.select(sa.func.count()).where(mine, columns.request_time >= newest - span)
    wanted = max(count, connection.execute(in_span).scalar_one())
    query = (
        sa.select(
            columns.request_time,
            columns.request_id,
            columns.model_version,
            columns.features,
            columns.prediction,
        )
        .where(mine)
        .order_by(columns.request_time.desc(), columns.request_id.desc(), columns.row_index.desc())
        .limit(wanted)
    )
    streamed = connection.execution_options(yield_per=AT_ONCE).execute(query)
    every = -(-wanted // most)
    rows = [WindowRow(*row) for row in islice(streamed, None, None, every)]
    return rows[::-1]


def recent_rows(connection: Connection, model_name: str, limit: int) -> Sequence[Mapping[str, Any]]:
    """The last predictions, newest first, by the log's column names."""
    columns = predictions.c
    shown = [column for column in columns if column.name != "label_waits"]
    query = (
        sa.select(*shown)
        .where(columns.model_name == model_name)
        .order_by(columns.request_time.desc(), columns.request_id.desc(), columns.row_index.desc())
        .limit(limit)
    )
    found = connection.execute(query).mappings()
    return [{str(name): value for name, value in row.items()} for row in found]


def as_told(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the log as JSON has it."""
    parsed = {name: json.loads(row[name]) for name in JSON_COLUMNS if row[name] is not None}
    return {**row, **parsed, "request_time": text_of(row["request_time"])}


def _label_of_the_prediction() -> sa.ColumnElement[bool]:
    return sa.and_(
        labels.c.model_name == predictions.c.model_name,
        labels.c.prediction_id == predictions.c.prediction_id,
        STANDS,
    )
