"""A server that is refused, hangs, breaks down, or breaks down after it did what it was asked: an
error in time, nothing twice.
"""

from __future__ import annotations

import itertools
import os
import re
import sqlite3
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
import sqlalchemy
import sqlalchemy.event

from retraining.errors import (
    CredentialsRefusedError,
    DamagedStoreError,
    RetrainingError,
    StoreError,
    UnreachableError,
)
from retraining.model_registry.connection import Connection
from retraining.model_registry.mlflow_registry import MlflowRegistry
from tests.model_registry.misbehaving import Front, in_front_of
from tests.model_registry.samples import STARTED, candidate, end, project
from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from retraining.settings import Settings

CREATE_RUN, CREATE_VERSION = "/runs/create", "/model-versions/create"
MADE_BEFORE = ("/experiments/create", "/logged-models", "/registered-models/create")


@pytest.fixture(autouse=True)
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "2")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")


@pytest.fixture
def front(proxying_server: str) -> Iterator[Front]:
    with in_front_of(proxying_server) as server:
        yield server


@pytest.fixture
def behind(front: Front, tmp_path: Path, request: pytest.FixtureRequest) -> Settings:
    """A project whose server is the misbehaving one."""
    name = re.sub(r"\W", "-", request.node.name)
    return project(tmp_path, front.url, MODEL_NAME=name, MLFLOW_EXPERIMENT_NAME=name)


def once(ending: str, then: str, front: Front) -> None:
    """Misbehave on the first request whose path ends so."""
    front.rule = lambda _, path: (
        then if path.endswith(ending) and front.requests_of(ending) == 1 else "pass"
    )


def says_three_useful_lines(error: RetrainingError, *words: str) -> None:
    what, unchanged, remedy = error.lines()
    assert all(word in what for word in words), what
    assert unchanged
    assert "MLFLOW_TRACKING_URI" in remedy


def test_a_refused_connection_is_told_without_the_password(tmp_path: Path) -> None:
    port = free_port()
    registry = MlflowRegistry(project(tmp_path, f"http://ada:geheim@127.0.0.1:{port}"))
    with pytest.raises(UnreachableError) as caught:
        registry.facts()
    says_three_useful_lines(caught.value, f"http://127.0.0.1:{port}", "Connection refused")
    assert "geheim" not in "".join(caught.value.lines())


def test_after_the_first_unreachable_error_no_further_call_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = MlflowRegistry(project(tmp_path, f"http://127.0.0.1:{free_port()}"))
    with pytest.raises(UnreachableError):
        registry.facts()
    monkeypatch.setattr(Connection, "_open", lambda _: pytest.fail("another call was made"))
    for question in (registry.facts, registry.versions, registry.end_abandoned_runs):
        with pytest.raises(UnreachableError):
            question()


def test_nothing_is_created_after_the_first_unreachable_error() -> None:
    asked = []
    connection = Connection("sqlite://", patience=0.5)
    with pytest.raises(UnreachableError):
        connection.ask(asked.append)
    with pytest.raises(UnreachableError):
        connection.create(asked.append, asked.append)
    assert asked == []


@pytest.mark.server
@pytest.mark.parametrize(
    ("answer", "advice"),
    [("503", "Look at the MLflow server's log and at its database"), ("hang", "Start the MLflow")],
)
def test_a_server_that_does_not_answer_is_unreachable(
    answer: str, advice: str, front: Front, behind: Settings
) -> None:
    front.rule = lambda method, path: answer
    began = time.monotonic()
    with pytest.raises(UnreachableError) as caught:
        MlflowRegistry(behind).facts()
    says_three_useful_lines(caught.value, front.url)
    assert caught.value.remedy.startswith(advice)
    assert time.monotonic() - began < 60


@pytest.mark.server
def test_refused_credentials_need_a_person(front: Front, behind: Settings) -> None:
    front.rule = lambda method, path: "401"
    with pytest.raises(CredentialsRefusedError, match="401"):
        MlflowRegistry(behind).facts()


@pytest.mark.server
def test_a_broken_server_is_an_error_of_the_store_not_of_reach(
    front: Front, behind: Settings
) -> None:
    front.rule = lambda method, path: "500"
    with pytest.raises(StoreError, match="500"):
        MlflowRegistry(behind).facts()


def test_slow_answers_use_up_one_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Connection, "_open", lambda self: None)
    connection = Connection("sqlite://", patience=1.2)
    connection.ask(lambda _: time.sleep(0.3))
    with pytest.raises(UnreachableError, match="used up"):
        connection.ask(lambda _: None)


def test_a_transfer_has_time_for_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Connection, "_open", lambda self: None)
    connection = Connection("sqlite://", patience=1.2)
    connection.ask(lambda _: time.sleep(0.3), allowance=1)
    connection.ask(lambda _: None)


