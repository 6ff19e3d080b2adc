"""The writer thread: what it tells was committed is there, and nobody waits long for what is
not.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import shutil
import sqlite3
import sys
import threading
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from retraining.errors import MissingDriverError
from retraining.prediction_log import writer as writing
from retraining.prediction_log.connection import JOB, open_database
from retraining.prediction_log.writer import LogWriter, Unobserved, Why, Written
from tests import postgres as postgres_server
from tests.prediction_log.material import MODEL, asked, logged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from retraining.prediction_log.rows import AnsweredRequest


class Watching(Unobserved):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.rows = 0
        self.lost: list[tuple[int, Why]] = []
        self.spells: list[str] = []

    def committed(self, rows: int, seconds: float) -> None:
        self.rows += rows

    def dropped(self, rows: int, why: Why) -> None:
        self.lost.append((rows, why))

    def turned_unwell(self, problem: str) -> None:
        self.spells.append(problem)

    def turned_well(self) -> None:
        self.spells.append("well")


@contextmanager
def started(uri: str, watching: Watching | None = None) -> Iterator[LogWriter]:
    made = LogWriter(uri, MODEL, watching)
    made.start()
    yield made
    assert made.stop(10)


def append(log: LogWriter, *requests: AnsweredRequest) -> list[Written]:
    """All of them at once."""

    async def all_of_them() -> list[Written]:
        return await asyncio.gather(*(log.append(request) for request in requests))

    return asyncio.run(all_of_them())


def rows_in(uri: str) -> set[str]:
    database = open_database(uri, JOB)
    found = set(logged(database))
    database.close()
    return found


def until(condition: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.02)


def until_well(log: LogWriter) -> None:
    until(lambda: log.health().ok)


def nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on a caller that waits for the log would wait for longer than the test may take."""
    monkeypatch.setattr(writing, "LONGEST_WAIT", 10_000)


def test_what_is_told_as_logged_is_committed_and_repeated_ids_are_told(
    uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody_waits(monkeypatch)  # a busy machine may take a second for 200 commits
    watching = Watching()
    with started(uri, watching) as log:
        told = append(log, *(asked(f"a{k}", f"b{k}") for k in range(200)))
        assert told == [Written(logged=True)] * 200
        assert rows_in(uri) == {f"{letter}{k}" for letter in "ab" for k in range(200)}
        assert append(log, asked("a0", "new")) == [Written(logged=True, repeated_ids=("a0",))]
        assert log.health() == writing.LogHealth(True, None, 0, 0, None)
    assert watching.rows == 402
    assert watching.spells == ["well"]


def test_a_commit_is_counted_before_anybody_is_told_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[writing._Waiting] = []
    was_told: list[bool] = []

    class Counting(Watching):
        def committed(self, rows: int, seconds: float) -> None:
            was_told.extend(waiting.future.done() for waiting in taken)

    def take() -> list[writing._Waiting]:
        taken.extend(found := log_take())
        return found

    nobody_waits(monkeypatch)
    with started(f"sqlite:///{tmp_path}/predictions.db", Counting()) as log:
        log_take = log._take
        monkeypatch.setattr(log, "_take", take)
        assert append(log, asked("a")) == [Written(logged=True)]
    assert was_told == [False]


def test_a_stop_commits_what_waits(uri: str) -> None:
    log = LogWriter(uri, MODEL)
    log.start()
    waiting = [log._enqueue(asked(f"a{k}")) for k in range(300)]
    assert log.stop(20)
    told = [one.future.result(0) for one in waiting if isinstance(one, writing._Waiting)]
    assert told == [Written(logged=True)] * 300
    assert len(rows_in(uri)) == 300
    assert not append(log, asked("late"))[0].logged


def test_a_log_that_can_never_be_made_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    watching = Watching()
    nobody_waits(monkeypatch)
    with started("sqlite:////proc/nowhere/predictions.db", watching) as log:
        assert (
            append(log, asked("a", "b"), asked("c"))
            == [Written(logged=False, why="unwritable")] * 2
        )
        health = log.health()
        assert not health.ok
        assert health.dropped == 3
        assert health.last_drop is not None
        assert "/proc/nowhere" in str(health.problem)
        time.sleep(2.5)  # it is looked at again, and told once
    assert len(watching.spells) == 1
    assert watching.lost == [(2, "unwritable"), (1, "unwritable")]


def test_a_driver_that_is_not_installed_is_named_with_the_line_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingDriverError, match="psycopg") as caught:
        open_database("postgresql://ada@127.0.0.1/predictions", JOB)
    assert "pip install" in caught.value.remedy


def test_a_server_that_is_down_shows_nothing_but_its_address() -> None:
    with started("postgresql://someone:open-sesame-4711@127.0.0.1:9/predictions") as log:
        assert not append(log, asked("a"))[0].logged
        problem = str(log.health().problem)
    assert "127.0.0.1" in problem
    assert "sesame" not in problem


