"""HTTP as uvicorn reads it, with an end to patience: a request's head must come within 30 seconds.

uvicorn waits for ever for the rest of a head, so that who sends one letter a minute holds a
connection for as long as he likes. Bodies have their own limit: `intake`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    import asyncio

SECONDS_FOR_A_HEAD = 30.0


class PatientProtocol(HttpToolsProtocol):
    """Closes a connection whose first head, or a later one that has begun, does not get whole."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first head."""
        super().connection_made(transport)
        self._wait_for_a_head()

    def on_message_begin(self) -> None:
        """A head has begun."""
        super().on_message_begin()
        if self._deadline is None:
            self._wait_for_a_head()

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._wait_no_more()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody is there to wait for."""
        self._wait_no_more()
        super().connection_lost(exc)

    def _wait_for_a_head(self) -> None:
        self._deadline = self.loop.call_later(SECONDS_FOR_A_HEAD, self.transport.close)

    def _wait_no_more(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
