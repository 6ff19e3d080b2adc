"""The edge around all routes, without a server."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from retraining.serving.edge import Edge

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send


def test_an_answer_is_counted_before_its_caller_has_it() -> None:
    seen: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        await send({"type": "http.response.body", "body": b"b"})

    async def send(message: Message) -> None:
        seen.append(message.get("body", "head"))

    async def receive() -> Message:
        raise AssertionError("there is no body")

    unasked = cast("Any", None)  # health is let in by nobody
    edge = Edge(app, unasked, unasked, lambda *told: seen.append(told[:2]))
    scope = {"type": "http", "path": "/live", "headers": [], "method": "GET"}
    asyncio.run(edge(scope, receive, send))
    assert seen == ["head", b"a", ("other", 200), b"b"]
