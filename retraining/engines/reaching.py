"""Asks who listens at ENGINE, before Dask's client connects.

The client has no limit of its own for that answer. If it cannot read the answer, it can neither be
used nor closed.
"""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent import futures
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from retraining.errors import EngineUnreachableError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")

PATIENCE = 10.0  # seconds that Dask tries to connect, and waits for workers to come
LONGEST = 15.0  # seconds for any step, because some have no limit of their own
PAUSE = 0.05  # seconds between two looks
WITHOUT = "or correct ENGINE, or leave it out: the work is done here then."


def greet(named: str, address: str, look: Callable[[], None]) -> None:
    """Ask who listens there.

    Args:
        named: ENGINE, as people know it.
        address: the same as Dask knows it.
        look: called meanwhile; what it raises ends the wait.

    Raises:
        EngineUnreachableError: nobody listens there, or something else than a scheduler, or TLS is
            asked for without certificates.
    """
    from distributed.security import Security

    arguments = Security().get_connection_args("client")
    if address.startswith("tls:") and arguments["ssl_context"] is None:
        raise EngineUnreachableError(
            f"{named} asks for TLS, but Dask's settings name no certificates.",
            remedy="Set them as `distributed.comm.tls` in Dask's configuration: docs/scale.md.",
        )
    try:
        kind = patiently(partial(_kind_of_server, address, arguments), look)
    except Exception as error:  # what is no scheduler may answer anything
        raise unreachable(named, error) from error
    if kind != "Scheduler":
        raise _no_scheduler(named, f"a Dask {kind.lower()} listens there")


def _kind_of_server(address: str, arguments: Mapping[str, Any]) -> str:
    return asyncio.run(_kind(address, arguments))


async def _kind(address: str, arguments: Mapping[str, Any]) -> str:
    from distributed import rpc

    async with rpc(address, timeout=PATIENCE, connection_args=arguments) as server:
        identity = await server.identity()
    kind: str = identity["type"]
    return kind


def patiently(work: Callable[[], T], look: Callable[[], None]) -> T:
    """Call what may never return, in a thread of its own.

    `look` is called meanwhile; what it raises ends the wait. A call that does not return is left
    behind: the thread ends with the process.

    Raises:
        TimeoutError: it did not return within `LONGEST` seconds.
    """
    answer: futures.Future[T] = futures.Future()

    def do() -> None:
        try:
            answer.set_result(work())
        except BaseException as error:  # noqa: BLE001 - it is raised where the answer is read
            answer.set_exception(error)

    threading.Thread(target=do, daemon=True).start()
    until = time.monotonic() + LONGEST
    while not answer.done():
        look()
        if time.monotonic() > until:
            raise TimeoutError
        futures.wait([answer], PAUSE)
    return answer.result()


def unreachable(named: str, error: Exception) -> EngineUnreachableError:
    """What to tell of an error before a scheduler was found: no work was sent yet."""
    if not isinstance(error, OSError):
        return _no_scheduler(named, "whoever listens there does not speak as one does")
    if not str(error):
        return _no_scheduler(named, f"whoever listens there said nothing for {LONGEST:g} s")
    return _no_scheduler(named, f"{_root_of(error)} (tried for up to {PATIENCE:g} s)")


def _root_of(error: OSError) -> str:
    """What the system said: Dask wraps that more than once."""
    why, link = str(error), error.__cause__
    while link is not None:
        if isinstance(link, OSError):
            why = link.strerror or str(link) or why
        link = link.__cause__
    return why


def _no_scheduler(named: str, why: str) -> EngineUnreachableError:
    return EngineUnreachableError(
        f"No Dask scheduler answers at {named}: {why}.",
        remedy=f"Start one there: docs/scale.md has the line; {WITHOUT}",
    )
