"""Why a request is not answered: a status, a code, words, and the columns to blame.

None of them holds a value of the caller's.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from retraining.datasets.values import ColumnProblem

ASK_AGAIN = {"Retry-After": "1"}  # seconds, told to whom we cannot answer yet


class Refusal(Exception):  # noqa: N818 - it is an answer, not a fault
    """A request that is not answered.

    Args:
        status: the HTTP status.
        code: a word for programs, `error_code` in the answer.
        message: a sentence for people: what is wrong, and what to do about it.
        columns: what is wrong with which column, where rows do not fit.
        headers: more headers of the answer.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        columns: tuple[ColumnProblem, ...] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.columns = columns
        self.headers = dict(headers or {})

    def after_asking(self, version: int) -> Refusal:
        """The same, naming the version that was asked before it came to this."""
        self.headers |= model_version(version)
        return self

    def as_json(self, request_id: str) -> dict[str, Any]:
        """The error object of every answer that is an error."""
        return {
            "error_code": self.code,
            "message": self.message,
            "columns": [asdict(column) for column in self.columns],
            "request_id": request_id,
        }


def model_version(version: int) -> dict[str, str]:
    """The header of every answer for which a model was asked."""
    return {"X-Model-Version": str(version)}


def not_now(code: str, message: str) -> Refusal:
    """A 503 that says when to ask again."""
    return Refusal(503, code, message, headers=ASK_AGAIN)


def bad_request(code: str, message: str) -> Refusal:
    """A request that is not of the form that its route takes."""
    return Refusal(400, code, message)


def unfit(message: str, columns: tuple[ColumnProblem, ...] = ()) -> Refusal:
    """Rows or ids that do not fit."""
    return Refusal(422, "rows_do_not_fit", message, columns=columns)


def too_large(message: str) -> Refusal:
    """A request of more bytes or rows than this service takes."""
    return Refusal(413, "too_large", message)
