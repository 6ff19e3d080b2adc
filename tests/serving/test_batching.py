"""Requests that wait are answered together, by one version.

Each caller with the answers of its own rows.
"""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from retraining.serving.batching import BATCHES_WAITING, Batches
from retraining.serving.model import Answers, ModelFailedError
from retraining.serving.refusals import Refusal
from retraining.serving.rows import TypedRows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

BAD = 13


def rows_of(*numbers: int) -> TypedRows:
    return TypedRows({"row": np.array(numbers, float)}, len(numbers), {}, ())


@dataclass(eq=False)
class Model:
    """Gives back each row's number, and can be held up."""

    version: int = 1
    batches: list[int] = field(default_factory=list)
    begun: threading.Event = field(default_factory=threading.Event)
    go: threading.Event = field(default_factory=threading.Event)

    def answers(self, parts: Sequence[TypedRows]) -> Answers:
        self.begun.set()
        assert self.go.wait(10)
        numbers = np.concatenate([part.columns["row"] for part in parts])
        self.batches.append(len(numbers))
        if BAD in numbers:
            raise ModelFailedError(1, "ValueError")
        return Answers([int(number) for number in numbers], None)


@contextmanager
def batches_of(most_rows: int, taken: list[Any] | None = None) -> Iterator[Batches]:
    made = Batches(most_rows, lambda *told: None if taken is None else taken.append(told))
    made.start()
    try:
        yield made
    finally:
        made.close()


async def ask(batches: Batches, model: Any, *numbers: int) -> list[Any]:
    return list((await batches.answers(model, rows_of(*numbers))).labels)


def gathered(batches: Batches, first: Any, *others: Any) -> list[Any]:
    """Ask once, and the others while the first is being answered."""

    async def all_of_them() -> list[Any]:
        model = first[0]
        asked = [asyncio.create_task(ask(batches, *first))]
        await asyncio.to_thread(model.begun.wait, 120)
        asked += [asyncio.create_task(ask(batches, *other)) for other in others]
        await asyncio.sleep(0.05)
        for one in (first, *others):
            one[0].go.set()
        return await asyncio.gather(*asked, return_exceptions=True)

    return asyncio.run(all_of_them())


def test_what_gathers_while_a_batch_is_answered_is_the_next_batch() -> None:
    model, taken = Model(), []
    with batches_of(100, taken) as batches:
        told = gathered(batches, (model, 1), (model, 2, 3), (model, 4), (model, 5, 6, 7))
    assert told == [[1], [2, 3], [4], [5, 6, 7]]
    assert model.batches == [1, 6]
    assert taken == [(1, 1, 0), (1, 6, 0)]


def test_what_comes_at_one_moment_is_one_batch() -> None:
    model = Model()
    model.go.set()

    async def after_a_moment(batches: Batches, number: int) -> list[Any]:
        time.sleep(0.005)  # the worker could run now, and must not
        return await ask(batches, model, number)

    async def all_at_once(batches: Batches) -> list[Any]:
        return await asyncio.gather(*(after_a_moment(batches, number) for number in range(8)))

    with batches_of(100) as batches:
        assert asyncio.run(all_at_once(batches)) == [[number] for number in range(8)]
    assert model.batches == [8]


def test_a_batch_holds_no_more_rows_than_it_may_unless_one_request_does() -> None:
    model = Model()
    with batches_of(3) as batches:
        told = gathered(batches, (model, 1), (model, 2, 3), (model, 4, 5), (model, 6, 7, 8, 9))
    assert told == [[1], [2, 3], [4, 5], [6, 7, 8, 9]]
    assert model.batches == [1, 2, 2, 4]


def test_requests_of_two_versions_are_never_one_batch() -> None:
    old, new = Model(1), Model(2)
    with batches_of(100) as batches:
        told = gathered(batches, (old, 1), (old, 2), (new, 3), (new, 4))
    assert told == [[1], [2], [3], [4]]
    assert (old.batches, new.batches) == ([1, 1], [2])


def test_one_callers_bad_rows_fail_nobody_else() -> None:
    model = Model()
    with batches_of(100) as batches:
        told = gathered(batches, (model, 1), (model, 2), (model, BAD), (model, 3))
    assert [told[0], told[1], told[3]] == [[1], [2], [3]]
    assert isinstance(told[2], ModelFailedError)


def test_too_much_that_waits_is_turned_away_at_once() -> None:
    model = Model()
    full = [(model, number, number) for number in range(BATCHES_WAITING + 2)]
    with batches_of(2) as batches:
        told = gathered(batches, (model, 0), *full, (model, 99))
    refused = [one for one in told if isinstance(one, Refusal)]
    assert [(one.status, one.headers) for one in refused] == [(503, {"Retry-After": "1"})] * 2
    assert len([one for one in told if isinstance(one, list)]) == len(told) - len(refused)


def test_what_waits_when_the_service_ends_is_answered() -> None:
    model = Model()
    model.go.set()

    async def ask_and_close() -> list[Any]:
        batches = Batches(10, lambda *_: None)
        batches.start()
        asked = [asyncio.create_task(ask(batches, model, number)) for number in range(10)]
        await asyncio.sleep(0)
        await asyncio.to_thread(batches.close)
        return await asyncio.gather(*asked)

    assert asyncio.run(ask_and_close()) == [[number] for number in range(10)]
