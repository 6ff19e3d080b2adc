"""kill -9 of the service, of the export, and of both, while clients predict, label and ingest:
nothing acknowledged is lost or doubled.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa

from retraining.prediction_log.connection import JOB, open_database
from retraining.prediction_log.tables import labels, predictions
from tests.mlflow_servers import mlflow_server
from tests.ports import free_port
from tests.projects import CLONE, environment_of_cron
from tests.serving.services import probe_project, until, with_probes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from retraining.settings import Settings

PLACES = (  # of the service, each at a passage in the middle of its work
    "log_before_commit",
    "log_after_commit",
    "ingest_after_aside",
    "ingest_after_claim",
    "ingest_after_rename",
    "ingest_after_delivered",
)
KINDS = ("service", "job", "both")
ON_POSTGRES = pytest.param("postgresql", marks=pytest.mark.postgres)
BELOW_A_SERVER = pytest.param(
    "server on postgresql", marks=(pytest.mark.postgres, pytest.mark.server)
)
STORES = ("sqlite", ON_POSTGRES, BELOW_A_SERVER)  # of registry and log
ROWS = 7  # in a request, and in a file
SHORT = {"PREDICTIONS_ROWS_PER_FILE": str(ROWS), "PREDICTIONS_FILE_WAIT_HOURS": "0"}
SECONDS_OF_AN_EXPORT = 1800  # the last one takes all rows that killed ones left, file by file
GONE = (OSError, http.client.HTTPException)


class Zygote:
    """Forks services and exports; see `loop_zygote`."""

    def __init__(self, folder: Path, log: Path) -> None:
        with log.open("wb") as stream:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.serving.loop_zygote"],
                cwd=CLONE, env=environment_of_cron(folder), text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stream,
            )  # fmt: skip
        assert self._line() == "ready\n", log.read_text()

    def fork(self, what: str, **more: Any) -> int:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"what": what, **more}) + "\n")
        self._process.stdin.flush()
        return int(self._line())

    def close(self) -> None:
        self._process.kill()
        self._process.wait()

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


@dataclass
class Acknowledged:
    """What the service told its clients: it must be there at the end."""

    logged: set[str] = field(default_factory=set)
    labelled: set[str] = field(default_factory=set)
    batches: dict[str, str] = field(default_factory=dict)  # id -> SHA-256 of its file


@dataclass
class Loop:
    """A service and exports on one project, and clients of it."""

    settings: Settings
    uri: str
    zygote: Zygote
    port: int = field(default_factory=free_port)
    told: Acknowledged = field(default_factory=Acknowledged)
    service: int = 0

    def start(self, **more: str) -> None:
        self.service = self._fork("service", **more)

    def export(self) -> int:
        return self._fork("job")

    def _fork(self, what: str, **more: str) -> int:
        settings = {
            **SHORT,
            "PREDICTION_LOG_URI": self.uri,
            "MLFLOW_TRACKING_URI": self.settings.mlflow_tracking_uri,
            "MIN_FILE_AGE_SECONDS": "0",
        }
        project = str(self.settings.project)
        return self.zygote.fork(what, project=project, settings=settings, port=self.port, **more)

    def ask(self, path: str, body: Any) -> Any:
        """The answer of a service that may be dead: asked again until it is not."""
        while True:
            with contextlib.suppress(*GONE):
                status, told = self.ask_once(path, body)
                if status in (200, 201):
                    return told
                assert status == 503, told
            time.sleep(0.01)

    def ask_once(self, path: str, body: Any) -> tuple[int, Any]:
        """Status and answer of a service that must be there."""
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        with contextlib.closing(link):
            head = {"Content-Type": "application/json"}
            link.request("POST", path, json.dumps(body), head)
            answer = link.getresponse()
            return answer.status, json.loads(answer.read())

    def client(self, stop: threading.Event, seed: int) -> threading.Thread:
        """Somebody at work; where a test fails before it says stop, it does not keep us alive."""
        started = threading.Thread(target=self.work, args=(stop, seed), daemon=True)
        started.start()
        return started

    def work(self, stop: threading.Event, seed: int) -> None:
        """One client: predictions, their labels, and now and then a batch.

        What was not acknowledged is sent again, as clients do.
        """
        chance = random.Random(seed)
        while not stop.is_set():
            ids = [uuid.UUID(int=chance.getrandbits(128)).hex for _ in range(ROWS)]
            rows = [{"row": chance.random(), "word": "a", "ok": True} for _ in ids]
            answer = self.ask("/predict", {"ids": ids, "dataframe_records": rows})
            if answer["logged"]:
                self.told.logged.update(ids)
            sent = [{"prediction_id": i, "label": chance.randrange(2)} for i in ids]
            answer = self.ask("/labels", {"labels": sent})
            self.told.labelled.update(set(ids) - set(answer["unknown"]))
            if chance.random() < 0.2:
                batch = {"batch_id": ids[0], "labels": [1] * ROWS, "dataframe_records": rows}
                self.told.batches[ids[0]] = self.ask("/ingest/batch", batch)["sha256"]


@pytest.fixture(scope="session")
def zygote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zygote]:
    folder = tmp_path_factory.mktemp("zygote")
    made = Zygote(folder, folder / "zygote.log")
    yield made
    made.close()


@pytest.fixture
def loop(request: pytest.FixtureRequest, tmp_path: Path, zygote: Zygote) -> Iterator[Loop]:
    """A project of one probe; registry and log are two databases of one PostgreSQL, or files."""
    project = tmp_path / "project"
    with contextlib.ExitStack() as scope:
        if request.param == "sqlite":
            empty_store = request.getfixturevalue("empty_store")
            settings = probe_project(empty_store, project, versions=1)
        else:
            postgres = request.getfixturevalue("postgres")
            store = request.getfixturevalue("new_postgres_store")()
            if request.param != "postgresql":
                server = mlflow_server(tmp_path, store, tmp_path / "artifacts")
                store = scope.enter_context(server)
            more = {"MLFLOW_TRACKING_URI": store, "PREDICTION_LOG_URI": postgres.new_database()}
            settings = with_probes(project, 1, **more)
        for folder in (settings.new_data_dir, settings.used_data_dir):
            folder.mkdir(exist_ok=True)
        made = Loop(settings, settings.prediction_log_uri, zygote)
        try:
            yield made
        finally:  # a test that failed has not ended it
            if made.service:
                kill(made.service)


@pytest.mark.slow
@pytest.mark.parametrize("loop", STORES, indirect=True)
def test_what_was_acknowledged_is_there_once_after_kill_9(loop: Loop) -> None:
    play(loop, kills=5 * len(KINDS), seed=17)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("loop", STORES, indirect=True)
def test_what_was_acknowledged_is_there_once_after_many_kills(loop: Loop) -> None:
    play(loop, kills=150, seed=18)


@pytest.mark.parametrize(
    ("place", "loop"),
    [
        *((place, "sqlite") for place in PLACES),
        *(
            pytest.param(place, "postgresql", marks=pytest.mark.postgres)
            for place in PLACES
            if place.startswith("log_")
        ),
    ],
    indirect=["loop"],
)
def test_killed_at_a_named_place_the_service_loses_nothing_and_doubles_nothing(
    loop: Loop, place: str
) -> None:
    passage = 3 if place.startswith("log_") else 2
    loop.start(kill_at=f"{place}:{passage}")
    stop = threading.Event()
    client = loop.client(stop, 19)
    assert until(lambda: not is_alive(loop.service)), "it did not come to that place"
    before = len(loop.told.logged), len(loop.told.batches)
    loop.start()
    assert until(lambda: len(loop.told.logged) > before[0]), "no progress"
    assert until(lambda: len(loop.told.batches) > before[1]), "no batch is taken any more"
    stop.set()
    client.join(120)
    finish(loop)
    assert violations(loop) == []


@pytest.mark.parametrize("loop", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("place", "files"),
    [
        ("ingest_after_aside", 0),
        ("ingest_after_claim", 1),
        ("ingest_after_rename", 1),
        ("ingest_after_delivered", 1),
    ],
)
def test_a_batch_whose_sender_never_asks_again_is_finished_or_undone_by_the_next_start(
    loop: Loop, place: str, files: int
) -> None:
    rows = [{"row": float(k), "word": "a", "ok": True} for k in range(ROWS)]
    loop.start(kill_at=place)
    loop.ask("/predict", {"dataframe_records": rows})
    batch = {"batch_id": "b1", "labels": [1] * ROWS, "dataframe_records": rows}
    with pytest.raises(GONE):
        loop.ask_once("/ingest/batch", batch)
    loop.start()
    loop.ask("/predict", {"dataframe_records": rows})
    assert len(list(loop.settings.new_data_dir.iterdir())) == files
    finish(loop)
    assert violations(loop) == []


def play(loop: Loop, kills: int, seed: int) -> None:
    """Kill as often as that at moments of chance, while three clients go on.

    Then look at everything.
    """
    chance = random.Random(seed)
    stop = threading.Event()
    loop.start()
    clients = [loop.client(stop, seed * 100 + k) for k in range(3)]
    for number in range(kills):
        kind = KINDS[number % len(KINDS)]
        so_far = len(loop.told.logged)
        assert until(lambda so_far=so_far: len(loop.told.logged) > so_far), "no progress"
        job = loop.export() if kind != "service" else None
        time.sleep(chance.uniform(0, 0.12))
        if job is not None:
            kill(job)
        if kind != "job":
            kill(loop.service)
            loop.start()
    stop.set()
    for client in clients:
        client.join(120)
        assert not client.is_alive()
    finish(loop)
    assert violations(loop) == []
    assert len(loop.told.logged) >= kills
    assert loop.told.batches


def finish(loop: Loop) -> None:
    """Two exports that nobody kills; the service ends as it is asked to."""
    for _ in range(2):
        job = loop.export()
        assert until(lambda job=job: not is_alive(job), SECONDS_OF_AN_EXPORT)
    os.kill(loop.service, signal.SIGTERM)
    assert until(lambda: not is_alive(loop.service))


def violations(loop: Loop) -> list[str]:
    """What the log and the folders do not hold as they were told to, or hold twice."""
    database = open_database(loop.uri, JOB)
    with database.reading() as connection:
        rows = Counter(connection.execute(sa.select(predictions.c.prediction_id)).scalars())
        query = sa.select(labels.c.prediction_id, labels.c.label).where(labels.c.superseded == 0)
        standing = {row[0]: row[1] for row in connection.execute(query)}
    database.close()
    files = list(loop.settings.new_data_dir.iterdir())
    tables = [pq.read_table(path) for path in files if path.name.startswith("predictions-")]
    left: Counter[str] = Counter()
    wrong = []
    for table in tables:
        ids, given = (table.column(name).to_pylist() for name in ("prediction_id", "target"))
        left.update(ids)
        wrong += [i for i, label in zip(ids, given, strict=True) if str(label) != standing[i]]
    digests = Counter(hashlib.sha256(path.read_bytes()).hexdigest() for path in files)
    ready = set(rows) & set(standing)
    checks: dict[str, list[Any]] = {
        "logged and lost": sorted(loop.told.logged - set(rows)),
        "logged twice": [i for i, count in rows.items() if count > 1],
        "labelled and lost": sorted(loop.told.labelled - set(standing)),
        "ready and in no file": sorted(ready - set(left)),
        "in two files": [i for i, count in left.items() if count > 1],
        "with another label": wrong,
        "batches not in one file": [b for b, s in loop.told.batches.items() if digests[s] != 1],
        "left over": [path.name for path in files if path.name.startswith(".")],
    }
    return [f"{len(found)} {what}: {found[:3]}" for what, found in checks.items() if found]


def kill(process: int) -> None:
    """End it at once; it may have ended before."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)
    assert until(lambda: not is_alive(process))


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
