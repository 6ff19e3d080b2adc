"""Secrets never leave the process, however they got into a text. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

MASK = "***"


def without_secrets(text: str, secrets: Iterable[str]) -> str:
    """The text with every secret replaced by `***`.

    >>> without_secrets("postgresql://me:hunter2@db", ["hunter2"])
    'postgresql://me:***@db'
    """
    for secret in secrets:
        text = text.replace(secret, MASK)
    return text


def masked(value: Any, secrets: tuple[str, ...]) -> Any:
    """`value` with every secret in its texts blotted out; dicts and lists are copied."""
    if isinstance(value, str):
        return without_secrets(value, secrets)
    if isinstance(value, Mapping):
        return {key: masked(inner, secrets) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [masked(inner, secrets) for inner in value]
    return value
