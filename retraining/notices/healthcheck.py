"""A dead man's switch by the convention of healthchecks.io: `<url>/start`, `<url>` on success,
`<url>/<exit code>` on failure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from retraining.notices import http

if TYPE_CHECKING:
    from collections.abc import Sequence

LINES = 40
MOST_BYTES = 10_000  # of the log's end; healthchecks.io keeps 100 kB
TIMEOUT = 2.5
HEADERS = {"Content-Type": "text/plain; charset=utf-8", "User-Agent": "retraining"}


def start(url: str) -> None:
    """Say that a cycle started; tried once, for a late start is worse than none."""
    http.send(_with_path(url, "start"), None, HEADERS, timeout=TIMEOUT, tries=1)


def end(url: str, exit_code: int, log_tail: Sequence[str]) -> None:
    """Say how a cycle ended, with the log's last lines as the body where the receiver takes one."""
    body = "\n".join(log_tail[-LINES:]).encode(errors="replace")[-MOST_BYTES:]
    address = url if exit_code == 0 else _with_path(url, str(exit_code))
    try:
        http.send(address, body, HEADERS, timeout=TIMEOUT)
    except http.NotTakenError as refusal:
        if not refusal.refuses_method:
            raise
        http.send(address, None, HEADERS, timeout=TIMEOUT)


def _with_path(url: str, last: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{last}"))
