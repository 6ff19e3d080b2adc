"""One HTTP request with the standard library: requests takes 0.1 s to import, a third of what a
closed gate may cost.
"""

from __future__ import annotations

import base64
import time
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit, urlunsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

MOST_OF_AN_ANSWER = 4096  # bytes read before the connection is closed
PAUSES = (0.5, 1.5)  # seconds before the second and the third try


class NotTakenError(Exception):
    """The receiver answered, but not with success.

    The message holds the status and not the address, which may be a secret.
    """

    def __init__(self, status: int) -> None:
        super().__init__(f"the receiver answered {status}")
        self.refuses_method = status in (405, 501)
        self.may_pass = status in (408, 429) or (status >= 500 and not self.refuses_method)


def send(
    url: str, body: bytes | None, headers: Mapping[str, str], *, timeout: float, tries: int = 3
) -> None:
    """POST `body`, or GET without one.

    A failure that may pass (no answer, 5xx, 408, 429) is tried again after a pause.

    Redirects are not followed.

    Raises:
        NotTakenError: the last answer was no success.
        OSError: no answer came.
    """
    for attempt in range(tries):
        try:
            _send_once(url, body, headers, timeout)
        except (OSError, NotTakenError) as error:
            is_final = attempt + 1 == tries or (
                isinstance(error, NotTakenError) and not error.may_pass
            )
            if is_final:
                raise
            time.sleep(PAUSES[min(attempt, len(PAUSES) - 1)])
        else:
            return


def _send_once(url: str, body: bytes | None, headers: Mapping[str, str], timeout: float) -> None:
    from http.client import HTTPException
    from urllib import error, request

    class StayHere(request.HTTPRedirectHandler):
        """A redirected POST would arrive as a GET without its body."""

        def redirect_request(self, *_: object) -> None:
            return None

    address, authorization = _without_password(url)
    sent_headers = {**headers, **authorization}
    # the settings take http and https only
    message = request.Request(address, data=body, headers=sent_headers)  # noqa: S310
    try:
        with request.build_opener(StayHere).open(message, timeout=timeout) as answer:
            answer.read(MOST_OF_AN_ANSWER)
    except error.HTTPError as refusal:
        refusal.close()
        raise NotTakenError(refusal.code) from None
    except error.URLError as failure:
        raise OSError(str(failure.reason)) from None
    except HTTPException as failure:  # its message may quote the address
        raise OSError(f"no proper HTTP answer ({type(failure).__name__})") from None


def _without_password(url: str) -> tuple[str, dict[str, str]]:
    """The address without `user:password@`, and the header that carries them."""
    parts = urlsplit(url)
    if parts.username is None:
        return url, {}
    host = parts.netloc.rpartition("@")[2]
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return urlunsplit(parts._replace(netloc=host)), {
        "Authorization": "Basic " + base64.b64encode(pair.encode()).decode()
    }
