"""HTTP as uvicorn reads it, with bounds: a request's head must come within 30 seconds and 64 KiB,
and who has just sent a request when the service ends is answered.

uvicorn waits for ever for the rest of a head, so that who sends one letter a minute holds a
connection for as long as he likes; and it keeps a head of any length in memory, so that who sends
a gigabyte without a token ends the process. Bodies have their own limits: `intake`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    import asyncio

SECONDS_FOR_A_HEAD = 30.0
SECONDS_TO_TAKE_AN_ANSWER = 60.0
MOST_BYTES_OF_A_HEAD = 65_536
SECONDS_TO_HEAR_MORE = 0.2  # at the end, on a kept connection
_TOO_LONG = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"connection: close\r\ncontent-length: 0\r\n\r\n"
)


class BoundedProtocol(HttpToolsProtocol):
    """Closes a connection whose head does not get whole in time, or grows without an end, and one
    whose caller does not take the answer.
    """

    _deadline: asyncio.TimerHandle | None = None
    _answers_end: asyncio.TimerHandle | None = None
    _is_ending = False
    _unfinished = 0  # bytes since the parser last had something whole: a head, a piece of a body

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first head."""
        super().connection_made(transport)
        self._wait_for_a_head()

    def data_received(self, data: bytes) -> None:
        """Read on, but for what makes the parser keep more and more: heads, and trailers of bodies.

        One read brings a quarter of a megabyte at most, so no more than that is kept beyond the
        limit.
        """
        self._unfinished += len(data)
        super().data_received(data)
        if self._unfinished > MOST_BYTES_OF_A_HEAD and not self.transport.is_closing():
            self._refuse_to_read_on()

    def on_message_begin(self) -> None:
        """A head has begun."""
        super().on_message_begin()
        if self._deadline is None:
            self._wait_for_a_head()

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._unfinished = 0
        self._wait_no_more()
        super().on_headers_complete()
        if self._is_ending:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        """A piece of a body has come."""
        self._unfinished = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole, what follows its body included."""
        self._unfinished = 0
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody is there to wait for."""
        self._wait_no_more()
        self._stop_waiting_for_the_reader()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The caller takes less than it is sent; what it does not take is kept in memory."""
        super().pause_writing()
        self._answers_end = self.loop.call_later(SECONDS_TO_TAKE_AN_ANSWER, self.transport.abort)

    def resume_writing(self) -> None:
        """Nearly all has been taken."""
        self._stop_waiting_for_the_reader()
        super().resume_writing()

    def shutdown(self) -> None:
        """The service ends; a request that is on its way over a kept connection is answered.

        To close it at once would reset it under a caller who has just sent one, and cannot know
        whether it was taken.
        """
        self._is_ending = True
        if self._an_answer_is_due:
            super().shutdown()
        else:
            self.loop.call_later(SECONDS_TO_HEAR_MORE, super().shutdown)

    @property
    def _an_answer_is_due(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _refuse_to_read_on(self) -> None:
        if not self._an_answer_is_due:  # ours would stand in the middle of it
            self.transport.write(_TOO_LONG)
        self.transport.close()

    def _stop_waiting_for_the_reader(self) -> None:
        if self._answers_end is not None:
            self._answers_end.cancel()
            self._answers_end = None

    def _wait_for_a_head(self) -> None:
        self._deadline = self.loop.call_later(SECONDS_FOR_A_HEAD, self.transport.close)

    def _wait_no_more(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
