"""`api_tokens.json`: who may ask, kept as digests.

A line removed is withdrawn; changes are taken up without a restart.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hmac import compare_digest
from typing import TYPE_CHECKING, Any, Literal, get_args

from retraining.errors import UsageError
from retraining.logs import log
from retraining.serving.watched import Watched

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Scope = Literal["predict", "label", "ingest", "read", "operate"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
FILE = "api_tokens.json"
_NAME = re.compile(r"[\w.@ -]{1,64}", re.ASCII)


@dataclass(frozen=True)
class Token:
    """One line of the file.

    Attributes:
        made: when, ISO 8601.
    """

    name: str
    scopes: tuple[str, ...]
    sha256: str
    made: str


class TokenFile(Watched):
    """The tokens of a project, read again when their file changes."""

    def __init__(self, project: Path) -> None:
        super().__init__()
        self._path = project / FILE
        self._read: tuple[Token, ...] = ()
        self._stamp: tuple[int, ...] | None = None
        self._holds_something = False

    @property
    def tokens(self) -> tuple[Token, ...]:
        """The tokens that open something now; none where the file cannot be read."""
        self._look_again()
        return self._read

    @property
    def closes_doors(self) -> bool:
        """Whether callers must show a token: the file holds something, or cannot be read."""
        self._look_again()
        return self._holds_something

    def holder_of(self, token: str) -> Token | None:
        """Whose token this is; compared with every line in constant time."""
        digest = digest_of(token)
        holder = None
        for known in self.tokens:
            if compare_digest(known.sha256, digest):
                holder = known
        return holder

    def _look(self) -> None:
        try:
            stat = self._path.stat()
            stamp = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
            if stamp != self._stamp:
                text = self._path.read_text(encoding="utf-8")
                self._read = tuple(_readable(text))
                self._stamp, self._holds_something = stamp, bool(text.strip())
        except FileNotFoundError:
            self._read, self._stamp, self._holds_something = (), None, False
        except (OSError, ValueError) as error:
            if self._read:
                log.error("%s cannot be read, so no token opens anything: %s", self._path, error)
            self._read, self._stamp, self._holds_something = (), None, True

    # --- for the command line ---
    def unreadable_lines(self) -> tuple[int, ...]:
        """The numbers of the lines that are no token; none where there is no file.

        Raises:
            OSError, ValueError: the file cannot be read.
        """
        try:
            text = self._path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return ()
        return tuple(number for number, token in _numbered(text) if token is None)

    def add(self, name: str, scopes: tuple[str, ...]) -> str:
        """Make a token and keep its digest; the token, which nobody can read again.

        Raises:
            UsageError: the name is taken or is no name, or a scope is not known.
        """
        _check(name, scopes)
        if any(token.name == name for token in self.tokens):
            raise UsageError(
                f"There is a token {name!r} already.",
                remedy=f"Name another, or withdraw it first with --withdraw {name!r}.",
            )
        token = secrets.token_urlsafe(32)
        made = datetime.now(UTC).isoformat(timespec="seconds")
        kept = Token(name, scopes, digest_of(token), made)
        line = json.dumps(asdict(kept))
        descriptor = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "r+b") as stream:
            size = stream.seek(0, os.SEEK_END)
            torn = size > 0 and os.pread(stream.fileno(), 1, size - 1) != b"\n"
            stream.write((b"\n" if torn else b"") + line.encode() + b"\n")
            stream.flush()
            os.fsync(stream.fileno())
        return token

    def withdraw(self, name: str) -> None:
        """Remove a token's lines; all others stay as they are.

        Raises:
            UsageError: there is none of that name.
        """
        there = self._path.is_file()
        lines = self._path.read_text(encoding="utf-8").splitlines() if there else []
        kept = [line for line in lines if all(one.name != name for one in _readable(line))]
        if len(kept) == len(lines):
            raise UsageError(f"There is no token {name!r}.", remedy="--tokens lists them.")
        aside = self._path.with_name(f".{FILE}.{os.getpid()}")
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.writelines(line + "\n" for line in kept)
            stream.flush()
            os.fsync(stream.fileno())
        aside.replace(self._path)


def digest_of(token: str) -> str:
    """What is kept of a token: it has 256 random bits, so a plain digest tells nothing of it."""
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()


def _check(name: str, scopes: tuple[str, ...]) -> None:
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} is no name for a token.",
            remedy="Use up to 64 letters, digits, spaces and any of . _ @ -",
        )
    unknown = [scope for scope in scopes if scope not in SCOPES]
    if unknown or not scopes:
        raise UsageError(
            f"--scopes {','.join(scopes)}: {', '.join(unknown) or 'none named'}.",
            remedy=f"Name one or more of {', '.join(SCOPES)}, separated by commas.",
        )


def _readable(text: str) -> Iterator[Token]:
    """The tokens in some lines; a line that is none opens nothing."""
    for number, token in _numbered(text):
        if token is None:
            log.warning("%s line %d is no token", FILE, number)
        else:
            yield token


def _numbered(text: str) -> Iterator[tuple[int, Token | None]]:
    """Each line that is not empty, with its number: a token, or None where it is none."""
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            yield number, _token_in(line)


def _token_in(line: str) -> Token | None:
    try:
        fields: Any = json.loads(line)
        name, scopes, sha256 = fields["name"], fields["scopes"], fields["sha256"]
        made = fields.get("made", "")
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    texts = all(isinstance(text, str) for text in (name, sha256, made))
    if not texts or not re.fullmatch(r"[0-9a-f]{64}", sha256) or not isinstance(scopes, list):
        return None
    if not all(isinstance(scope, str) for scope in scopes):
        return None
    return Token(name, tuple(scopes), sha256, made)
