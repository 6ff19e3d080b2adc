"""Who asks, and what is answered to somebody who is not known."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from retraining.serving.refusals import Refusal

if TYPE_CHECKING:
    from retraining.serving.tokens import Scope


@dataclass(frozen=True)
class Caller:
    """Who asks: the token's name or the JWT's subject.

    Everything is open where there are no tokens at all.
    """

    name: str | None = None
    scopes: frozenset[str] = field(default_factory=frozenset)
    anybody: bool = False

    def may(self, scope: Scope) -> bool:
        """Whether this caller may ask a route of that scope."""
        return self.anybody or scope in self.scopes


def unknown_token() -> Refusal:
    """The answer to whoever shows no token, or none that is known."""
    message = "Send a token that this service knows, as Authorization: Bearer TOKEN."
    return refused_token("token_wanted", message)


def refused_token(code: str, message: str) -> Refusal:
    """The answer to a token that opens nothing: 401."""
    return Refusal(401, code, message, headers={"WWW-Authenticate": "Bearer"})
