"""uvicorn as the service runs it: a socket bound early, an end that lets requests finish."""

from __future__ import annotations

import signal
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

from retraining.errors import UsageError
from retraining.logs import log

if TYPE_CHECKING:
    from collections.abc import Iterator

    import uvicorn
    from starlette.types import ASGIApp

SECONDS_TO_FINISH = 10
SECONDS_IDLE = 75  # longer than most load balancers keep a connection


@contextmanager
def bound_socket(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that holds the address; nobody can connect before the server listens on it.

    Raises:
        UsageError: the address cannot be had.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, protocol)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except (OSError, OverflowError) as error:
        raise UsageError(
            f"The service cannot listen on {host} port {port}: {error}.",
            unchanged="Nothing was started.",
            remedy="Name another --host or --port, or end what listens there.",
        ) from error
    with bound:
        yield bound


def serve_on(listener: socket.socket, app: ASGIApp) -> None:
    """Serve until SIGTERM or Ctrl-C.

    Then no new request is taken, and those in flight have ten seconds.
    """
    import uvicorn

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)  # uvicorn raises it again once it has ended well

    class Announcing(uvicorn.Server):
        """Says when callers can connect."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            host, port = listener.getsockname()[:2]
            log.info("serving on http://%s:%d", host, port)

    Announcing(config_of(app)).run(sockets=[listener])


def config_of(app: ASGIApp) -> uvicorn.Config:
    """How uvicorn runs the application."""
    import uvicorn

    from retraining.serving.protocol import BoundedProtocol

    return uvicorn.Config(
        app,
        loop="uvloop",
        http=BoundedProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=SECONDS_IDLE,
        timeout_graceful_shutdown=SECONDS_TO_FINISH,
    )
