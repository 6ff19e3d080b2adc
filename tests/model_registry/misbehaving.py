"""A real HTTP server in front of a real MLflow server, that misbehaves on the requests a test
names.
"""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Rule = Callable[[str, str], str]  # (method, path) -> what to do: see `Behind`

_PASSED_ON = ("Content-Type", "Authorization")


class Front(ThreadingHTTPServer):
    """`rule` decides each request; `seen` keeps them all.

    Threads of hanging answers end with the test.
    """

    daemon_threads = True

    def __init__(self, behind: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behind = behind
        self.rule: Rule = lambda method, path: "pass"
        self.seen: list[tuple[str, str]] = []
        self.released = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def requests_of(self, ending: str) -> int:
        return sum(path.endswith(ending) for _, path in self.seen)


class _Handler(BaseHTTPRequestHandler):
    """pass; 503, 500, 401 = answered so without asking.

    After-503, after-500, after-drop = done, and then answered so; hang = no answer.
    """

    server: Front
    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = self.path.partition("?")[0]
        self.server.seen.append((self.command, path))
        todo = self.server.rule(self.command, path)
        if todo == "hang":
            self.server.released.wait(60)
        elif todo.isdecimal():
            self.reply(int(todo), b"no")
        else:
            status, content = self.ask_behind(body)
            _, _, instead = todo.partition("after-")
            if instead == "drop":
                self.close_connection = True
            else:
                self.reply(int(instead) if instead else status, b"no" if instead else content)

    def ask_behind(self, body: bytes) -> tuple[int, bytes]:
        headers = {name: self.headers[name] for name in _PASSED_ON if name in self.headers}
        request = urllib.request.Request(
            self.server.behind + self.path, body or None, headers, method=self.command
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return response.status, response.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def reply(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header(
            "Content-Type",
            "text/plain" if status >= 400 and content == b"no" else "application/json",
        )
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass

    def __getattr__(self, name: str) -> Callable[[], None]:
        if name.startswith("do_"):
            return self.answer
        raise AttributeError(name)


@contextmanager
def in_front_of(behind: str) -> Iterator[Front]:
    front = Front(behind)
    threading.Thread(target=front.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield front
    finally:
        front.released.set()
        front.shutdown()
        front.server_close()