def test_no_request_may_outlast_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "600")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    monkeypatch.setattr(Connection, "_open", lambda self: None)

    def longest_wait(_: object) -> int:
        return int(os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"]) * (
            int(os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"]) + 1
        )

    assert Connection("http://127.0.0.1:1", patience=110).ask(longest_wait) <= 102


@pytest.mark.server
@pytest.mark.parametrize(
    ("ending", "instead"),
    [
        *itertools.product(
            (CREATE_RUN, CREATE_VERSION), ("after-503", "after-500", "after-drop", "503")
        ),
        *((path, "after-503") for path in MADE_BEFORE),
    ],
)
def test_what_was_created_though_the_answer_was_an_error_is_not_created_again(
    ending: str, instead: str, front: Front, behind: Settings, proxying_server: str
) -> None:
    once(ending, instead, front)
    registry = MlflowRegistry(behind)
    run_id = registry.begin_cycle("cycle-1", STARTED)
    assert registry.register(candidate(), parent=run_id, run_name="ModelRetraining") == 1
    end(registry, run_id)
    seen = MlflowRegistry(
        project(
            behind.project,
            proxying_server,
            MODEL_NAME=behind.model_name,
            MLFLOW_EXPERIMENT_NAME=behind.model_name,
        )
    )
    assert [version.number for version in seen.versions()] == [1]
    assert seen.open_runs() == 0
    assert len(seen.cycle_records()) == 1


@pytest.mark.server
def test_a_server_that_dies_while_a_version_is_created_leaves_no_guess(
    front: Front, behind: Settings
) -> None:
    registry = MlflowRegistry(behind)
    run_id = registry.begin_cycle("cycle-1", STARTED)
    front.rule = lambda _, path: "503" if front.requests_of(CREATE_VERSION) else "pass"
    with pytest.raises(UnreachableError):
        registry.register(candidate(), parent=run_id, run_name="ModelRetraining")
    assert front.requests_of(CREATE_VERSION) == 1
    front.rule = lambda method, path: "pass"
    later = MlflowRegistry(behind)
    assert later.versions() == ()
    assert later.end_abandoned_runs() == 2


def test_a_store_that_is_locked_for_a_while_is_waited_for(on_sqlite: Settings) -> None:
    registry = MlflowRegistry(on_sqlite)
    registry.begin_cycle("cycle-1", STARTED)
    file = Connection(on_sqlite.mlflow_tracking_uri).sqlite_file
    assert file is not None
    with closing(sqlite3.connect(file, check_same_thread=False)) as other:
        other.execute("BEGIN EXCLUSIVE")
        threading.Timer(2, other.rollback).start()
        registry.begin_cycle("cycle-2", STARTED)


def test_a_store_that_stays_locked_is_said_to_be_in_time(on_sqlite: Settings) -> None:
    registry = MlflowRegistry(on_sqlite, patience=7)
    file = Connection(on_sqlite.mlflow_tracking_uri).sqlite_file
    assert file is not None
    began = time.monotonic()
    with closing(sqlite3.connect(file)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(UnreachableError, match="locked") as caught:
            registry.facts()
    assert time.monotonic() - began < 60
    assert "fuser" in caught.value.remedy


@pytest.mark.parametrize(
    ("trouble", "cause", "remedy"),
    [
        (
            "PRAGMA max_page_count = 1",
            "disk of the MLflow store .* is full: database or disk is full",
            "Free space",
        ),
        (
            "PRAGMA query_only = ON",
            "This user may not read and write .*: attempt to write a readonly database",
            "Give the job's user the right",
        ),
    ],
)
def test_a_store_that_cannot_be_written_names_the_cause_and_no_server(
    on_sqlite: Settings, trouble: str, cause: str, remedy: str
) -> None:
    """As sqlite and MLflow tell it: a full disk and a file without permission look the same to a
    test that may write everything.
    """

    def in_trouble(connection: sqlite3.Connection, _: object) -> None:
        connection.execute(trouble)

    sqlalchemy.event.listen(sqlalchemy.Engine, "connect", in_trouble)
    try:
        registry = MlflowRegistry(on_sqlite)
        with pytest.raises(StoreError, match=cause) as caught:
            write_much(registry)
    finally:
        sqlalchemy.event.remove(sqlalchemy.Engine, "connect", in_trouble)
    assert caught.value.exit_code == 1
    assert caught.value.remedy.startswith(remedy)


def write_much(registry: MlflowRegistry) -> None:
    """Until the database needs a page more than it has."""
    for number in range(500):
        registry.begin_cycle(f"cycle-{number}", STARTED)


def test_however_short_the_locks_are_they_are_told_when_the_time_is_used_up(
    on_sqlite: Settings,
) -> None:
    def locked(_: object) -> None:
        time.sleep(0.1)
        raise sqlite3.OperationalError("database is locked")

    with pytest.raises(UnreachableError, match="locked"):
        Connection(on_sqlite.mlflow_tracking_uri, patience=1.5).ask(locked)


def test_a_file_that_is_no_store_is_named_at_once(on_sqlite: Settings) -> None:
    file = Connection(on_sqlite.mlflow_tracking_uri).sqlite_file
    assert file is not None
    file.write_bytes(b"no database at all\n" * 100)
    began = time.monotonic()
    with pytest.raises(DamagedStoreError, match="not a database"):
        MlflowRegistry(on_sqlite).facts()
    assert time.monotonic() - began < 60, "MLflow's own patience is 102 s"


def test_a_database_server_that_is_down_is_told_at_once(tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(UnreachableError) as caught:
        MlflowRegistry(
            project(tmp_path, f"postgresql://ada:geheim@127.0.0.1:{free_port()}/mlflow")
        ).facts()
    assert time.monotonic() - began < 60, "MLflow's own patience is 102 s"
    assert "geheim" not in "".join(caught.value.lines())
