"""A server that is away, refuses, goes away or hangs: a clear error soon, no secret in it, and
nothing half-delivered.
"""

from __future__ import annotations

import socket
import threading
import time
import traceback
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from pymongo import MongoClient
from pymongo.errors import OperationFailure

from retraining.errors import (
    CredentialsRefusedError,
    FolderGoneError,
    RetrainingError,
    SettingsError,
    StoreError,
    UnreachableError,
)
from retraining.sources.mongodb import export as export_module
from retraining.sources.mongodb.connection import Patience
from retraining.sources.mongodb.fetching import fetch
from retraining.sources.mongodb.ledger import Ledger
from tests.ports import free_port
from tests.sources.mongodb.conftest import Server, start
from tests.sources.mongodb.material import (
    SCHEMA,
    document,
    leftovers_in,
    now,
    project_at,
    serials_in,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pymongo.collection import Collection

    from retraining.settings import Settings

PASSWORD = "correct-horse-battery"
SHORT = Patience(find_a_server=700, hear_an_answer=700)
# for a server that answers before it goes, on a machine that may be busy
GOING = Patience(find_a_server=700, hear_an_answer=8_000)


def failure_of(settings: Settings, patience: Patience = SHORT) -> RetrainingError:
    """The error that an export ends with; neither it nor its traceback may show the password."""
    began = time.monotonic()
    with pytest.raises(RetrainingError) as caught:
        fetch(settings, SCHEMA, clock=now, patience=patience)
    assert time.monotonic() - began < 25, "the driver's own patience is 30 s"
    assert PASSWORD not in "".join(traceback.format_exception(caught.value))
    assert leftovers_in(settings) == []
    return caught.value


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that knows the user ann."""
    server = start(tmp_path_factory.mktemp("guarded"), password=PASSWORD)
    yield server
    server.stop()


def address_of(server: Server, user: str) -> str:
    return server.uri.replace("mongodb://", f"mongodb://{user}@")


def test_server_that_is_not_there_is_unreachable(tmp_path: Path) -> None:
    settings = project_at(tmp_path, f"mongodb://ann:{PASSWORD}@127.0.0.1:{free_port()}/", "fleet")
    error = failure_of(settings)
    assert isinstance(error, UnreachableError)
    assert "Connection refused" in error.what
    assert "127.0.0.1" in error.what


def test_server_that_never_answers_is_given_up_soon(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        settings = project_at(
            tmp_path, f"mongodb://ann:{PASSWORD}@127.0.0.1:{silent.getsockname()[1]}/", "fleet"
        )
        assert isinstance(failure_of(settings), UnreachableError)


@pytest.mark.parametrize(
    "uri",
    [
        f"mongodb://ann:a/{PASSWORD}@h/",
        f"mongodb://127.0.0.1:{PASSWORD}/",
        f"redis://ann:{PASSWORD}@h/",
    ],
)
def test_malformed_address_is_a_settings_error_that_does_not_quote_it(
    uri: str, tmp_path: Path
) -> None:
    error = failure_of(project_at(tmp_path, uri, "fleet"))
    assert isinstance(error, SettingsError)
    assert "MONGO_URI" in error.what


def test_user_without_a_password_is_told_as_such(tmp_path: Path) -> None:
    error = failure_of(project_at(tmp_path, "mongodb://ann@127.0.0.1/", "fleet"))
    assert isinstance(error, SettingsError)
    assert "names a user and no password" in error.what


@pytest.mark.mongodb
def test_view_that_shows_no_ids_is_a_settings_error(
    project: Settings, readings: Collection[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """FerretDB has no views, so the answer is the one that such a view gives."""
    readings.insert_one(document(1))
    monkeypatch.setattr(type(readings), "find_one", lambda *_: {})
    error = failure_of(project)
    assert isinstance(error, SettingsError)
    assert "a view without _id" in error.what


@pytest.mark.mongodb
@pytest.mark.parametrize("user", ["ann:wrong-" + PASSWORD[::-1], "bob:" + PASSWORD])
def test_wrong_user_or_password_is_refused_credentials(
    user: str, guarded: Server, tmp_path: Path
) -> None:
    error = failure_of(project_at(tmp_path, address_of(guarded, user), "fleet"), Patience())
    assert isinstance(error, CredentialsRefusedError)
    assert "refused the user or the password" in error.what


@pytest.mark.mongodb
def test_no_password_is_refused_credentials(guarded: Server, tmp_path: Path) -> None:
    error = failure_of(project_at(tmp_path, guarded.uri, "fleet"), Patience())
    assert isinstance(error, CredentialsRefusedError)
    assert "readWrite on fleet" in error.remedy


@pytest.mark.mongodb
def test_right_password_is_let_in(guarded: Server, tmp_path: Path) -> None:
    settings = project_at(tmp_path, address_of(guarded, "ann:" + PASSWORD), "fleet")
    with MongoClient[dict[str, Any]](str(settings.mongo_uri)) as client:
        client["fleet"]["readings"].insert_one(document(1))
    assert fetch(settings, SCHEMA, clock=now).rows == 1


@pytest.mark.mongodb
def test_user_who_may_only_read_is_told_which_role_is_missing(
    project: Settings, readings: Collection[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """FerretDB has no roles, so the answer is the one that mongod gives to an index on the
    ledger.
    """

    def refuse(ledger: Ledger) -> None:
        raise OperationFailure("not authorized on fleet to execute command", code=13)

    readings.insert_one(document(1))
    monkeypatch.setattr(Ledger, "open", refuse)
    error = failure_of(project)
    assert isinstance(error, CredentialsRefusedError)
    assert "find, insert, update and createIndex on readings_retraining" in error.remedy
    assert serials_in(project) == {}


@pytest.mark.mongodb
@pytest.mark.parametrize(
    "place",
    [
        "mongodb_after_aside",
        "mongodb_after_claim",
        "mongodb_after_rename",
        "mongodb_after_delivered",
    ],
)
def test_server_killed_during_an_export_leaves_whole_files_only(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = start(tmp_path)
    settings = project_at(tmp_path / "project", server.uri, "fleet")
    with MongoClient[dict[str, Any]](server.uri) as client:
        client["fleet"]["readings"].insert_many([document(n) for n in range(35)])
    passed: list[str] = []

    def stop_at_the_second(reached: str) -> None:
        passed.append(reached)
        if reached == place and passed.count(place) == 2:
            server.stop()

    monkeypatch.setattr(export_module, "kill_point", stop_at_the_second)
    with pytest.raises(UnreachableError) as caught:
        fetch(settings, SCHEMA, clock=now, patience=GOING)
    assert caught.value.exit_code == 69
    assert len(serials_in(settings)) % 10 == 0
    again = start(tmp_path)
    revived = project_at(tmp_path / "project", again.uri, "fleet")
    fetch(revived, SCHEMA, clock=now)
    again.stop()
    assert serials_in(revived) == dict.fromkeys(range(35), 1)
    assert leftovers_in(revived) == []


class CuttingProxy:
    """Passes bytes on until the server has sent `budget` of them, then cuts every connection and
    lets nobody in.
    """

    def __init__(self, port: int, budget: int) -> None:
        self.budget, self._port = budget, port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while self.budget > 0:
            client, _ = self._listener.accept()
            if self.budget <= 0:
                client.close()
                break
            server = socket.create_connection(("127.0.0.1", self._port))
            for source, target, answers in ((client, server, False), (server, client, True)):
                threading.Thread(
                    target=self._pass_on,
                    args=(source, target),
                    kwargs={"answers": answers},
                    daemon=True,
                ).start()
        self._listener.close()

    def _pass_on(self, source: socket.socket, target: socket.socket, *, answers: bool) -> None:
        try:
            while data := source.recv(4096):
                self.budget -= len(data) if answers else 0
                if self.budget <= 0:
                    break
                target.sendall(data)
        except OSError:
            pass
        for end in (source, target):
            end.close()


@pytest.mark.mongodb
def test_cursor_lost_in_the_middle_of_a_scan_keeps_what_was_complete(
    mongodb: str, database: str, readings: Collection[dict[str, Any]], tmp_path: Path
) -> None:
    readings.insert_many([document(n, filler="x" * 1000) for n in range(400)])
    proxy = CuttingProxy(int(mongodb.rstrip("/").rpartition(":")[2]), budget=200_000)
    cut = project_at(tmp_path, f"mongodb://127.0.0.1:{proxy.port}/", database)
    assert isinstance(failure_of(cut, GOING), UnreachableError)
    before = serials_in(cut)
    assert 0 < len(before) < 400
    settings = project_at(tmp_path, mongodb, database)
    fetch(settings, SCHEMA, clock=now)
    assert serials_in(settings) == dict.fromkeys(range(400), 1)


@pytest.mark.mongodb
def test_missing_folder_stops_before_anything_is_claimed(
    project: Settings, readings: Collection[dict[str, Any]]
) -> None:
    readings.insert_one(document(1))
    project.used_data_dir.rmdir()
    assert isinstance(failure_of(project), FolderGoneError)
    project.used_data_dir.mkdir()
    assert fetch(project, SCHEMA, clock=now).rows == 1


@pytest.mark.mongodb
def test_full_disk_claims_nothing(
    project: Settings, readings: Collection[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    readings.insert_many([document(n) for n in range(15)])
    with monkeypatch.context() as broken:
        broken.setattr("retraining.sources.outbox.os.fsync", full)
        error = failure_of(project)
    assert isinstance(error, StoreError)
    assert "No space left" in error.what
    assert fetch(project, SCHEMA, clock=now).rows == 15
