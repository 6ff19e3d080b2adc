"""`prediction_service.py --new-token`, `--tokens`, `--withdraw`: who may ask the service."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retraining.commands import Answer
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
    lines = [f"{'name':<20} {'made':<12} scopes"]
    for one in tokens:
        result.append({"name": one.name, "scopes": list(one.scopes), "made": one.made})
        lines.append(f"{one.name:<20} {one.made[:10]:<12} {','.join(one.scopes)}")
    return Answer(result, "\n".join(lines))
