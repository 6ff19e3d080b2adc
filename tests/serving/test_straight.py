"""One route is answered past the router; all others, and other methods of it, are not."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse

from retraining.serving.refusals import bad_request
from retraining.serving.scoped import ScopedRoute
from retraining.serving.straight import Straight

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

PATH = "/live"  # wants no token


async def handler(request: Request) -> PlainTextResponse:
    if request.headers.get("bad"):
        raise bad_request("bad", "It is bad.")
    return PlainTextResponse(request.scope["route"].path)


def asked(method: str, path: str, **headers: str) -> httpx.Response:
    straight = Straight(Starlette(), ScopedRoute(PATH, handler, methods=["POST"]))

    async def with_an_id(scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"] = {"request_id": "r-1"}
        await straight(scope, receive, send)

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(with_an_id)
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
            return await client.request(method, path, headers=headers)

    return asyncio.run(ask())


def test_the_routes_requests_never_reach_the_router() -> None:
    told = asked("POST", PATH)
    assert (told.status_code, told.text) == (200, PATH)


def test_other_methods_and_paths_do() -> None:
    assert asked("GET", PATH).status_code == 404
    assert asked("POST", "/other").status_code == 404


def test_a_refusal_is_answered_as_the_application_answers_it() -> None:
    told = asked("POST", PATH, bad="1")
    assert told.status_code == 400
    assert (told.json()["error_code"], told.json()["request_id"]) == ("bad", "r-1")
