"""Secrets never leave the process, however they got into a text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MASK = "***"


def masked(value: Any, secrets: tuple[str, ...]) -> Any:
    """`value` with every secret in its texts replaced; dicts and lists are copied."""
    if isinstance(value, str):
        for secret in secrets:
            value = value.replace(secret, MASK)
        return value
    if isinstance(value, Mapping):
        return {key: masked(inner, secrets) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [masked(inner, secrets) for inner in value]
    return value
