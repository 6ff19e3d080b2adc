"""The live page, what its script fetches, its log-in, and the one thing that it does: start a
cycle.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from fastapi import APIRouter, Request, Response
from starlette.responses import HTMLResponse, RedirectResponse

from retraining.errors import RetrainingError
from retraining.report.live import page as drawing
from retraining.serving.access import COOKIE
from retraining.serving.descriptions import SCOPE
from retraining.serving.jobs import LONGEST_WHY
from retraining.serving.refusals import Refusal, bad_request, not_now
from retraining.serving.scoped import ScopedRoute
from retraining.serving.service import service_of

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    Handler = Callable[[Request], Coroutine[Any, Any, Response]]

SECONDS_LOGGED_IN = 30 * 86_400
NOT_STARTED = "not-started"  # in the page's address, until its script takes it away
FORM = "application/x-www-form-urlencoded"
HOW_TO_MAKE_ONE = "python prediction_service.py --project DIR --new-token NAME --scopes read"
WITHDRAWN = "The token with which you logged in is no longer valid."
HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
# A report is a file of the registry: whatever it holds, it runs nothing and asks for nothing.
REPORT_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"


class PageRoute(ScopedRoute):
    """Shows whoever may not read the page the form for a token."""

    def get_route_handler(self) -> Handler:
        """The handler behind the door, and the form in front of it."""
        handle = super().get_route_handler()

        async def or_the_form(request: Request) -> Response:
            try:
                return await handle(request)
            except Refusal as refusal:
                if refusal.status not in (401, 403):
                    raise
                problem = refusal.message
                if refusal.status == 401:
                    problem = WITHDRAWN if COOKIE in request.cookies else ""
                return _form(request, refusal, problem)

        return or_the_form


pages = APIRouter(route_class=PageRoute, include_in_schema=False)
router = APIRouter(route_class=ScopedRoute, include_in_schema=False)


@pages.get("/", openapi_extra={SCOPE: "read"})
async def live_page(request: Request) -> Response:
    """Whether production is well, at one look."""
    return await asyncio.to_thread(_whole_page, request)


def _whole_page(request: Request) -> Response:
    service, caller = service_of(request), request.state.caller
    facts = service.page.facts(may_operate=caller.may("operate"))
    refused = NOT_STARTED in request.query_params
    html = drawing.page(facts, may_log_out=COOKIE in request.cookies, refused=refused)
    return HTMLResponse(html, headers=_page_headers(live=True))


@router.get("/page/fragment", openapi_extra={SCOPE: "read"})
async def fragment(request: Request) -> Response:
    """The parts of the page that change."""
    return await asyncio.to_thread(_fragment, request)


def _fragment(request: Request) -> Response:
    facts = service_of(request).page.facts(may_operate=request.state.caller.may("operate"))
    headers = {**_page_headers(live=True), "X-Drawn": drawing.moment_text(facts)}
    return HTMLResponse(drawing.parts(facts), headers=headers)


@router.get("/page/reports/{cycle_id}", openapi_extra={SCOPE: "read"})
async def report(request: Request, cycle_id: str) -> Response:
    """The report of a cycle, as the registry keeps it."""
    service = service_of(request)
    try:
        text = await asyncio.to_thread(service.report_of, cycle_id)
    except RetrainingError as error:
        raise not_now("no_report", error.what) from error
    if text is None:
        raise Refusal(404, "no_such_report", "There is no report of such a cycle.")
    return HTMLResponse(text, headers={**HEADERS, "Content-Security-Policy": REPORT_POLICY})


# --- doing ----------------------------------------------------------------------------------------
@router.post("/page/run", openapi_extra={SCOPE: "operate"})
async def run(request: Request) -> Response:
    """Start a cycle, and show the page again; it says so where one runs already."""
    must_be_from_the_page(request)
    service, form = service_of(request), await _form_of(request)
    why = form.get("why", "").strip()
    if len(why) > LONGEST_WHY or not why.isprintable():
        raise bad_request("not_a_reason", "A reason is a line of printable characters.")
    try:
        await asyncio.to_thread(service.jobs.start, force=form.get("force") == "yes", why=why)
    except Refusal as refusal:
        if refusal.status != 409:
            raise
        return _seen_at(f"../?{NOT_STARTED}=#doing")
    return _seen_at("../#doing")


# --- logging in -----------------------------------------------------------------------------------
@router.post("/login")
async def login(request: Request) -> Response:
    """Keep a token that may read in a cookie that no script sees."""
    must_be_from_the_page(request)
    form = await _form_of(request)
    token = form.get("token", "").strip()
    try:
        service_of(request).access.caller_by(token, "read")
    except Refusal as refusal:
        problem = "That token may not read this page (scope read)."
        if refusal.status == 401:
            problem = "That token is not known here."
        return _form(request, refusal, problem)
    answer = _seen_at("./")
    answer.set_cookie(
        COOKIE,
        token,
        max_age=SECONDS_LOGGED_IN,
        path=f"{_root(request)}/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
    return answer


@router.post("/logout")
async def logout(request: Request) -> Response:
    """Forget the token."""
    must_be_from_the_page(request)
    answer = _seen_at("./")
    answer.delete_cookie(COOKIE, path=f"{_root(request)}/", httponly=True, samesite="strict")
    return answer


def must_be_from_the_page(request: Request) -> None:
    """Refuse a form that another site posts.

    Raises:
        Refusal: 403 where the browser says so, 415 where it is no form at all.
    """
    headers = request.headers
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != FORM:
        raise Refusal(415, "not_a_form", f"Send the form as Content-Type: {FORM}.")
    origin, site = headers.get("origin"), headers.get("sec-fetch-site")
    is_ours = site in ("same-origin", "none")
    if site is None:  # told by browsers to safe addresses only: https, and this machine
        is_ours = origin is None or origin.partition("://")[2] == headers.get("host", "")
    if not is_ours:
        raise Refusal(403, "foreign_site", "The form must be sent by this service's own page.")


async def _form_of(request: Request) -> dict[str, str]:
    """The fields of a form; of a name that comes twice the last."""
    body = await service_of(request).intake.body_of(request)
    try:
        fields = parse_qs(body.decode("utf-8"), max_num_fields=20)
    except ValueError:
        raise bad_request("not_a_form", "The body is no form.") from None
    return {name: values[-1] for name, values in fields.items()}


def _form(request: Request, refusal: Refusal, problem: str) -> Response:
    html = drawing.login_page(
        service_of(request).page.page_settings,
        action="login",
        command=HOW_TO_MAKE_ONE,
        problem=problem,
    )
    headers = {**refusal.headers, **_page_headers(live=False)}
    return HTMLResponse(html, refusal.status, headers)


def _page_headers(*, live: bool) -> dict[str, str]:
    policy = f"{drawing.policy(live=live)}; frame-ancestors 'none'"
    return {**HEADERS, "Content-Security-Policy": policy}


def _seen_at(place: str) -> RedirectResponse:
    """Show the page again; told relatively, since a proxy may hide where it stands."""
    return RedirectResponse(place, 303, headers=HEADERS)


def _root(request: Request) -> str:
    """The path under which the application is mounted."""
    return str(request.scope.get("root_path", ""))
