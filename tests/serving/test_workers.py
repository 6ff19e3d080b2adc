"""Processes as a person starts them.

Several on one port, one that dies, and an end that drops nobody.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.ports import free_port
from tests.projects import CLONE, Project
from tests.serving.processes import SCRIPT, Started, started
from tests.serving.services import body_of, until

if TYPE_CHECKING:
    from pathlib import Path

    from retraining.settings import Settings


def metrics_of(service: Started) -> dict[str, float]:
    text = service.caller().ask("GET", "/metrics").body.decode()
    lines = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}


def test_two_workers_open_their_port_with_a_version_add_up_and_replace_one_that_dies(
    own_probes: Settings,
) -> None:
    with started(own_probes.project, "--workers", "2") as service:
        statuses = [service.caller().ask("GET", "/ready").status for _ in range(30)]
        assert statuses == [200] * 30, "the port opens when every worker has its version"
        for _ in range(20):
            assert service.caller().predict(1, 2).status == 200
        before = metrics_of(service)
        assert before['retraining_rows_total{version="1"}'] == 40
        assert before["retraining_model_version"] == 1

        workers = service.workers()
        assert len(workers) == 2
        os.kill(workers[0], signal.SIGKILL)
        assert until(lambda: len(set(service.workers()) - {workers[0]}) == 2)
        assert until(lambda: metrics_of(service)["retraining_model_version"] == 1)
        assert metrics_of(service)['retraining_rows_total{version="1"}'] == 40, "counts stay"
        assert all(service.caller().predict(3).status == 200 for _ in range(20))

        os.kill(service.process.pid, signal.SIGTERM)
        assert service.process.wait(60) == 0
        assert "Traceback" not in service.log.read_text()


WITH_A_CHILD = """
import os, sys
os.posix_spawn("/bin/sleep", ["sleep", "600"], {})
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


def test_an_orphan_that_the_parent_is_handed_ends_nothing(own_probes: Settings) -> None:
    """In a container the parent is process 1: a cycle whose worker was killed becomes its child."""
    with started(own_probes.project, "--workers", "2", first=WITH_A_CHILD) as service:
        orphan, *workers = sorted(service.workers())
        assert len(workers) == 2
        os.kill(orphan, signal.SIGKILL)
        assert until(lambda: orphan not in service.workers())
        os.kill(workers[0], signal.SIGKILL)
        assert until(lambda: len(set(service.workers()) - {workers[0]}) == 2), "still looked after"
        os.kill(service.process.pid, signal.SIGTERM)
        assert service.process.wait(60) == 0


WITHOUT_SERVING = """
import gc, sys
import prediction_service
prediction_service.serve = lambda *_: None
print(prediction_service.main(sys.argv[1:]), gc.get_freeze_count() > 1000)
"""


def test_the_end_looks_for_no_garbage_while_nobody_answers(tmp_path: Path) -> None:
    words = ["--project", str(tmp_path), "--port", str(free_port()), "-q"]
    command = [sys.executable, "-c", WITHOUT_SERVING, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=CLONE)
    assert done.stdout.split() == ["0", "True"]


def test_workers_whose_parent_is_gone_end_too(own_probes: Settings) -> None:
    with started(own_probes.project, "--workers", "2") as service:
        workers = service.workers()
        os.kill(service.process.pid, signal.SIGKILL)
        service.process.wait()
        assert until(lambda: not any(map(is_there, workers)))


def test_on_sigterm_requests_in_flight_are_answered_and_the_exit_code_is_0(
    own_probes: Settings,
) -> None:
    body = json.dumps(body_of(*range(5_000))).encode()
    head = (
        b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body)
    )
    with started(own_probes.project) as service:
        with socket.create_connection(("127.0.0.1", service.port), timeout=60) as line:
            line.sendall(head)
            assert line.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n", "it is in flight"
            os.kill(service.process.pid, signal.SIGTERM)
            line.sendall(body)
            assert line.recv(1000).startswith(b"HTTP/1.1 200 ")
        assert service.process.wait(60) == 0


def test_a_port_that_is_taken_and_a_host_without_tokens_end_the_start(tmp_path: Path) -> None:
    project = Project.made(tmp_path / "project")
    port = free_port()
    done = project.start_process("--host", "192.0.2.1", "--port", str(port), script=SCRIPT)
    assert done.expect(2).error[2].startswith("Make one with --new-token NAME")
    assert project.start_process("--workers", "0", script=SCRIPT).expect(2).error
    made = project.start_process("--new-token", "x", "--scopes", "read", script=SCRIPT).expect(0)
    assert len(made.out.strip()) > 30
    listed = project.start_process("--tokens", script=SCRIPT).expect(0).out
    assert re.search(r"^x +20\d\d-\d\d-\d\d +0 days +read$", listed, re.MULTILINE), listed
    assert made.out.strip() not in listed
    done = project.start_process("--host", "192.0.2.1", "--port", str(port), script=SCRIPT)
    assert "cannot listen on 192.0.2.1" in done.expect(2).error[0]


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
