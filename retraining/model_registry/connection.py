"""A connection to MLflow: one limit on all the time spent waiting, errors that say what to do."""

from __future__ import annotations

import fcntl
import logging
import math
import os
import socket
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote, urlsplit

from mlflow import MlflowClient
from mlflow.store.db.utils import create_sqlalchemy_engine
from sqlalchemy import inspect, text

from retraining.errors import DamagedStoreError, UnreachableError
from retraining.model_registry.failures import (
    UnclearStoreError,
    is_locked,
    translated,
    unreachable,
    without_credentials,
)
from retraining.model_registry.store_schema import check_revision

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
PATIENCE = (
    110.0  # seconds of waiting on MLflow in a cycle: an error must be told within two minutes
)
_REVISIONS = "alembic_version"  # the table in which MLflow's migrations keep where they stand
_EXPERIMENTS = "experiments"  # a table that every store of MLflow has
_ASK_REVISION = f"SELECT version_num FROM {_REVISIONS}"  # noqa: S608 - a name of ours
_DATABASE_PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}


class Connection:
    """The client of one store or server.

    After the first `UnreachableError` every further call raises it at once.

    Args:
        uri: the tracking URI, which is the registry's too.
        patience: seconds that all calls together may take; transfers of artifacts get an allowance
            for their size.
    """

    def __init__(self, uri: str, *, patience: float = PATIENCE) -> None:
        self.uri = uri
        self.is_server = uri.startswith(("http://", "https://"))
        self._left = patience
        self._client: MlflowClient | None = None
        self._lost: UnreachableError | None = None
        self._timeout = _whole_seconds("MLFLOW_HTTP_REQUEST_TIMEOUT", 30)
        self._retries = _whole_seconds("MLFLOW_HTTP_REQUEST_MAX_RETRIES", 2)
        _quiet_mlflow()

    @property
    def sqlite_file(self) -> Path | None:
        """The database file of a local sqlite store."""
        prefix = "sqlite:///"
        if not self.uri.startswith(prefix):
            return None
        path, _, _ = self.uri.removeprefix(prefix).partition("?")
        return Path(unquote(path))

    def holds_a_store(self) -> bool:
        """Whether reading can find anything: opening a sqlite file that is not there would create
        it.
        """
        file = self.sqlite_file
        return file is None or (file.is_file() and file.stat().st_size > 0)

    def ask(self, question: Callable[[MlflowClient], T], *, allowance: float = 0.0) -> T:
        """Read, or write what may be written twice.

        `allowance` is the seconds that are work and not waiting.
        """
        return self._tell(question, self._retries, allowance)

    def create(
        self, make: Callable[[MlflowClient], T], find: Callable[[MlflowClient], T | None]
    ) -> T:
        """Write what must not be written twice: after an unclear answer it is looked up before it
        is tried once more.
        """
        if self._lost is not None:
            raise self._lost
        try:
            return self._tell(make, 0, 0.0)
        except (UnreachableError, UnclearStoreError):
            self._lost = None  # the look-up decides whether the store is lost
            found = self.ask(find)
            if found is None and self._left < 1:
                raise
            return found if found is not None else self._tell(make, 0, 0.0)

    def _tell(self, question: Callable[[MlflowClient], T], retries: int, allowance: float) -> T:
        if self._lost is not None:
            raise self._lost
        while True:
            began = time.monotonic()
            self._limit_waiting(retries)
            try:
                return question(self._open())
            except Exception as error:
                spent = time.monotonic() - began
                # there is time for another such attempt
                if is_locked(error) and self._left - spent > max(1.0, spent):
                    continue
                failure = translated(error, self.uri)
                if isinstance(failure, UnreachableError):
                    self._lost = failure
                if failure is error:  # it names its cause already, and must not become its own
                    raise
                raise failure from error
            finally:
                self._left -= max(0.0, time.monotonic() - began - allowance)

    def _limit_waiting(self, retries: int) -> None:
        """MLflow reads its patience from the environment at every request: no request may outlast
        what is left of ours.
        """
        # MLflow waits 2, 4, 8 s between its attempts
        pauses = 2.0 ** (retries + 1) if retries else 0.0
        seconds = (
            math.floor((self._left - pauses) / (retries + 1)) if self.is_server else self._left
        )
        if seconds < 1:
            self._lost = unreachable(
                self.uri, "the time for waiting on it in one cycle is used up."
            )
            raise self._lost
        if self.is_server:
            os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] = str(min(self._timeout, seconds))
            os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = str(retries)

    def _open(self) -> MlflowClient:
        if self._client is None:
            if self.sqlite_file is not None:
                _prepare_sqlite(self.sqlite_file)
            elif not self.is_server:
                _knock(self.uri)
            self._client = MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)
        return self._client


