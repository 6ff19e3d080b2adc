"""Who may ask what: tokens of ours and of others, the scope that each route wants, and hosts."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from retraining.errors import UsageError
from retraining.serving.callers import Caller, unknown_token
from retraining.serving.refusals import Refusal
from retraining.serving.signed_tokens import signed_tokens

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import HTTPConnection

    from retraining.serving.tokens import Scope, TokenFile
    from retraining.settings import Settings

COOKIE = "retraining_token"
OPEN_TO_ALL = ("/live", "/ready", "/health")
WITHOUT_A_TOKEN = ("/login", "/logout")  # only our own hosts may ask these
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")


class Access:
    """Decides who may use the service.

    Args:
        settings: of the project.
        host: what the service listens on; None where another application answers for hosts.
        tokens: of the project.

    Raises:
        SettingsError: the public key's file cannot be used.
    """

    def __init__(self, settings: Settings, host: str | None, tokens: TokenFile) -> None:
        self._tokens = tokens
        self._signed = signed_tokens(settings)
        self._on_loopback = host is None or is_loopback(host)
        self._hosts = _hosts(settings.allowed_hosts, host)

    def refuse_an_open_start(self) -> None:
        """Off loopback nobody is served without tokens.

        Raises:
            UsageError: there are none.
        """
        if self._on_loopback or self._signed is not None or self._tokens.tokens:
            return
        raise UsageError(
            "A service that others can reach needs tokens, and this project has none.",
            unchanged="Nothing was started.",
            remedy="Make one with --new-token NAME --scopes predict, or serve on --host 127.0.0.1.",
        )

    def refuse_foreign_host(self, headers: Mapping[str, str]) -> None:
        """Answer only to host names that are ours.

        A page of another site can make a browser ask us by a name of its own.

        Raises:
            Refusal: 403.
        """
        for named in (headers.get("host", ""), _host_of_origin(headers.get("origin"))):
            if named is not None and not self._is_ours(named):
                message = "This service does not answer to that host name (ALLOWED_HOSTS)."
                raise Refusal(403, "foreign_host", message)

    def caller_of(self, connection: HTTPConnection, scope: Scope) -> Caller:
        """Who asks, and may.

        Raises:
            Refusal: 401 without a token that is known, 403 with one that lacks the scope.
        """
        return self.caller_by(_token_in(connection), scope)

    def caller_by(self, token: str | None, scope: Scope) -> Caller:
        """Who holds a token that may do this; anybody where none is wanted.

        Raises:
            Refusal: 401 where it is not known, 403 where it lacks the scope.
        """
        if not self._wants_tokens:
            return Caller(anybody=True)
        caller = self._known(token)
        if not caller.may(scope):
            raise Refusal(403, "scope_missing", f"The token does not hold the scope {scope!r}.")
        return caller

    @property
    def _wants_tokens(self) -> bool:
        return not self._on_loopback or self._signed is not None or self._tokens.closes_doors

    def _known(self, token: str | None) -> Caller:
        if token:
            found = self._tokens.holder_of(token)
            if found is not None:
                return Caller(found.name, frozenset(found.scopes))
            if self._signed is not None:
                return self._signed.caller_by(token)
        raise unknown_token()

    def _is_ours(self, host: str) -> bool:
        return "*" in self._hosts or _without_port(host).lower() in self._hosts


def is_loopback(host: str) -> bool:
    """Whether nobody but this machine can reach an address."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _token_in(connection: HTTPConnection) -> str | None:
    """The token in the header, else in the page's cookie."""
    header = connection.headers.get("authorization")
    if header is None:
        return connection.cookies.get(COOKIE)
    kind, _, token = header.partition(" ")
    return token if kind.lower() == "bearer" else None


def _hosts(allowed: tuple[str, ...], host: str | None) -> frozenset[str]:
    """The names that are ours, as `Host` has them; `*` is any name.

    Loopback's are always among them, because no page of another site can be reached by these.
    """
    if host is None:
        return frozenset(allowed or ("*",))
    return frozenset(_as_asked(name) for name in (*LOOPBACK_NAMES, host, *allowed))


def _as_asked(name: str) -> str:
    """A name or address as `Host` has it: without a port, addresses of IPv6 in brackets."""
    is_bare_ipv6 = name.count(":") > 1 and not name.startswith("[")
    return (f"[{name}]" if is_bare_ipv6 else _without_port(name)).lower()


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdecimal() and not name.endswith(":") else host


def _host_of_origin(origin: str | None) -> str | None:
    """The host of an `Origin` header.

    `null`, which pages without an origin send, is the empty name and never ours.
    """
    if origin is None:
        return None
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""
