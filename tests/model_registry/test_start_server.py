"""Our own server and the bare store are one: either writes, both read; the model is served.

The server ends with its children.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from retraining.model_registry.mlflow_registry import MlflowRegistry
from retraining.model_registry.own_experiment import artifact_root_problem
from tests.mlflow_servers import wait_for
from tests.model_registry.samples import ROWS, STARTED, candidate, end, project, project_on
from tests.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    from retraining.settings import Settings

CLONE = Path(__file__).resolve().parents[2]
SCRIPT = CLONE / "mlflow_server" / "start_server.py"
pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Settings:
    """A project on its bare store, which wrote version 1."""
    settings = project_on(empty_store, tmp_path_factory.mktemp("ein Projekt"))
    cycle(settings, "on the bare store")
    return settings


@pytest.fixture(scope="module")
def served(bare: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """The same project, whose cycles go through the server that `make server` starts."""
    port, log = free_port(), tmp_path_factory.mktemp("log") / "server.log"
    with log.open("wb") as output:
        command = [sys.executable, str(SCRIPT), "--project", str(bare.project), "--port", str(port)]
        server = subprocess.Popen(
            command,
            cwd="/",
            env={**os.environ, "MLFLOW_TRACKING_URI": f"http://127.0.0.1:{port}"},
            stdout=output,
            stderr=output,
        )
        try:
            wait_for(f"http://127.0.0.1:{port}", server)
            yield project(bare.project, f"http://127.0.0.1:{port}")
            children = processes_named(str(port)) - {server.pid}
            assert children
        finally:
            server.terminate()
            assert server.wait(30) == 0
    assert not processes_named(str(port))
    assert f"http://127.0.0.1:{port}" in log.read_text()


def processes_named(word: str) -> set[int]:
    """Processes with a word on their command line, zombies left out."""
    found = set()
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdecimal() and word in (folder / "cmdline").read_text().split("\0"):
                found.add(int(folder.name))
        except OSError:
            continue
    return found


def cycle(settings: Settings, cycle_id: str) -> int:
    registry = MlflowRegistry(settings)
    run_id = registry.begin_cycle(cycle_id, STARTED)
    number = registry.register(candidate(cycle_id), parent=run_id, run_name="ModelRetraining")
    registry.set_alias("production", number)
    end(registry, run_id, cycle_id=cycle_id, number=number)
    return number


def reads_everything(settings: Settings, versions: list[int]) -> None:
    registry = MlflowRegistry(settings)
    assert [v.number for v in registry.versions()] == versions
    assert [r.number for r in registry.cycle_records()] == versions
    assert registry.facts().aliases == {"production": versions[-1]}
    for version in registry.versions():
        registry.manifest(version)
        np.testing.assert_array_equal(registry.model(version).predict(ROWS), [0, 1, 0, 1])


@pytest.mark.slow
def test_what_the_bare_store_wrote_the_server_reads_and_the_other_way_round(
    bare: Settings, served: Settings
) -> None:
    reads_everything(served, [1])
    assert cycle(served, "through the server") == 2
    reads_everything(served, [1, 2])
    reads_everything(bare, [1, 2])
    assert MlflowRegistry(bare).end_abandoned_runs() == 0
    assert artifact_root_problem(served) is None
    assert artifact_root_problem(bare) is None


def test_a_link_leads_to_the_run_through_the_server_only(bare: Settings, served: Settings) -> None:
    url = MlflowRegistry(served).run_url("abc")
    assert url == f"{served.mlflow_tracking_uri}/#/experiments/1/runs/abc"
    assert MlflowRegistry(bare).run_url("abc") is None


def test_a_foreign_host_is_refused(served: Settings) -> None:
    request = urllib.request.Request(
        f"{served.mlflow_tracking_uri}/api/2.0/mlflow/experiments/search?max_results=1",
        headers={"Host": "evil.example"},
    )
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=60)
    assert caught.value.code == 403


def test_a_port_in_use_is_told(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        command = [sys.executable, str(SCRIPT), "--project", str(tmp_path), "--port", port]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2
    assert port in done.stderr
    assert "--port" in done.stderr.splitlines()[-1]
    assert not (tmp_path / "mlflow_server").exists()


@pytest.mark.slow
def test_the_served_model_answers_a_row(bare: Settings, tmp_path: Path) -> None:
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "mlflow",
        "models",
        "serve",
        "-m",
        "models:/classifier@production",
        "--env-manager",
        "local",
        "-p",
        str(port),
    ]
    bin_folder = Path(sys.executable).parent
    environment = {
        "PATH": f"{bin_folder}:/usr/bin:/bin", "HOME": str(tmp_path),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_TRACKING_URI": bare.mlflow_tracking_uri,
    }  # fmt: skip
    with (tmp_path / "log").open("wb") as log:
        serving = subprocess.Popen(
            command, cwd=tmp_path, env=environment, stdout=log, stderr=log, start_new_session=True
        )
        try:
            wait_for(f"http://127.0.0.1:{port}", serving)
            rows = {
                "dataframe_split": {"columns": list(ROWS.columns), "data": ROWS.to_numpy().tolist()}
            }
            request = urllib.request.Request(
                f"http://127.0.0.1:{port}/invocations",
                json.dumps(rows).encode(),
                {"Content-Type": "application/json"},
            )
            with urllib.request.urlopen(request, timeout=30) as answer:
                assert json.load(answer)["predictions"] == [0, 1, 0, 1]
        finally:
            os.killpg(serving.pid, signal.SIGTERM)
            serving.wait(30)
