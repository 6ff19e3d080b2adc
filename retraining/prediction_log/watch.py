"""The tables in which `monitor` keeps its last results, and which process looks at the traffic."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from retraining.prediction_log.tables import leases, monitor_results

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

    from retraining.prediction_log.connection import Database


@dataclass(frozen=True)
class KeptResult:
    """A result as JSON, and when the look at the log began."""

    made_time: datetime
    content: str


ALERTS = "alerts told"  # the name under which those of this spell are kept


def begun_now(
    database: Database, model_name: str, holding: Sequence[str], now: datetime
) -> tuple[str, ...]:
    """Of what holds now, what did not hold at the last look: of several who ask at once, one is
    told.

    What ceased to hold is forgotten, so that it begins anew when it comes back.

    Raises:
        PredictionLogError: the log cannot be reached or written.
    """
    columns = monitor_results.c
    mine = _named(model_name, ALERTS)
    content = json.dumps(sorted(holding))
    with database.writing() as connection:
        query = sa.select(columns.content).where(*mine).with_for_update()
        before = connection.execute(query).scalar_one_or_none()
        if before is None:
            row = {"model_name": model_name, "name": ALERTS}
            adding = monitor_results.insert().values(**row, made_time=now, content=content)
            connection.execute(adding)
        else:
            changing = monitor_results.update().where(*mine)
            connection.execute(changing.values(made_time=now, content=content))
    held = set() if before is None else set(json.loads(before))
    return tuple(one for one in holding if one not in held)


def keep_result(database: Database, model_name: str, name: str, result: KeptResult) -> None:
    """Put a result in the place of the last one of that name.

    Raises:
        PredictionLogError: the log cannot be reached or written.
    """
    values = {"made_time": result.made_time, "content": result.content}
    with database.writing() as connection:
        changed = connection.execute(
            monitor_results.update().where(*_named(model_name, name)).values(values)
        )
        if not changed.rowcount:
            row = {"model_name": model_name, "name": name, **values}
            connection.execute(monitor_results.insert().values(row))


def kept_result(database: Database, model_name: str, name: str) -> KeptResult | None:
    """The last result of that name; None where there is none yet.

    Raises:
        PredictionLogError: the log cannot be reached or read.
    """
    columns = monitor_results.c
    query = sa.select(columns.made_time, columns.content).where(*_named(model_name, name))
    with database.reading() as connection:
        row = connection.execute(query).one_or_none()
    return None if row is None else KeptResult(*row)


def take_lease(
    database: Database, name: str, holder: str, *, now: datetime, length: timedelta
) -> bool:
    """Hold a lease, or hold it longer; whether it is the holder's now.

    Of several who ask at once one gets it. Where the holder dies, another gets it once it has run
    out.

    Raises:
        PredictionLogError: the log cannot be reached or written; also where two were the first ever
            at once.
    """
    until = now + length
    is_free = sa.or_(leases.c.holder == holder, leases.c.until_time <= now)
    taking = leases.update().where(leases.c.name == name, is_free)
    with database.writing() as connection:
        taken = connection.execute(taking.values(holder=holder, until_time=until))
        if taken.rowcount:
            return True
        is_there = sa.select(sa.func.count()).where(leases.c.name == name)
        if connection.execute(is_there).scalar_one():
            return False
        connection.execute(leases.insert().values(name=name, holder=holder, until_time=until))
        return True


def _named(model_name: str, name: str) -> tuple[sa.ColumnElement[bool], ...]:
    columns = monitor_results.c
    return columns.model_name == model_name, columns.name == name
