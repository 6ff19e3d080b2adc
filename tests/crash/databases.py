"""Where a project's registry keeps its rows: saved, put back and compared, whoever has it open."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import psycopg
from psycopg import sql

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.postgres import Postgres

FILE = Path("mlflow_server/backend_db/mlflow.db")
Event = Literal["stop", "restart", "end connections"]
EVENTS: tuple[Event, ...] = ("stop", "restart", "end connections")


class Database(Protocol):
    """The rows of one project's MLflow, and copies of them by name."""

    @property
    def uri(self) -> str:
        """As MLFLOW_TRACKING_URI has it."""

    def save(self, kept: Path) -> None:
        """Keep the rows as they are, beside or in the copy of the project's folder at `kept`."""

    def restore(self, kept: Path) -> None:
        """Put them back, also under a server that has the database open."""

    def digest(self) -> str:
        """A digest of every row."""


@dataclass(frozen=True)
class SqliteFile:
    """The file of a project's own store."""

    project: Path

    @property
    def uri(self) -> str:
        return f"sqlite:///{self.project / FILE}"

    def save(self, kept: Path) -> None:
        """Nothing is to be done: the file is part of the folder's copy."""

    def restore(self, kept: Path) -> None:
        """Filled by sqlite and not swapped, since a server may have it open."""
        saved, live = sqlite3.connect(kept / FILE), sqlite3.connect(self.project / FILE)
        with closing(saved), closing(live):
            saved.backup(live)

    def digest(self) -> str:
        with closing(sqlite3.connect(self.project / FILE)) as store:
            return _digest(store.iterdump())


@dataclass(frozen=True)
class PostgresDatabase:
    """A database of its own on a real PostgreSQL server, and copies of it beside it there."""

    server: Postgres
    uri: str

    @property
    def name(self) -> str:
        return self.uri.rpartition("/")[2]

    def save(self, kept: Path) -> None:
        self._copy(self.name, self._kept_as(kept))

    def restore(self, kept: Path) -> None:
        self._copy(self._kept_as(kept), self.name)

    def digest(self) -> str:
        with psycopg.connect(self.uri.replace("+psycopg", "")) as connection:
            found = connection.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"
            ).fetchall()
            rows: list[Any] = []
            for (table,) in found:
                query = sql.SQL("SELECT t::text FROM {} AS t ORDER BY 1")
                rows.append(table)
                rows += [row for (row,) in connection.execute(query.format(sql.Identifier(table)))]
        return _digest(rows)

    def have(self, event: Event) -> None:
        """Let that happen to the server, or to all connections to this database."""
        if event == "stop":
            self.server.stop()
        elif event == "restart":
            self.server.stop()
            self.server.start()
        else:
            self.server.do(_end_connections(self.name))

    def _kept_as(self, kept: Path) -> str:
        return f"{self.name} {kept.suffix.removeprefix('.')}"

    def _copy(self, source: str, target: str) -> None:
        """A killed start's connection may still be there: it ends first."""
        self.server.do(
            _end_connections(source),
            f'DROP DATABASE IF EXISTS "{target}" WITH (FORCE)',
            f'CREATE DATABASE "{target}" TEMPLATE "{source}"',
        )


def _end_connections(name: str) -> str:
    return f"SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = '{name}'"


def _digest(rows: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()
