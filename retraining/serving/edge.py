"""The edge of the application, around all routes: ids, errors in one form, and what is counted."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException

from retraining.logs import log
from retraining.serving.access import OPEN_TO_ALL
from retraining.serving.model import ModelFailedError
from retraining.serving.refusals import Refusal
from retraining.serving.requests import id_of_request, json_answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from retraining.serving.access import Access
    from retraining.serving.intake import Intake

    Count = Callable[[str, int, float], None]

_MESSAGES = {
    404: "There is no such route; /docs lists them.",
    405: "The route does not take this method.",
}


class Edge:
    """Wraps the application (ASGI).

    Args:
        app: the application.
        door: refuses foreign hosts.
        intake: refuses more than can be held.
        count: told route, status and seconds of every answer; an unknown path's route is `other`.
    """

    def __init__(self, app: ASGIApp, door: Access, intake: Intake, count: Count) -> None:
        self._app = app
        self._door = door
        self._intake = intake
        self._count = count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        request_id = id_of_request(Headers(scope=scope).get("x-request-id"))
        scope.setdefault("state", {})["request_id"] = request_id
        status = 0
        is_counted = False

        def count_once() -> None:
            nonlocal is_counted
            if not is_counted:
                is_counted = True
                self._count(_route_of(scope), status or 499, time.perf_counter() - began)

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-Id"] = request_id
            elif not message.get("more_body"):
                count_once()  # who has an answer finds it in the metrics, whichever worker is asked
            await send(message)

        try:
            await self._let_in(scope, receive, send_with_id)
        except Exception as error:  # noqa: BLE001 - the caller gets an id and no text
            _say(error, request_id)
            if not status:
                await fault(error, request_id)(scope, receive, send_with_id)
        finally:
            count_once()

    async def _let_in(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, unless it comes to a foreign name or too many run.

        Health is told to everybody at any time.
        """
        if path_of(scope) in OPEN_TO_ALL:
            await self._app(scope, receive, send)
            return
        try:
            self._door.refuse_foreign_host(Headers(scope=scope))
            self._intake.begin()
        except Refusal as refusal:
            await answer_to(refusal, scope["state"]["request_id"])(scope, receive, send)
            return
        try:
            await self._app(scope, receive, send)
        finally:
            self._intake.end(scope["state"].get("held", 0))


def fault(error: Exception, request_id: str) -> Response:
    """The answer to an error of ours or of the model's."""
    refusal = Refusal(
        500, "internal", "The service failed to answer; its log names this request's id."
    )
    if isinstance(error, ModelFailedError):
        refusal.after_asking(error.version)
    return answer_to(refusal, request_id)


async def refused(request: Request, error: Exception) -> Response:
    """The answer to a request that is refused."""
    assert isinstance(error, Refusal)
    return answer_to(error, request.state.request_id)


def answer_to(refusal: Refusal, request_id: str) -> Response:
    """A refusal as it is sent."""
    return json_answer(refusal.as_json(request_id), status=refusal.status, headers=refusal.headers)


async def not_routed(request: Request, error: Exception) -> Response:
    """The answer where no route takes a request.

    The path is the caller's, so it is not repeated.
    """
    assert isinstance(error, HTTPException)
    code = {404: "no_such_route", 405: "wrong_method"}.get(error.status_code, "refused")
    message = _MESSAGES.get(error.status_code, "The request was refused.")
    content = Refusal(error.status_code, code, message).as_json(request.state.request_id)
    return json_answer(content, status=error.status_code, headers=error.headers)


def _say(error: Exception, request_id: str) -> None:
    """Name the error and its place; its words may hold values of a caller's row."""
    place, trace = "", error.__traceback__
    while trace is not None:
        place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
        trace = trace.tb_next
    cause = error.__cause__
    kind = type(error).__name__ + ("" if cause is None else f" from {type(cause).__name__}")
    log.error("request %s failed: %s at %s", request_id, kind, place)


def path_of(scope: Scope) -> str:
    """The path within the application, wherever it is mounted."""
    return str(scope["path"]).removeprefix(scope.get("root_path", ""))


def _route_of(scope: Scope) -> str:
    route = scope.get("route")
    return "other" if route is None else str(route.path)
