"""Bounds of what the service takes in: a body's bytes, all bodies', and requests at once."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

from starlette.requests import ClientDisconnect

from retraining.serving.refusals import Refusal, not_now, too_large

if TYPE_CHECKING:
    from starlette.requests import Request

SECONDS_FOR_A_BODY = 30.0
SECONDS_TO_DISCARD = 5.0
MOST_DISCARDED = 4  # times the largest size of a body
REQUESTS_AT_ONCE = 2_000
BODIES_AT_ONCE = 16  # of the largest size


class Intake:
    """Bounds the memory that callers can make us use. One a process, asked by the event loop alone.

    Args:
        most_bytes: of one body.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._held = 0
        self._running = 0

    def begin(self) -> None:
        """A request has come.

        Raises:
            Refusal: 503, too many run.
        """
        if self._running >= REQUESTS_AT_ONCE:
            raise not_now("too_many_waiting", "Too many requests run at once; ask again.")
        self._running += 1

    def end(self, held: int) -> None:
        """A request that had begun is over, and so many bytes of its body are let go."""
        self._running -= 1
        self._held -= held

    async def body_of(self, request: Request) -> bytes:
        """The request's body; its bytes count until the request is over.

        Raises:
            Refusal: 413 where it is too long, 408 where it takes more than 30 s to come, 503 where
                others fill the memory.
        """
        length = request.headers.get("content-length", "")
        if length.isdecimal() and int(length) > self._most_bytes:
            if int(length) <= MOST_DISCARDED * self._most_bytes:
                await _discard(request)
            raise self._too_long()
        try:
            async with asyncio.timeout(SECONDS_FOR_A_BODY):
                return await self._read(request)
        except TimeoutError:
            message = f"The body did not arrive within {SECONDS_FOR_A_BODY:.0f} s."
            raise Refusal(408, "too_slow", message, headers={"Connection": "close"}) from None

    async def _read(self, request: Request) -> bytes:
        chunks: list[bytes] = []
        length = 0
        async for chunk in request.stream():
            length += len(chunk)
            if length > self._most_bytes:
                raise self._too_long()
            if self._held + len(chunk) > BODIES_AT_ONCE * self._most_bytes:
                raise not_now("too_many_waiting", "Too many bytes wait to be answered; ask again.")
            self._held += len(chunk)
            request.state.held = length
            chunks.append(chunk)
        return b"".join(chunks)

    def _too_long(self) -> Refusal:
        return too_large(f"The body is longer than {self._most_bytes} bytes (MAX_REQUEST_BYTES).")


async def _discard(request: Request) -> None:
    """Let a body that is refused arrive.

    Most clients send all of it before they read. The connection of one that asked for
    `Connection: close`, as urllib does, is closed with the answer: it would see a broken
    connection, not the answer, and try again. Who asks first (`Expect`) sends nothing.
    """
    if "expect" in request.headers:
        return
    with suppress(TimeoutError, ClientDisconnect):
        async with asyncio.timeout(SECONDS_TO_DISCARD):
            async for _ in request.stream():
                pass