def sqlite_uri(file: Path) -> str:
    """The URI of a sqlite file: SQLAlchemy decodes it, MLflow makes its folder without decoding, so
    no more is quoted than must be.
    """
    return "sqlite:///" + str(file).replace("%", "%25").replace("?", "%3F")


def _prepare_sqlite(file: Path) -> None:
    """Name a file that is no database, or is locked, at once: MLflow tries it for 102 s.

    Make sure that a store is whole or not there.
    """
    if file.is_file() and file.stat().st_size > 0:
        # not mode=ro: what a process left that died in the middle of a commit is rolled back by the
        # first who may write
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=rw", uri=True)) as database:
            tables = database.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table'"
            ).fetchall()
            stamp = None
            if (_REVISIONS,) in tables:
                stamp = database.execute(_ASK_REVISION).fetchone()
        if stamp is None and (_EXPERIMENTS,) in tables:
            raise DamagedStoreError(
                f"The MLflow store {sqlite_uri(file)} has MLflow's tables but not the mark of its"
                " version: it was restored in part only.",
                remedy="Restore the whole file from a backup.",
            )
        check_revision(stamp and stamp[0], sqlite_uri(file))
    else:
        file.parent.mkdir(parents=True, exist_ok=True)
        _make_sqlite(file)


def _make_sqlite(file: Path) -> None:
    """Create a store aside, then name it.

    Of several processes one does, since two on one file leave it unopenable.
    """
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        if not file.is_file() or file.stat().st_size == 0:
            aside = file.with_name(f".{file.name}.being-made")
            aside.unlink(missing_ok=True)  # a dead process's
            MlflowClient(tracking_uri=sqlite_uri(aside), registry_uri=sqlite_uri(aside))
            aside.replace(file)
    finally:
        os.close(folder)


def _knock(uri: str) -> None:
    """MLflow tries a database that is down, or refuses the user, for 102 s.

    One try here takes ten at most.
    """
    parts = urlsplit(uri)
    port = parts.port or _DATABASE_PORTS.get(parts.scheme.partition("+")[0])
    if parts.hostname and port:
        socket.create_connection((parts.hostname, port), timeout=10).close()
    engine = create_sqlalchemy_engine(uri)
    try:
        with engine.connect() as database:
            has_tables = inspect(database).has_table(_REVISIONS)
            found = database.scalar(text(_ASK_REVISION)) if has_tables else None
    finally:
        engine.dispose()
    check_revision(found, without_credentials(uri))


def _whole_seconds(name: str, default: int) -> int:
    text = os.environ.get(name, "")
    return int(text) if text.isdecimal() else default


def _quiet_mlflow() -> None:
    """MLflow logs a traceback for every error that we translate, gives advice that is not for our
    users, and prints links on stdout.
    """
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    if not logging.getLogger().isEnabledFor(logging.DEBUG):
        for name in ("mlflow", "alembic"):
            logging.getLogger(name).setLevel(logging.CRITICAL)


def paged(search: Callable[..., Any], *, at_most: int | None = None, **arguments: Any) -> list[Any]:
    """All pages of one of the client's searches, or enough of them for `at_most` results."""
    items: list[Any] = []
    token = None
    while True:
        page = search(**arguments, page_token=token)
        items += page
        token = page.token
        if not token or (at_most is not None and len(items) >= at_most):
            return items[:at_most]
