"""A process that has imported everything and forks a worker for each start: a start with all
imports costs five seconds, a fork none.

Reads one JSON request a line from stdin, a list of starts that run at the same time, and answers
with one line: how each ended. A worker takes the real lock and opens the real store; it may be told
to die at a kill point or by the clock, or that a call to the operating system fails.
"""

from __future__ import annotations

import functools
import gc
import importlib
import json
import os
import pkgutil
import signal
import sys
import time
import traceback
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow.store.db.utils
import sqlalchemy
import sqlalchemy.event
import sqlalchemy.orm

import retraining
from retraining import kill_points
from retraining.commands import run
from tests.crash import registry_side
from tests.crash.databases import PostgresDatabase
from tests.crash.faults import Fault
from tests.crash.places import surround
from tests.postgres import Postgres
from tests.projects import _main

if TYPE_CHECKING:
    from collections.abc import Callable

NO_ANSWER_AFTER = 150  # seconds; a start owes an answer within two minutes
HEAVY = (
    "alembic.command",
    "encodings.utf_8_sig",
    "matplotlib.pyplot",
    "mlflow.pyfunc",
    "mlflow.sklearn",
    "mlflow.store.tracking.sqlalchemy_store",
    "pyarrow.pandas_compat",
    "sklearn.compose",
    "sklearn.dummy",
    "sklearn.pipeline",
    "sklearn.tree",
    "sqlalchemy.dialects.postgresql.psycopg",
)


def import_everything() -> None:
    """What a cycle would import on its way.

    Modules only: no store is opened and no thread started.
    """
    for module in pkgutil.walk_packages(retraining.__path__, "retraining."):
        importlib.import_module(module.name)
    for name in HEAVY:
        importlib.import_module(name)


def prepare_for_forks() -> None:
    """Do here once what no start can change, and spare the workers a garbage collection that copies
    every page of this process.
    """
    # MLflow finds its newest schema by reading 68 files of its own, each time a store is opened
    newest_schema = functools.cache(mlflow.store.db.utils._get_latest_schema_revision)
    newest_schema()
    mlflow.store.db.utils._get_latest_schema_revision = newest_schema
    sqlalchemy.orm.configure_mappers()
    gc.collect()
    gc.freeze()


def work(start: dict[str, Any]) -> int:
    """In the worker: become the start that was asked for; its exit code."""
    os.environ.clear()
    os.environ.update(start["environment"])
    os.chdir("/")
    if start["registry_side"]:
        print(json.dumps(registry_side.answer(*start["registry_side"])))
        return 0
    if start["kill_at"]:
        surround(start["kill_at"])
        kill_points.kill_at(start["kill_at"])
    if start["kill_in_commit"]:
        die_in_commit(start["kill_in_commit"])
    if start["person"]:
        asked = start["person"]["asks"]
        let_happen(start["person"]["at"], lambda: registry_side.answer(*asked))
    if start["database"]:
        database = database_of(start["database"])
        event = start["database"]["event"]
        let_happen(start["database"]["at"], lambda: database.have(event))
    fault = Fault(**start["fault"]) if start["fault"] else None
    if fault:
        fault.install()
    if start["clock"]:
        turn_the_clock(start["clock"])
    try:
        for _ in range(start["repeat"] - 1):
            _main(start["script"], start["words"])
            print(len(list(Path("/proc/self/fd").iterdir())))
        return _main(start["script"], start["words"])
    except SystemExit as ended:
        return int(ended.code or 0)
    finally:
        if fault:
            os.write(3, json.dumps({"happened": fault.happened, "seen": fault.seen}).encode())


def database_of(told: dict[str, Any]) -> PostgresDatabase:
    """The database of a project whose server something happens to."""
    folder, programs, port = told["server"]
    return PostgresDatabase(Postgres(Path(folder), Path(programs), port), told["uri"])


def let_happen(place: str, deed: Callable[[], object]) -> None:
    """Have a person do something when this worker comes to a named place.

    It is a process of its own, as theirs would be.
    """
    waits, says = os.pipe()
    person = os.fork()
    if not person:
        os.close(says)
        if os.read(waits, 1):  # nothing comes where the worker ended before
            deed()
        os._exit(0)

    def act(*_: object) -> None:
        os.write(says, b".")
        os.waitpid(person, 0)

    surround(place)
    kill_points.kill_at(place)
    os.kill = act  # what a kill point calls


def die_in_commit(number: int) -> None:
    """Let this worker die in the Nth transaction that sqlite has begun to write into the database's
    file, its journal beside it.

    In a kill by the clock that moment is some microseconds of a second; a cache of one page brings
    it forward to where we stand.
    """
    left = number

    def connected(connection: Any, _: object) -> None:
        connection.execute("PRAGMA cache_size = 1")

    def committing(connection: Any) -> None:
        nonlocal left
        journal = Path(f"{connection.engine.url.database}-journal")
        # sqlite's own mark of a journal that counts
        begun = journal.is_file() and journal.read_bytes()[:1] not in (b"", b"\0")
        left -= begun
        if begun and not left:
            os.kill(os.getpid(), signal.SIGKILL)

    sqlalchemy.event.listen(sqlalchemy.Engine, "connect", connected)
    sqlalchemy.event.listen(sqlalchemy.Engine, "commit", committing)


def turn_the_clock(seconds: float) -> None:
    """Let this worker live at another time."""
    real = time.time
    time.time = lambda: real() + seconds
    run.datetime = type(
        "Turned",
        (datetime,),
        {"now": classmethod(lambda cls, zone: datetime.now(zone) + timedelta(seconds=seconds))},
    )


def fork(start: dict[str, Any]) -> int:
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        for number, name in ((1, "out"), (2, "err"), (3, "fault")):
            os.dup2(
                os.open(f"{start['scratch']}.{name}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
                number,
            )
        code = work(start)
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:  # noqa: BLE001 - the worker ends here, whatever it was
        os.write(2, traceback.format_exc().encode())
    finally:
        os._exit(code)


def wait_for_all(starts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Fork all starts at once; kill those whose time is over.

    A negative code is the signal that a worker died of.
    """
    began = time.monotonic()
    running = {fork(start): (place, start) for place, start in enumerate(starts)}
    ended: dict[int, dict[str, Any]] = {}
    while running:
        for pid, (place, start) in list(running.items()):
            done, status = os.waitpid(pid, os.WNOHANG)
            seconds = time.monotonic() - began
            if done:
                ended[place] = {"code": os.waitstatus_to_exitcode(status), "seconds": seconds}
                del running[pid]
            elif seconds > (start["kill_after"] or NO_ANSWER_AFTER):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.001)
    return [ended[place] for place in range(len(starts))]


def main() -> None:
    import_everything()
    prepare_for_forks()
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(wait_for_all(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
