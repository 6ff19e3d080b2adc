"""Requests that wait are answered together.

One worker thread takes what is there, and an idle one waits for nothing.

A model answers 64 rows in the time of one. While it answers, requests gather; as soon as it is free
it takes all that ask the same version, up to a number of rows, and each caller gets the answers of
its own rows.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TYPE_CHECKING

from retraining.serving.refusals import not_now

if TYPE_CHECKING:
    from collections.abc import Callable

    from retraining.serving.model import Answers, ServedModel
    from retraining.serving.rows import TypedRows

BATCHES_WAITING = 10  # full batches that may wait; more would be answered after their callers left


@dataclass(eq=False)
class _Waiting:
    """The rows of one request, and whom to tell."""

    model: ServedModel
    rows: TypedRows
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)
    answers: asyncio.Future[Answers] = field(init=False)

    def __post_init__(self) -> None:
        self.answers = self.loop.create_future()

    def tell(self, outcome: Answers | Exception) -> None:
        """Hand over, on the event loop; a caller that has left hears nothing."""
        if self.answers.done():
            return
        if isinstance(outcome, Exception):
            self.answers.set_exception(outcome)
        else:
            self.answers.set_result(outcome)


class Batches:
    """The queue of requests and the thread that answers it.

    Args:
        most_rows: rows that are answered together at most, unless one request has more.
        taken: told version and rows of each batch, and how many rows wait then.
    """

    def __init__(self, most_rows: int, taken: Callable[[int, int, int], None]) -> None:
        self._most_rows = most_rows
        self._taken = taken
        self._waiting: deque[_Waiting] = deque()
        self._rows_waiting = 0
        self._changed = threading.Condition()
        self._closed = False
        self._worker = threading.Thread(target=self._work, name="answers", daemon=True)

    @property
    def rows_waiting(self) -> int:
        """Rows of requests that no batch has taken yet."""
        return self._rows_waiting

    def start(self) -> None:
        """Begin to answer."""
        self._worker.start()

    def close(self) -> None:
        """Answer what waits, then end the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._worker.join(timeout=10)

    async def answers(self, model: ServedModel, rows: TypedRows) -> Answers:
        """The version's answers for these rows.

        Raises:
            Refusal: 503, too many rows wait already.
            ModelFailedError: the version cannot answer them.
        """
        one = _Waiting(model, rows)
        with self._changed:
            if self._rows_waiting > BATCHES_WAITING * self._most_rows:
                raise not_now("too_many_waiting", "Too many rows wait to be answered; ask again.")
            self._waiting.append(one)
            self._rows_waiting += rows.count
        # The worker is woken when the loop has read what else came at this moment: one batch.
        one.loop.call_soon(self._wake)
        return await one.answers

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify()

    def _work(self) -> None:
        while batch := self._next_batch():
            rows = sum(one.rows.count for one in batch)
            self._taken(batch[0].model.version, rows, self._rows_waiting)
            found = _answered(batch)
            batch[0].loop.call_soon_threadsafe(_tell, batch, found)

    def _next_batch(self) -> list[_Waiting]:
        """What waits for the version that the first one asks, as soon as anything does.

        Empty once closed.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            batch: list[_Waiting] = []
            rows = 0
            while self._waiting:
                one = self._waiting[0]
                if batch and (
                    rows + one.rows.count > self._most_rows or not _go_together(batch[0], one)
                ):
                    break
                batch.append(self._waiting.popleft())
                rows += one.rows.count
            self._rows_waiting -= rows
            return batch


def _go_together(first: _Waiting, other: _Waiting) -> bool:
    """Whether two requests can be one frame.

    Both ask the same version on the same event loop, and neither came as a frame of its own.
    """
    if first.model is not other.model or first.loop is not other.loop:
        return False
    return first.rows.frame is None and other.rows.frame is None


def _answered(batch: list[_Waiting]) -> list[Answers | Exception]:
    """What each request of a batch is told.

    Where the batch fails, each is answered by itself, so that one caller's rows cannot fail
    another's.
    """
    try:
        answers = batch[0].model.answers([one.rows for one in batch])
    except Exception as error:  # noqa: BLE001 - every error goes to whoever asked
        if len(batch) == 1:
            return [error]
        return [found for one in batch for found in _answered([one])]
    stops = list(accumulate(one.rows.count for one in batch))
    starts = [0, *stops[:-1]]
    return [answers.part(start, stop) for start, stop in zip(starts, stops, strict=True)]


def _tell(batch: list[_Waiting], found: list[Answers | Exception]) -> None:
    for one, what in zip(batch, found, strict=True):
        one.tell(what)
