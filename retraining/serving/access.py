"""Who may ask what: tokens of ours and of others, the scope that each route wants, and hosts."""

from __future__ import annotations

import ipaddress
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import jwt

from retraining.errors import SettingsError, UsageError
from retraining.serving.refusals import Refusal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from starlette.requests import HTTPConnection

    from retraining.serving.tokens import Scope, TokenFile
    from retraining.settings import Settings

COOKIE = "retraining_token"
OPEN_TO_ALL = ("/live", "/ready", "/health")
WITHOUT_A_TOKEN = ("/login", "/logout")  # only our own hosts may ask these
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")
ALGORITHMS_BY_KEY_FILE = ("RS256", "ES256")
_WANTED = {"WWW-Authenticate": "Bearer"}


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
        self._signed = SignedTokens.of(settings)
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


@dataclass(frozen=True)
class SignedTokens:
    """JSON Web Tokens of another issuer, by one key and the algorithms that go with it."""

    key: str
    algorithms: tuple[str, ...]
    audience: str

    @classmethod
    def of(cls, settings: Settings) -> SignedTokens | None:
        """As the settings say, None where they name no key."""
        audience = settings.jwt_audience or ""
        if settings.jwt_secret is not None:
            return cls(settings.jwt_secret, ("HS256",), audience)
        if settings.jwt_public_key_file is None:
            return None
        key, algorithm = _key_in(settings.jwt_public_key_file, settings.project)
        return cls(key, (algorithm,), audience)

    def caller_by(self, token: str) -> Caller:
        """Whose token this is.

        Raises:
            Refusal: 401: not signed by the key, expired, for another audience, or no token at all.
        """
        try:
            claims = jwt.decode(
                token,
                self.key,
                algorithms=list(self.algorithms),
                audience=self.audience,
                options={"require": ["exp", "aud"]},
            )
        except (jwt.PyJWTError, ValueError, TypeError):
            raise unknown_token() from None
        scopes = claims.get("scope", "")
        subject = claims.get("sub")
        return Caller(
            name=subject if isinstance(subject, str) else None,
            scopes=frozenset(scopes.split() if isinstance(scopes, str) else ()),
        )


def unknown_token() -> Refusal:
    """The answer to whoever shows no token, or none that is known."""
    message = "Send a token that this service knows, as Authorization: Bearer TOKEN."
    return Refusal(401, "token_wanted", message, headers=_WANTED)


def is_loopback(host: str) -> bool:
    """Whether nobody but this machine can reach an address."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _key_in(path: Path, project: Path) -> tuple[str, str]:
    """The key in a file, and the algorithm that it is for."""
    problem = f"JWT_PUBLIC_KEY_FILE: {path} is no public key of RSA or of the curve P-256 in PEM"
    try:
        text = path.read_text()
    except (OSError, ValueError) as error:
        raise SettingsError((f"{problem} ({error})",), where=str(project)) from error
    for algorithm in ALGORITHMS_BY_KEY_FILE:
        with suppress(jwt.PyJWTError, ValueError, TypeError):
            jwt.get_algorithm_by_name(algorithm).prepare_key(text)
            return text, algorithm
    raise SettingsError((problem,), where=str(project))


def _token_in(connection: HTTPConnection) -> str | None:
    """The token in the header, else in the page's cookie."""
    header = connection.headers.get("authorization")
    if header is None:
        return connection.cookies.get(COOKIE)
    kind, _, token = header.partition(" ")
    return token if kind.lower() == "bearer" else None


def _hosts(allowed: tuple[str, ...], host: str | None) -> frozenset[str]:
    """The names that are ours: loopback's always, which no other site's page can be called by."""
    if host is None:
        return frozenset(allowed or ("*",))
    listened_on = f"[{host}]" if ":" in host else host
    return frozenset(name.lower() for name in (*LOOPBACK_NAMES, listened_on, *allowed))


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