@pytest.mark.parametrize("uri", ["sqlite"], indirect=True)
def test_a_lock_held_by_another_keeps_nobody_longer_than_a_second(
    uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    watching = Watching()
    with started(uri, watching) as log, closing(sqlite3.connect(uri[10:])) as other:
        append(log, asked("before"))
        other.isolation_level = None
        other.execute("BEGIN EXCLUSIVE")
        told = append(log, *(asked(f"locked-{k}") for k in range(20)))
        assert not any(one.logged for one in told)
        until(lambda: not log.health().ok)
        nobody_waits(monkeypatch)
        assert not append(log, asked("known to be locked"))[0].logged
        assert log.health().queued == 0
        assert "locked" in str(log.health().problem)
        other.execute("ROLLBACK")
        until_well(log)
        assert append(log, asked("after"))[0].logged
    assert rows_in(uri) == {"before", "after"}, "what was told as not logged was given up"
    assert watching.spells[0] == "well"
    assert len(watching.spells) == 3


@pytest.mark.parametrize("uri", ["sqlite"], indirect=True)
def test_a_full_queue_is_told_at_once_and_bounded(
    uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "MOST_ROWS_WAITING", 30)
    with started(uri) as log, closing(sqlite3.connect(uri[10:])) as other:
        append(log, asked("before"))
        other.isolation_level = None
        other.execute("BEGIN IMMEDIATE")
        told = append(log, *(asked(*(f"{k}-{n}" for n in range(10))) for k in range(12)))
        assert [one.why for one in told].count("full") == 9, told
        other.execute("ROLLBACK")
        until_well(log)


@pytest.mark.parametrize("uri", ["sqlite"], indirect=True)
def test_a_log_that_was_removed_is_made_again_and_no_row_goes_to_the_one_nobody_sees(
    uri: str, caplog: pytest.LogCaptureFixture
) -> None:
    with started(uri) as log:
        append(log, asked("a"))
        shutil.rmtree(Path(uri[10:]).parent)
        told = append(log, asked("b"))[0]
        until_well(log)
        assert append(log, asked("c"))[0].logged
    assert rows_in(uri) == ({"b", "c"} if told.logged else {"c"})
    assert caplog.text.count("rows go to another file") == 1


@pytest.mark.parametrize("uri", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("error", "word"), [("disk is full", "full"), ("disk I/O error", "fails")])
def test_a_disk_that_refuses_is_named(
    uri: str, error: str, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with started(uri) as log:
        append(log, asked("a"))
        real = writing.append_all

        def refuse(*_: object) -> None:
            raise sqlalchemy_error(error)

        monkeypatch.setattr(writing, "append_all", refuse)
        assert not append(log, asked("b"))[0].logged
        assert word in str(log.health().problem)
        monkeypatch.setattr(writing, "append_all", real)
        until_well(log)
        assert append(log, asked("c"))[0].logged
    assert rows_in(uri) == {"a", "c"}


@pytest.mark.parametrize("uri", ["sqlite"], indirect=True)
def test_a_disk_that_stays_full_is_warned_of_once(
    uri: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """While no row comes it looks well, so that each row would begin another spell."""
    monkeypatch.setattr(writing, "LOOK_AGAIN", 0.01)
    real = writing.append_all

    def full_for_rows(connection: Any, name: str, requests: list[AnsweredRequest]) -> Any:
        if requests:
            raise sqlalchemy_error("disk is full")
        return real(connection, name, requests)

    def warnings() -> int:
        return sum("full disk" in record.message for record in caplog.records)

    with caplog.at_level("WARNING"), started(uri) as log:
        for spell in (1, 2):
            monkeypatch.setattr(writing, "append_all", full_for_rows)
            for number in range(3):
                assert not append(log, asked(f"a{spell}{number}"))[0].logged
                until_well(log)
            assert warnings() == spell
            monkeypatch.setattr(writing, "append_all", real)
            assert append(log, asked(f"b{spell}"))[0].logged


def sqlalchemy_error(text: str) -> Exception:
    from sqlalchemy.exc import OperationalError

    return OperationalError("INSERT", {}, sqlite3.OperationalError(text))


@pytest.mark.parametrize("uri", ["sqlite"], indirect=True)
def test_a_row_that_breaks_the_writer_does_not_end_it(
    uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with started(uri) as log:
        bad = asked("a", features={"x": [object()]})
        monkeypatch.setattr(type(bad), "records", lambda *_: 1 / 0)
        assert not append(log, bad)[0].logged
        monkeypatch.undo()
        until_well(log)
        assert append(log, asked("b"))[0].logged


@pytest.mark.parametrize("uri", ["sqlite"], indirect=True)
def test_a_commit_that_hangs_keeps_nobody_waiting_but_those_in_it(
    uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()
    with started(uri) as log:
        real = writing.append_all

        def hang(*arguments: object) -> object:
            release.wait(20)
            return real(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(writing, "append_all", hang)
        assert not append(log, asked("a"))[0].logged
        nobody_waits(monkeypatch)
        assert not append(log, asked("b"))[0].logged
        assert "longer than a second" in str(log.health().problem)
        release.set()
        until_well(log)
        assert append(log, asked("c"))[0].logged
    assert rows_in(uri) == {"a", "c"}


@pytest.mark.parametrize("uri", ["sqlite"], indirect=True)
def test_a_disk_that_fills_up_takes_nothing_that_was_told_as_logged(
    uri: str, tmp_path: Path
) -> None:
    """The limit on a file's size stands for the disk; only a process of its own can have one."""
    child = os.fork()
    if child == 0:
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
            with started(uri) as log:
                told = {f"a{k}": append(log, asked(f"a{k}"))[0].logged for k in range(300)}
            (tmp_path / "told.json").write_text(json.dumps(told))
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    told = json.loads((tmp_path / "told.json").read_text())
    logged_ids = {name for name, was_logged in told.items() if was_logged}
    assert 0 < len(logged_ids) < 300
    assert logged_ids <= rows_in(uri)


@pytest.mark.postgres
def test_a_server_that_restarts_costs_the_rows_of_a_moment_and_no_more() -> None:
    with postgres_server.running() as server:
        address = server.new_database()
        with started(address) as log:
            assert append(log, asked("a"))[0].logged
            server.stop()
            assert not append(log, asked("b"))[0].logged
            server.start()
            until_well(log)
            assert append(log, asked("c"))[0].logged
        assert rows_in(address) == {"a", "c"}
