"""A sqlite store that is made once and copied, and one real server that proxies its artifacts."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from typing import TYPE_CHECKING

import pytest

from retraining.model_registry.connection import Connection
from tests.model_registry.samples import project_on
from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from retraining.settings import Settings


def wait_for(url: str, process: subprocess.Popen[bytes], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=2):
                return
        except OSError:
            assert process.poll() is None, "the server ended while it started"
            assert time.monotonic() < deadline, "the server did not start in time"
            time.sleep(0.2)


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sqlite store without experiments: making one takes seconds, copying it none."""
    file = tmp_path_factory.mktemp("empty") / "mlflow.db"
    Connection(f"sqlite:///{file}").ask(lambda _: None)
    return file


@pytest.fixture
def on_sqlite(tmp_path: Path, empty_store: Path) -> Settings:
    """A project with an empty sqlite store, in a folder whose name needs quoting."""
    return project_on(empty_store, tmp_path / "ein Projekt für uns")


@pytest.fixture(scope="session")
def proxying_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server as `mlflow server` starts it by default: artifacts go through it."""
    folder, port = tmp_path_factory.mktemp("server"), free_port()
    command = [
        sys.executable,
        "-m",
        "mlflow",
        "server",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--workers",
        "1",
    ]
    places = [
        "--backend-store-uri",
        f"sqlite:///{folder}/store.db",
        "--artifacts-destination",
        str(folder / "artifacts"),
    ]
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (folder / "server.log").open("wb") as log:
        server = subprocess.Popen(
            [*command, *places],
            env={**os.environ, **quiet},
            cwd=folder,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            wait_for(f"http://127.0.0.1:{port}", server)
            yield f"http://127.0.0.1:{port}"
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(30)
    shutil.rmtree(folder, ignore_errors=True)
