"""What must hold before a task is sent to a worker, and the lines that start workers."""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import TYPE_CHECKING

import pytest

from retraining import settings
from retraining.engines import cycles, on_dask, reaching, worker
from retraining.errors import NOTHING_CHANGED, EngineUnreachableError, OtherVersionsError
from retraining.fleet.children import Stopped
from tests.engines.clusters import Cluster
from tests.fleets import QUICK_RECIPE
from tests.projects import CLONE, environment_of_cron

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.fleets import Maker


def test_a_worker_with_another_version_is_named() -> None:
    ours = worker.site()
    on_dask._refuse_other_versions("dask://one:1", {"a": ours})
    other = worker.Site("two", {**ours.versions, "scikit-learn": "1.2.3"})
    with pytest.raises(OtherVersionsError, match=r"scikit-learn 1\.2\.3 on two") as raised:
        on_dask._refuse_other_versions("dask://one:1", {"a": ours, "b": other})
    assert raised.value.exit_code == 3
    assert "pip install" in raised.value.remedy


@contextmanager
def silent_socket() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        yield port


@contextmanager
def web_server() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        yield listening.server_port
        listening.shutdown()


@contextmanager
def mail_server() -> Iterator[int]:
    """It speaks first."""

    class Greeting(BaseRequestHandler):
        def handle(self) -> None:
            self.request.sendall(b"220 mail.example.org ESMTP\r\n")

    with ThreadingTCPServer(("127.0.0.1", 0), Greeting) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        yield listening.server_address[1]
        listening.shutdown()


@contextmanager
def nobody() -> Iterator[int]:
    with silent_socket() as port:
        pass
    yield port


@pytest.mark.parametrize(
    ("listener", "why"),
    [
        (silent_socket, "said nothing for 1 s"),
        (web_server, "said nothing for 1 s"),
        (mail_server, "does not speak as one does"),
        (nobody, "refused|Timed out trying to connect"),
    ],
)
def test_who_is_no_scheduler_is_told_after_a_time_that_is_named(
    listener: Callable[[], Iterator[int]], why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reaching, "PATIENCE", 0.5)
    monkeypatch.setattr(reaching, "LONGEST", 1.0)
    with (
        listener() as port,
        pytest.raises(EngineUnreachableError, match=why) as raised,
        on_dask.engine(f"dask://127.0.0.1:{port}"),
    ):
        pass
    assert raised.value.exit_code == 69
    assert f"127.0.0.1:{port}" in raised.value.what
    assert raised.value.unchanged == NOTHING_CHANGED


def test_tls_without_certificates_is_told_as_that() -> None:
    with (
        pytest.raises(EngineUnreachableError, match="no certificates"),
        on_dask.engine("tls://127.0.0.1:1"),
    ):
        pass


def test_a_signal_ends_the_wait_for_the_first_word() -> None:
    def look() -> None:
        raise Stopped(signal.SIGTERM)

    with (
        silent_socket() as port,
        pytest.raises(Stopped),
        on_dask.engine(f"dask://127.0.0.1:{port}", look),
    ):
        pass


def test_a_worker_that_says_nothing_is_told(
    unused_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reaching, "PATIENCE", 100.0)
    monkeypatch.setattr(reaching, "LONGEST", 100.0)
    cluster = Cluster(unused_port)
    try:
        cluster.add_worker()
        with on_dask.engine(f"dask://{cluster.address}") as workers:
            cluster.workers[0].send_signal(signal.SIGSTOP)
            monkeypatch.setattr(reaching, "LONGEST", 1.0)
            with pytest.raises(EngineUnreachableError, match="no word for 1 s"):
                on_dask._sites(workers.client, workers.address, lambda: None)
    finally:
        cluster.end()


def test_check_warns_of_an_engine_that_does_not_answer(
    make: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reaching, "PATIENCE", 0.5)
    with nobody() as port:
        done = make("asked", ENGINE=f"dask://127.0.0.1:{port}").start("check").expect(0)
    assert "would end with exit code 69" in done.out
    assert done.out.splitlines()[-1] == "Nothing here stops a cycle."


@pytest.mark.parametrize(
    ("store", "refused"),
    [("", True), ("http://mlflow:5000", False), ("postgresql://u@h/mlflow", False)],
)
def test_sqlite_is_no_store_for_workers_elsewhere(
    tmp_path: Path, store: str, refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / ".env").write_text(f"MLFLOW_TRACKING_URI={store}\n")
    why = cycles._why_not_elsewhere(tmp_path, None)
    assert (why is not None) is refused
    if why is not None:
        assert why.exit_code == 2
        assert "sqlite" in why.what


def test_a_start_elsewhere_gets_our_settings_and_threads_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in settings.SETTING_NAMES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("METRIC", "f1")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.setenv("AWS_SECRET", "x")
    workers = on_dask.Engine(client=None, address="dask", hosts={"one": 4, "two": 2})
    request = cycles._request(tmp_path, ("run", "--json"), workers)
    assert request.environment == {"METRIC": "f1", "OMP_NUM_THREADS": "3"}
    assert "MODEL_NAME" in request.unset
    assert request.project == str(tmp_path)
    assert request.words == ("run", "--json", "--project", str(tmp_path))
    assert request.cycles == 4, "memory is shared by the cycles of one machine"


def test_the_documented_lines_start_a_scheduler_and_two_workers_that_work(
    make: Maker, unused_port: int
) -> None:
    projects = {name: make(name, recipe=QUICK_RECIPE) for name in ("pumps", "valves")}
    text = (CLONE / "docs" / "scale.md").read_text()
    block = re.search(r"^```bash\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert block is not None
    started: list[subprocess.Popen[bytes]] = []
    try:
        for line in block[1].splitlines():
            typed = line.replace("8786", str(unused_port))
            for name, project in projects.items():
                typed = typed.replace(f"/srv/{name}", shlex.quote(str(project.folder)))
            environment = environment_of_cron(CLONE)
            if typed.endswith("&"):
                words = shlex.split(typed.removesuffix("&"))
                process = subprocess.Popen(
                    words, cwd=CLONE, env=environment, start_new_session=True
                )
                started.append(process)
                continue
            done = subprocess.run(
                ["bash", "-c", typed],
                cwd=CLONE,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            assert done.stdout.count("  promoted  ") == 2, done.stdout
    finally:
        for process in started:
            os.killpg(process.pid, signal.SIGTERM)
        for process in started:
            process.wait(60)
    assert len(started) == 3
