"""What every route asks of a request: its ids, its content type; and answers as JSON."""

from __future__ import annotations

import re
import secrets
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import orjson
from starlette.responses import Response

from retraining.serving.refusals import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.requests import Request

JSON = "application/json"
IGNORED_NAMED = 20
_ID = re.compile(r"[\x20-\x7e]{1,128}")
_TRACE_PARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")


def id_of_request(sent: str | None) -> str:
    """The caller's `X-Request-Id` where it is one, else a new one that sorts by time."""
    return sent if sent is not None and _ID.fullmatch(sent) else time_ordered_id()


def time_ordered_id() -> str:
    """A new id that sorts by time: milliseconds since 1970 and 80 random bits, in hexadecimal."""
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"


def trace_id_of(request: Request) -> str | None:
    """The trace's id of a W3C `traceparent` header."""
    found = _TRACE_PARENT.fullmatch(request.headers.get("traceparent", ""))
    return found[1] if found else None


def payer_of(request: Request) -> str:
    """On whose account rows are counted.

    The caller's name, or where callers have none their address.
    """
    name = request.state.caller.name
    address = request.client.host if request.client is not None else ""
    return f"name {name}" if name is not None else f"address {address}"


def must_be_json(request: Request) -> None:
    """Refuse what is not declared as JSON in UTF-8: a form of another site cannot be.

    Raises:
        Refusal: 415.
    """
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Refusal(415, "compressed", "Send the body as it is, without a Content-Encoding.")
    kind, _, parameters = request.headers.get("content-type", "").lower().partition(";")
    charset = parameters.replace('"', "").strip()
    if kind.strip() != JSON or charset not in ("", "charset=utf-8"):
        raise Refusal(415, "not_json", f"Send the body as Content-Type: {JSON}.")


def json_answer(
    content: Any, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """An answer as JSON; NaN becomes null."""
    body = orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)
    return Response(body, status, headers, media_type=JSON)


def naming_ignored(columns: Sequence[str]) -> dict[str, str]:
    """The header that names columns of a request that no model learns; none without any."""
    named = ",".join(quote(name, safe="", errors="replace") for name in columns[:IGNORED_NAMED])
    return {"X-Ignored-Columns": named} if named else {}
