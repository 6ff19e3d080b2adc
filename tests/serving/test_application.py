"""The application as a whole: mounted in another one, bodies that are too long or too slow, too
many at once.
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest

from prediction_service import Start, service_of
from retraining.serving import intake, protocol
from retraining.serving.application import application
from tests.projects import CLONE
from tests.serving.services import (
    Caller,
    body_of,
    listening,
    probe_project,
    running,
    serving,
    until,
)

if TYPE_CHECKING:
    from pathlib import Path

    from retraining.settings import Settings

PAGE = (CLONE / "docs/serving.md").read_text()


def test_it_can_be_mounted_in_an_application_of_ones_own(own_probes: Settings) -> None:
    (lines,) = re.findall(r"^```python\n(from contextlib.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    found: dict[str, Any] = {}
    exec(lines.replace("/srv/retraining", str(own_probes.project)), found)
    with listening(found["app"]) as port:
        caller = Caller(port)
        assert caller.ask("POST", "/model/predict", body_of(5)).json["predictions"] == [5]
        assert caller.ask("GET", "/model/health", Host="any.example").json["status"] == "ok"
        page = caller.ask("GET", "/model/docs").body.decode()
        assert caller.ask("GET", "/model/docs/swagger-ui.css").status == 200
        assert '"/model/docs/swagger-ui.css"' in page


def test_a_body_without_a_length_is_cut_off_at_the_limit(tmp_path: Path, empty_store: Path) -> None:
    settings = probe_project(empty_store, tmp_path / "project", MAX_REQUEST_BYTES="1000")
    with running(settings) as service:
        chunk = b"400\r\n" + b"x" * 1024 + b"\r\n"
        head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        with socket.create_connection(("127.0.0.1", service.port), timeout=20) as line:
            line.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n" + chunk)
            assert b"413" in line.recv(100)
        assert service.predict(1).status == 200


def test_a_client_that_sends_before_it_reads_is_told_that_its_body_is_too_long(
    tmp_path: Path, empty_store: Path
) -> None:
    most = 8 << 20  # more than the sockets of both sides hold
    settings = probe_project(empty_store, tmp_path / "project", MAX_REQUEST_BYTES=str(most))
    with running(settings) as service:
        long = {"instances": "x" * most}
        assert service.ask("POST", "/predict", long, Connection="close").status == 413
        assert service.predict(1).status == 200


def test_a_body_that_trickles_is_dropped(
    own_probes: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "SECONDS_FOR_A_BODY", 0.5)
    with running(own_probes) as service:
        head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        with socket.create_connection(("127.0.0.1", service.port), timeout=20) as line:
            line.sendall(head + b"Content-Length: 100\r\n\r\n{")
            told = line.recv(1000)
            assert b"408" in told
            assert b"connection: close" in told.lower()
        assert service.predict(1).status == 200


def test_a_head_that_trickles_is_dropped_and_an_idle_connection_is_not(
    own_probes: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "SECONDS_FOR_A_HEAD", 0.5)
    with running(own_probes) as service:
        kept = service.caller()
        assert kept.predict(1).status == 200
        for begun in (b"", b"POST /predict HTTP/1.1\r\nHost: localhost\r\nX-A: "):
            with socket.create_connection(("127.0.0.1", service.port), timeout=20) as line:
                line.sendall(begun)
                assert line.recv(1000) == b"", "closed without a word"
        connection = kept._connection.sock
        assert kept.predict(2).status == 200
        assert kept._connection.sock is connection, "it was kept between requests"


CHUNKED = b"GET /live HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n"


@pytest.mark.parametrize(
    ("begun", "more"),
    [
        (b"GET /live HTTP/1.1\r\nHost: localhost\r\nX-A: ", b"a" * 65_536),
        (b"GET /live HTTP/1.1\r\nHost: localhost\r\n", b"X-A: a\r\n" * 8_192),
        (CHUNKED + b"X-A: ", b"a" * 65_536),
        (CHUNKED, b"X-A: a\r\n" * 8_192),
    ],
    ids=["one long header", "many headers", "a long trailer", "many trailers"],
)
def test_a_head_or_trailer_without_an_end_is_not_read_on(
    own_probes: Settings, begun: bytes, more: bytes
) -> None:
    with running(own_probes) as service:
        address = ("127.0.0.1", service.port)
        with socket.create_connection(address, timeout=20) as line:
            line.sendall(begun)
            sent = 0
            with contextlib.suppress(ConnectionError):
                while sent < 50_000_000:
                    line.sendall(more)
                    sent += len(more)
        assert sent < 50_000_000, "all of it was taken"
        assert service.predict(1).status == 200


def test_a_head_that_is_too_long_is_told_so(own_probes: Settings) -> None:
    longest = "a" * (protocol.MOST_BYTES_OF_A_HEAD - 1_000)
    with running(own_probes) as service:
        assert service.ask("GET", "/live", **{"X-A": longest}).status == 200
        with socket.create_connection(("127.0.0.1", service.port), timeout=20) as line:
            line.sendall(b"GET /live HTTP/1.1\r\nX-A: " + b"a" * protocol.MOST_BYTES_OF_A_HEAD)
            assert line.recv(1000).startswith(b"HTTP/1.1 431 ")


def test_an_answer_that_nobody_takes_is_not_kept_for_ever(
    own_probes: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "SECONDS_TO_TAKE_AN_ANSWER", 0.5)
    ask = b"GET /mlops/api/monitoring/predictions/recent/1000 HTTP/1.1\r\nHost: localhost\r\n\r\n"
    app = application(service_of(own_probes, Start("127.0.0.1", {})))
    with serving(app) as (server, port), socket.socket() as line:
        assert Caller(port).predict(*range(1_000)).json["logged"]
        assert until(lambda: not server.server_state.connections)
        line.connect(("127.0.0.1", port))
        line.sendall(ask * 100)
        assert until(lambda: server.server_state.total_requests > 1), "one is answered"
        assert until(lambda: not server.server_state.connections, 20)


def test_what_comes_over_a_kept_connection_while_the_service_ends_is_answered(
    own_probes: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "SECONDS_TO_HEAR_MORE", 20)
    app = application(service_of(own_probes, Start("127.0.0.1", {})))
    with serving(app) as (server, port):
        kept = Caller(port)
        assert kept.predict(1).status == 200
        server.should_exit = True
        assert until(lambda: is_refused(port)), "nobody new is let in"
        last = kept.predict(2)
        assert (last.status, last.headers["connection"]) == (200, "close")


def is_refused(port: int) -> bool:
    with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
        return False
    return True


def test_a_long_body_may_follow_a_head_in_one_piece(own_probes: Settings) -> None:
    rows = [float(number) for number in range(9_000)]
    with running(own_probes) as service:
        caller = service.caller()
        assert len(json.dumps(body_of(*rows))) > 2 * protocol.MOST_BYTES_OF_A_HEAD
        assert [caller.predict(*rows).status for _ in range(2)] == [200, 200]


def test_a_flood_is_turned_away_and_health_is_told_meanwhile(
    own_probes: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake, "REQUESTS_AT_ONCE", 4)
    statuses: list[int] = []
    with running(own_probes) as service:

        def ask() -> None:
            caller = service.caller()
            for _ in range(10):
                reply = caller.predict(*range(2000))
                statuses.append(reply.status)
                if reply.status == 503:
                    assert reply.headers["retry-after"] == "1"

        threads = [threading.Thread(target=ask) for _ in range(20)]
        for thread in threads:
            thread.start()
        assert service.ask("GET", "/health").status == 200
        for thread in threads:
            thread.join()
        assert set(statuses) == {200, 503}
        assert service.predict(1).status == 200, "and it goes on"
