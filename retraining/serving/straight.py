"""The one route that is asked all the time, past the router."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request

from retraining.serving.edge import answer_to, path_of
from retraining.serving.refusals import Refusal

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from retraining.serving.scoped import ScopedRoute


class Straight:
    """Hands requests for a route to its handler, behind the same door (ASGI).

    The router and what FastAPI does around a handler take longer than reading a row. The route
    stays in the application all the same: it is described there, and refuses other methods.

    Args:
        app: the application.
        route: its handler takes the request alone, and gives a response.
    """

    def __init__(self, app: ASGIApp, route: ScopedRoute) -> None:
        self._app = app
        self._route = route
        self._handle = route.behind_the_door(route.endpoint)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if not self._is_for_the_route(scope):
            await self._app(scope, receive, send)
            return
        scope["route"] = self._route
        try:
            answer = await self._handle(Request(scope, receive, send))
        except Refusal as refusal:
            answer = answer_to(refusal, scope["state"]["request_id"])
        await answer(scope, receive, send)

    def _is_for_the_route(self, scope: Scope) -> bool:
        if scope["type"] != "http" or path_of(scope) != self._route.path:
            return False
        return scope["method"] in (self._route.methods or ())
