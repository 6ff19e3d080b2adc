"""`prediction_service.py --new-token`, `--tokens`, `--withdraw`: who may ask the service."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from retraining.commands import Answer
from retraining.phrases import how_many
from retraining.serving.tokens import Token, TokenFile

if TYPE_CHECKING:
    import argparse

    from retraining.settings import Settings


def answer(args: argparse.Namespace, settings: Settings) -> Answer:
    """Make, list or withdraw tokens of a project."""
    file = TokenFile(settings.project)
    if args.new_token is not None:
        scopes = tuple(name.strip() for name in args.scopes.split(",") if name.strip())
        token = file.add(args.new_token, scopes)
        result = {"name": args.new_token, "scopes": list(scopes), "token": token}
        return Answer(result, token)
    if args.withdraw is not None:
        file.withdraw(args.withdraw)
        return Answer({"withdrawn": args.withdraw}, f"The token {args.withdraw!r} is withdrawn.")
    return _listed(file.tokens)


def _listed(tokens: tuple[Token, ...]) -> Answer:
    if not tokens:
        return Answer([], "There is no token yet.")
    result = []
    now = datetime.now(UTC)
    lines = [f"{'name':<20} {'made':<12} {'age':<12} scopes"]
    for one in tokens:
        result.append({"name": one.name, "scopes": list(one.scopes), "made": one.made})
        age = _age(one.made, now)
        lines.append(f"{one.name:<20} {one.made[:10]:<12} {age:<12} {','.join(one.scopes)}")
    return Answer(result, "\n".join(lines))


def _age(made: str, now: datetime) -> str:
    """In whole days; a line written by hand may not say when it was made."""
    try:
        time = datetime.fromisoformat(made)
    except ValueError:
        return "unknown"
    aware = time.replace(tzinfo=UTC) if time.tzinfo is None else time
    return how_many((now - aware).days, "day")
