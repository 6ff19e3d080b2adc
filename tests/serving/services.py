"""Services for tests.

Probe models that tell which version answered which row, on real HTTP in this process.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import uvicorn

import prediction_service
from retraining.model_registry.mlflow_registry import MlflowRegistry
from retraining.records import Column, Manifest, Schema
from retraining.serving.application import application
from retraining.serving.server import config_of
from tests.model_registry import samples

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

    from retraining.serving.service import Service
    from retraining.settings import Settings

SCHEMA = Schema(
    (Column("row", "number"), Column("word", "string", ("a", "b")), Column("ok", "boolean")),
    target="target",
    label_kind="integer",
    classes=(0, 1),
    positive_class=1,
    ignored=("record_id",),
)
FRAGILE = 123_456_789.5  # a row of this number makes a probe raise


class Probe:
    """Answers each row's own number, and as probabilities which version it is."""

    classes_ = np.array([0, 1])

    def __init__(self, version: int) -> None:
        self.version = version

    def predict(self, X: pd.DataFrame) -> NDArray[np.int64]:
        if (X["row"] == FRAGILE).any():
            raise ValueError(f"no answer for {X['word'].tolist()}")
        return X["row"].fillna(0).to_numpy().astype(np.int64)

    def predict_proba(self, X: pd.DataFrame) -> NDArray[np.float64]:
        share = self.version / 10_000
        return np.tile([share, 1 - share], (len(X), 1))


class Broken(Probe):
    """Cannot answer even the example of its own schema."""

    def predict(self, X: pd.DataFrame) -> NDArray[np.int64]:
        raise ValueError(f"no answer for {len(X)} rows")


def probe_project(empty_store: Path, folder: Path, versions: int = 2, **more: str) -> Settings:
    """A project whose registry, a sqlite file, holds probes; version 1 has the alias."""
    samples.project_on(empty_store, folder)
    return with_probes(folder, versions, **more)


def with_probes(folder: Path, versions: int = 2, **more: str) -> Settings:
    """The same on the empty store that the settings name."""
    settings = samples.project(folder, RELOAD_SECONDS="0.1", **more)
    for number in range(1, versions + 1):
        register(settings, Probe(number))
    move_alias(settings, 1)
    return settings


def register(settings: Settings, estimator: Any, champion: int | None = None) -> int:
    """A version of ours with this estimator, made to replace `champion`; its number."""
    manifest = Manifest((samples.FILE,), (), (), SCHEMA, "cd" * 32, "cycle-1", champion=champion)
    candidate = samples.candidate(estimator=estimator, manifest=manifest, sketches={})
    registry = MlflowRegistry(settings)
    parent = registry.begin_cycle("cycle-1", samples.STARTED)
    return registry.register(candidate, parent=parent, run_name="ModelRetraining")


def move_alias(settings: Settings, version: int | None) -> None:
    """What a person does in the UI."""
    registry = MlflowRegistry(settings)
    if version is None:
        registry.drop_alias(settings.production_alias)
    else:
        registry.set_alias(settings.production_alias, version)


def body_of(*rows: float, **more: Any) -> dict[str, Any]:
    """A request for rows of these numbers."""
    return {"dataframe_records": [{"row": row, "word": "a", "ok": True} for row in rows], **more}


@dataclass(frozen=True)
class Reply:
    """What came back; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Caller:
    """One connection to a service, kept open between requests."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        """One request; a body that is not bytes is sent as JSON. `_` in a header's name is `-`."""
        sent = {name.replace("_", "-"): text for name, text in headers.items()}
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            sent = {"Content-Type": "application/json", **sent}
        self._connection.request(method, path, body, sent)
        answer = self._connection.getresponse()
        told = {name.lower(): text for name, text in answer.getheaders()}
        return Reply(answer.status, told, answer.read())

    def predict(self, *rows: float, **more: Any) -> Reply:
        return self.ask("POST", "/predict", body_of(*rows, **more))


@dataclass(frozen=True)
class Running:
    """A service that answers in a thread of this process."""

    port: int
    parts: Service

    def caller(self) -> Caller:
        return Caller(self.port)

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        return self.caller().ask(method, path, body, **headers)

    def predict(self, *rows: float, **more: Any) -> Reply:
        return self.caller().predict(*rows, **more)


@contextlib.contextmanager
def running(settings: Settings, host: str | None = "127.0.0.1") -> Iterator[Running]:
    """A service of a project, as `prediction_service.py` makes it.

    For as long as the block lasts.
    """
    parts = prediction_service.service_of(settings, prediction_service.Start(host, {}))
    with listening(application(parts)) as port:
        yield Running(port, parts)


@contextlib.contextmanager
def listening(app: Any) -> Iterator[int]:
    """An application on a free port, in a thread."""
    with serving(app) as (_, port):
        yield port


@contextlib.contextmanager
def serving(app: Any) -> Iterator[tuple[uvicorn.Server, int]]:
    """The same, with the server itself."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(config_of(app))
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        assert until(lambda: server.started, 120), "the service did not start"
        try:
            yield server, listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(timeout=20)


def until(condition: Any, seconds: float = 120) -> bool:
    """Whether it came true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
