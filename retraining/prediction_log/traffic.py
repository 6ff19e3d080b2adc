"""What was answered and what came true, for people who watch: read only, never more in memory than asked for."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from retraining.prediction_log.tables import STANDS, labels, predictions
from retraining.prediction_log.times import text_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlalchemy.engine import Connection

AT_ONCE = 5000  # rows that a driver hands over together
DIGESTS = 1 << 32
HOUR = "%Y-%m-%dT%H"
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
        label_delay_days: whole days from the request until the label came.
        rows: how many predictions they are.
    """

    hour: datetime
    age_days: int
    version: int
    prediction: str | None
    label: str | None
    label_delay_days: int | None
    rows: int


@dataclass(frozen=True)
class LabelledAnswer:
    """A prediction whose label came, with the probabilities; `classes` and `probabilities` are JSON."""

    hour: datetime
    version: int
    prediction: str | None
    label: str
    classes: str | None
    probabilities: str | None


@dataclass(frozen=True)
class Answer:
    """A prediction, labelled or not; `classes` and `probabilities` are JSON."""

    request_time: datetime
    version: int
    prediction: str | None
    classes: str | None
    probabilities: str | None


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
) -> list[TrafficGroup]:
    """All predictions of a model since a time, in one pass; labels that were superseded do not count."""
    parts = _parts_of_times(connection, now)
    query = (
        sa.select(
            parts.hour,
            parts.is_later_in_day,
            predictions.c.model_version,
            predictions.c.prediction,
            labels.c.label,
            parts.label_delay,
            sa.func.count(),
        )
        .select_from(predictions.outerjoin(labels, _label_of_the_prediction()))
        .where(predictions.c.model_name == model_name, predictions.c.request_time >= since)
        .group_by(*(sa.literal_column(str(place)) for place in range(1, 7)))
    )
    return [_group(row, now) for row in connection.execute(query)]


def labelled_answers(
    connection: Connection, model_name: str, since: datetime
) -> Iterator[LabelledAnswer]:
    """The predictions since a time whose label came, with their probabilities."""
    columns = predictions.c
    query = (
        sa.select(
            columns.request_time,
            columns.model_version,
            columns.prediction,
            labels.c.label,
            columns.classes,
            columns.probabilities,
        )
        .select_from(predictions.join(labels, _label_of_the_prediction()))
        .where(columns.model_name == model_name, columns.request_time >= since)
    )
    streamed = connection.execution_options(yield_per=AT_ONCE).execute(query)
    for time, *others in streamed:
        yield LabelledAnswer(time.replace(minute=0, second=0, microsecond=0), *others)


def answers_since(
    connection: Connection, model_name: str, since: datetime, share: float
) -> Iterator[Answer]:
    """The predictions since a time, or a share of them, always the same ones and spread over all of them."""
    columns = predictions.c
    query = sa.select(
        columns.request_time,
        columns.model_version,
        columns.prediction,
        columns.classes,
        columns.probabilities,
    ).where(columns.model_name == model_name, columns.request_time >= since)
    if share < 1:
        query = query.where(_digest(connection) < int(share * DIGESTS))
    streamed = connection.execution_options(yield_per=AT_ONCE).execute(query)
    for row in streamed:
        yield Answer(*row)


def _digest(connection: Connection) -> sa.ColumnElement[int]:
    """A number below `DIGESTS` that has nothing to do with what a row says.

    In sqlite it is made of the row's place, which the index by time holds: rows that are not wanted are not read.
    """
    if connection.dialect.name == "postgresql":
        return sa.literal_column("(hashtext(predictions.prediction_id)::bigint & 4294967295)")
    return sa.literal_column("(predictions.rowid * 2654435761 % 4294967296)")  # Knuth, 6.4


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


@dataclass(frozen=True)
class _PartsOfTimes:
    """Expressions of SQL: each database takes times apart in its own way."""

    hour: sa.ColumnElement[str]
    is_later_in_day: sa.ColumnElement[bool]
    label_delay: sa.ColumnElement[int]


def _parts_of_times(connection: Connection, now: datetime) -> _PartsOfTimes:
    """The hour of a request, whether its time of day is later than now's, and the days until its label came."""
    asked, received = predictions.c.request_time, labels.c.received_time
    time_of_day = f"{now:%H:%M:%S.%f}"
    if connection.dialect.name == "postgresql":
        plain = sa.TIMESTAMP(timezone=True)  # the log's own type of times knows no difference
        waited = sa.type_coerce(received, plain) - sa.type_coerce(asked, plain)
        seconds = sa.extract("epoch", waited)
        return _PartsOfTimes(
            sa.func.to_char(asked, sa.literal_column("'YYYY-MM-DD\"T\"HH24'")),
            sa.func.to_char(asked, sa.literal_column("'HH24:MI:SS.US'")) > time_of_day,
            sa.cast(sa.func.floor(seconds / 86_400), sa.Integer),
        )
    asked_text = sa.type_coerce(asked, sa.Text)
    days = sa.func.julianday(received) - sa.func.julianday(asked)
    return _PartsOfTimes(
        sa.func.substr(asked_text, 1, 13),
        sa.func.substr(asked_text, 12, 15) > time_of_day,
        sa.cast(days, sa.Integer),
    )


def _group(row: Any, now: datetime) -> TrafficGroup:
    hour_text, is_later_in_day, version, prediction, label, delay, rows = row
    hour = datetime.strptime(hour_text, HOUR).replace(tzinfo=UTC)
    age = (now.date() - hour.date()).days - bool(is_later_in_day)
    delay_days = None if delay is None else max(0, delay)
    return TrafficGroup(hour, max(0, age), version, prediction, label, delay_days, rows)
