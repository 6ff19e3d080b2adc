"""A route that lets nobody in without the scope that its description names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi.routing import APIRoute

from retraining.serving.access import OPEN_TO_ALL, WITHOUT_A_TOKEN
from retraining.serving.descriptions import SCOPE
from retraining.serving.service import service_of

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from fastapi import Request, Response

    Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class ScopedRoute(APIRoute):
    """Asks the door before the handler.

    A route that names no scope must be one of those that want no token.
    """

    def get_route_handler(self) -> Handler:
        """The handler behind the door."""
        return self.behind_the_door(super().get_route_handler())

    def behind_the_door(self, handle: Handler) -> Handler:
        """A handler that only who holds the route's scope gets to."""
        scope = (self.openapi_extra or {}).get(SCOPE)
        if scope is None:
            if self.path not in (*OPEN_TO_ALL, *WITHOUT_A_TOKEN):
                raise TypeError(f"the route {self.path} names no scope")
            return handle

        async def after_the_door(request: Request) -> Response:
            request.state.caller = service_of(request).access.caller_of(request, scope)
            return await handle(request)

        return after_the_door
