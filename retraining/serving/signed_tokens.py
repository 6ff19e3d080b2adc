"""JSON Web Tokens of other issuers: by one secret, or by the public keys in a file."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jwt

from retraining.errors import SettingsError
from retraining.logs import log
from retraining.serving.callers import Caller, refused_token, unknown_token
from retraining.serving.watched import Watched

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from retraining.serving.refusals import Refusal
    from retraining.settings import Settings

ALGORITHMS_BY_KEY_FILE = ("RS256", "ES256")
SECONDS_OF_SKEW = 30  # by which the clocks of issuer and service may differ
_PEM = re.compile(r"-----BEGIN [^-]+-----.*?-----END [^-]+-----", re.DOTALL)
# Told only to who shows a token that one of the keys signed.
_REASONS: tuple[tuple[type[jwt.PyJWTError], str, str], ...] = (
    (
        jwt.ExpiredSignatureError,
        "token_expired",
        "The token has expired; ask its issuer for a new one.",
    ),
    (
        jwt.InvalidAudienceError,
        "token_for_others",
        "The token's `aud` is not the audience that JWT_AUDIENCE names.",
    ),
    (jwt.MissingRequiredClaimError, "token_incomplete", "The token needs `exp` and `aud`."),
    (
        jwt.ImmatureSignatureError,
        "token_too_young",
        "The token is not valid yet: look at the clocks of its issuer and of this machine.",
    ),
)


@dataclass(frozen=True)
class Key:
    """What a signature is checked with, and the one algorithm that it is for."""

    text: str
    algorithm: str


class SignedTokens:
    """Knows callers by tokens that one of the keys signed.

    Args:
        keys: those that hold now.
        audience: that a token must name.
    """

    def __init__(self, keys: Callable[[], tuple[Key, ...]], audience: str) -> None:
        self._keys = keys
        self._audience = audience

    def caller_by(self, token: str) -> Caller:
        """Whose token this is.

        Raises:
            Refusal: 401: not signed by a key, expired, for another audience, or no token at all.
        """
        for key in self._keys():
            try:
                return _caller(self._claims(token, key))
            except (jwt.InvalidSignatureError, jwt.InvalidAlgorithmError):
                continue  # perhaps another key's
            except (jwt.PyJWTError, ValueError, TypeError) as error:
                raise _refusal(error) from None
        raise unknown_token()

    def _claims(self, token: str, key: Key) -> dict[str, Any]:
        claims: dict[str, Any] = jwt.decode(
            token,
            key.text,
            algorithms=[key.algorithm],
            audience=self._audience,
            leeway=SECONDS_OF_SKEW,
            options={"require": ["exp", "aud"]},
        )
        return claims


class KeyFile(Watched):
    """An issuer's public keys in PEM, one after another, read again when the file changes.

    So that a key can be replaced without a restart: the new one beside the old one, until no token
    of the old one is left.

    Args:
        path: of the file.
        project: whose setting names it.

    Raises:
        SettingsError: it holds something else, or cannot be read.
    """

    def __init__(self, path: Path, project: Path) -> None:
        super().__init__()
        self._path = path
        self._text = ""
        self._known: tuple[Key, ...] = ()
        try:
            self._read()
        except ValueError as error:
            raise SettingsError((str(error),), where=str(project)) from error

    def keys(self) -> tuple[Key, ...]:
        """The keys that hold now; none where the file cannot be used any more."""
        self._look_again()
        return self._known

    def _look(self) -> None:
        try:
            self._read()
        except ValueError as error:
            if self._known:
                log.error("No token of others opens anything: %s", error)
            self._text, self._known = "", ()

    def _read(self) -> None:
        problem = f"JWT_PUBLIC_KEY_FILE: {self._path} holds no public key of RSA or P-256 in PEM"
        try:
            text = self._path.read_text()
        except (OSError, ValueError) as error:
            raise ValueError(f"{problem} ({error})") from error
        if text == self._text:
            return
        keys = [_key(pem) for pem in _PEM.findall(text)]
        known = tuple(key for key in keys if key is not None)
        if not known or len(known) < len(keys):
            raise ValueError(f"{problem}, or something beside it")
        self._text, self._known = text, known


def signed_tokens(settings: Settings) -> SignedTokens | None:
    """As the settings say, None where they name no key.

    Raises:
        SettingsError: the file of the public key cannot be used.
    """
    audience = settings.jwt_audience or ""
    if settings.jwt_secret is not None:
        secret = (Key(settings.jwt_secret, "HS256"),)
        return SignedTokens(lambda: secret, audience)
    if settings.jwt_public_key_file is None:
        return None
    return SignedTokens(KeyFile(settings.jwt_public_key_file, settings.project).keys, audience)


def _caller(claims: dict[str, Any]) -> Caller:
    scopes, subject = claims.get("scope", ""), claims.get("sub")
    return Caller(
        name=subject if isinstance(subject, str) else None,
        scopes=frozenset(scopes.split() if isinstance(scopes, str) else ()),
    )


def _refusal(error: Exception) -> Refusal:
    for kind, code, message in _REASONS:
        if isinstance(error, kind):
            return refused_token(code, message)
    return unknown_token()


def _key(pem: str) -> Key | None:
    for algorithm in ALGORITHMS_BY_KEY_FILE:
        with suppress(jwt.PyJWTError, ValueError, TypeError):
            jwt.get_algorithm_by_name(algorithm).prepare_key(pem)
            return Key(pem, algorithm)
    return None
