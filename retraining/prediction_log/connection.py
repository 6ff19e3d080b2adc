"""Connections to the log, with a limit for all waiting, and its errors as ours.

No text of a driver's is shown that could hold a part of the address: it may quote the password.
"""

from __future__ import annotations

import contextlib
import os
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from retraining.drivers import missing_driver
from retraining.errors import MissingDriverError, UnreachableError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator

    from sqlalchemy.engine import URL, Connection, Engine

UNCHANGED = "No row of the log was changed; what was committed before stays."


class PredictionLogError(UnreachableError):
    """The prediction log cannot be reached, read or written."""


@dataclass(frozen=True)
class Patience:
    """Longest waits in seconds: for a server or a lock, and for the answer to one statement."""

    to_connect: float = 10.0
    for_a_lock: float = 20.0
    for_an_answer: float = 60.0


# A caller waits a second for the log; a writer that gave up tries again at once, so it need not
# wait longer.
SERVICE = Patience(to_connect=2.0, for_a_lock=1.0, for_an_answer=5.0)
JOB = Patience()


@dataclass(frozen=True)
class Database:
    """An opened address: the engine, how it is named to people, and the file where it is sqlite."""

    engine: Engine
    shown: str
    file: Path | None

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a file of this machine."""
        return self.file is not None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that sees one state of the log and changes nothing.

        Raises:
            PredictionLogError: the log cannot be reached or read.
        """
        with self._in_our_words(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that is committed at the end, or rolled back where anything raises.

        In sqlite it holds the write lock from its beginning: a transaction that reads first and
        writes later can fail on what others wrote in between, however long it waits.

        Raises:
            PredictionLogError: the log cannot be reached or written.
        """
        with self._in_our_words(), self.engine.connect() as plain:
            connection = plain.execution_options(retraining_writes=True)
            with connection.begin():
                yield connection

    def close(self) -> None:
        """Let go of all connections."""
        self.engine.dispose()

    @contextmanager
    def _in_our_words(self) -> Iterator[None]:
        try:
            yield
        except (DBAPIError, PoolTimeoutError) as error:
            raise in_our_words(error, self.shown) from error


def open_database(uri: str, patience: Patience, *, waits_for_the_disk: bool = True) -> Database:
    """An engine for the address; nothing is connected or made yet.

    Args:
        uri: `sqlite:///PATH` or `postgresql://...`, as `Settings.prediction_log_uri`.
        patience: how long its connections wait.
        waits_for_the_disk: whether a commit to sqlite outlives a power cut too, not only a kill.
            PostgreSQL's own settings say so.

    Raises:
        MissingDriverError: PostgreSQL's driver is not installed.
    """
    url = sa.make_url(uri)
    if url.get_backend_name() == "sqlite":
        return _sqlite(url, patience, waits_for_the_disk=waits_for_the_disk)
    return _postgresql(url, patience)


def in_our_words(error: DBAPIError | PoolTimeoutError, shown: str) -> PredictionLogError:
    """The error that a person reads, by what the driver said and never in its words."""
    why, remedy = _cause(error)
    return PredictionLogError(
        f"The prediction log {shown} {why}.", unchanged=UNCHANGED, remedy=remedy
    )


def _sqlite(url: URL, patience: Patience, *, waits_for_the_disk: bool) -> Database:
    file = Path(str(url.database))
    arguments = {"timeout": patience.for_a_lock, "check_same_thread": False}
    engine = sa.create_engine(
        url, connect_args=arguments, pool_size=8, max_overflow=32, hide_parameters=True
    )

    @event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _: Any) -> None:
        # The driver would begin a transaction only before the first change, and so too late: see
        # `begin`.
        connection.isolation_level = None
        connection.execute(f"PRAGMA synchronous = {'FULL' if waits_for_the_disk else 'NORMAL'}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("retraining_writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return Database(engine, str(file), file)


def _postgresql(url: URL, patience: Patience) -> Database:
    url = url.set(drivername="postgresql+psycopg")
    limits = {
        "statement_timeout": round(patience.for_an_answer * 1000),
        "lock_timeout": round(patience.for_a_lock * 1000),
        "idle_in_transaction_session_timeout": 120_000,  # a killed client's locks go with it
        "timezone": "UTC",
    }
    given = url.query.get("options", "")
    ours = " ".join(f"-c {name}={value}" for name, value in limits.items())
    arguments: dict[str, Any] = {
        "options": f"{given} {ours}".strip(),
        "connect_timeout": max(2, round(patience.to_connect)),  # libpq takes no less
        "application_name": "retraining",
        # A server that is gone without a word is noticed by the kernel.
        "tcp_user_timeout": round(patience.for_an_answer * 1000),
        "keepalives_idle": 30,
    }
    try:
        engine = sa.create_engine(
            url.difference_update_query(["options"]),
            connect_args=arguments,
            pool_size=4,
            max_overflow=16,
            pool_timeout=patience.to_connect,
            pool_pre_ping=True,
            hide_parameters=True,  # callers' values stand in no error
        )
    except ImportError as error:
        driver = missing_driver(error)
        if driver is None:
            raise
        raise MissingDriverError(
            f"The prediction log needs the package {driver.package}, which is not installed here.",
            remedy=f"{driver.remedy}: PREDICTION_LOG_URI.",
        ) from error

    host = url.host or url.query.get("host") or "localhost"
    return Database(engine, f"on PostgreSQL at {host}", None)


_CAUSES = (
    # (words of the driver, what that means, what to do)
    ("database is locked", "is locked by another program", "Find who holds it open, and end that."),
    ("disk is full", "is on a full disk", "Free some space; nothing else needs to be done."),
    ("readonly", "may not be written by this user", "Mend the rights of the file and its folder."),
    ("read-only", "is on a read-only disk or server", "Mount it writable, or name another one."),
    ("unable to open", "cannot be opened or made there",
     "Check PREDICTION_LOG_URI and the rights."),
    ("not a database", "is no sqlite database", "Move the file away: a new log is made."),
    ("malformed", "is damaged", "Move the file away and restore it from a backup."),
    ("disk i/o", "cannot be read or written: the disk fails", "Look at the disk."),
    ("password authentication", "refused the user or the password", "Correct PREDICTION_LOG_URI."),
    ("no password supplied", "needs a password", "Correct PREDICTION_LOG_URI."),
    ("permission denied", "lacks a right that the log needs",
     "Grant the user CREATE on the schema."),
    ("does not exist", "or a part of it is not there",
     "Create the database; its tables are then created for you."),
    ("statement timeout", "did not answer in time", "Find out what keeps the server busy."),
    ("lock timeout", "is locked by another connection", "Find out what keeps the server busy."),
)  # fmt: skip


def _cause(error: DBAPIError | PoolTimeoutError) -> tuple[str, str]:
    said = str(error.orig if isinstance(error, DBAPIError) else error).lower()
    for words, why, remedy in _CAUSES:
        if words in said:
            return why, remedy
    return "cannot be reached", "Start the server, or correct PREDICTION_LOG_URI."


def make_folder_of(file: Path) -> None:
    """Make the folder that a sqlite log lies in.

    Raises:
        PredictionLogError: it cannot be made.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = os.strerror(error.errno or 0)
        raise PredictionLogError(
            f"The folder of the prediction log {file} cannot be made: {why}.",
            unchanged=UNCHANGED,
            remedy="Check PREDICTION_LOG_URI and the rights of the folders above it.",
        ) from error


def identity_of(file: Path) -> tuple[int, int] | None:
    """What tells a file from another of the same name; None where none is there."""
    with contextlib.suppress(OSError):
        found = file.stat()
        return found.st_dev, found.st_ino
    return None
