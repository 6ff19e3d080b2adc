"""The layout of the log: made, or brought up to date in place, by whoever comes first.

Any number may come at once.
"""

from __future__ import annotations

import sqlite3
import time
from typing import TYPE_CHECKING

import sqlalchemy as sa

from retraining.prediction_log.connection import (
    UNCHANGED,
    PredictionLogError,
    make_folder_of,
)
from retraining.prediction_log.tables import LAYOUT, log_layout, metadata

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sqlalchemy.engine import Connection

    from retraining.prediction_log.connection import Database

    Upgrade = Callable[[Connection], None]

ADVISORY_LOCK = 0x72657472  # of PostgreSQL: who makes or upgrades the layout holds it
WAL_ATTEMPTS = 50
PAUSE = 0.1  # seconds

# Layout n -> what makes n + 1 of it. Each runs in the transaction that writes the new number, so it
# happens whole or not at all.
UPGRADES: dict[int, Upgrade] = {}


def ensure_layout(database: Database) -> None:
    """Make the tables, or upgrade them; costs one query where they are as they should be.

    Raises:
        PredictionLogError: the log cannot be reached or written, or a newer version of this program
            made it.
    """
    if layout_of(database) == LAYOUT:
        return
    if database.file is not None:
        make_folder_of(database.file)
        _write_ahead(database.file)
    with database.writing() as connection:
        if not database.is_sqlite:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(ADVISORY_LOCK)))
        _bring_up_to_date(connection, database.shown)


def layout_of(database: Database) -> int | None:
    """The number of the layout that the log has; None where there is no log yet.

    Raises:
        PredictionLogError: the log cannot be reached or read.
    """
    if database.file is not None and not database.file.exists():
        return None
    with database.reading() as connection:
        return _layout_found(connection)


def _bring_up_to_date(connection: Connection, shown: str) -> None:
    layout = _layout_found(connection)
    if layout is None:
        metadata.create_all(connection)
        connection.execute(log_layout.insert().values(version=LAYOUT))
        return
    if layout > LAYOUT:
        raise newer_layout(layout, shown)
    for number in range(layout, LAYOUT):
        UPGRADES[number](connection)
    connection.execute(log_layout.update().values(version=LAYOUT))


def newer_layout(layout: int, shown: str) -> PredictionLogError:
    """The error of a log that a newer version of this program upgraded."""
    return PredictionLogError(
        f"The prediction log {shown} has layout {layout}; this program knows {LAYOUT} at most.",
        unchanged=UNCHANGED,
        remedy="Upgrade this program as far as the one that wrote the log.",
    )


def _layout_found(connection: Connection) -> int | None:
    if not sa.inspect(connection).has_table(log_layout.name):
        return None
    return connection.execute(sa.select(log_layout.c.version)).scalar()


def _write_ahead(file: Path) -> None:
    """Put the file into WAL mode, in which readers and the writer do not wait for each other.

    The driver's own waiting does not cover this change of mode, so it is tried again here. It is
    kept in the file.
    """
    for attempt in range(WAL_ATTEMPTS):
        try:
            connection = sqlite3.connect(file, timeout=1)
            try:
                connection.execute("PRAGMA journal_mode = WAL")
            finally:
                connection.close()
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or attempt == WAL_ATTEMPTS - 1:
                return  # the transaction that follows says what is wrong
            time.sleep(PAUSE)
        except sqlite3.DatabaseError:
            return  # likewise
        else:
            return
