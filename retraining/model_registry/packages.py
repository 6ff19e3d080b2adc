"""The packages that a version was made with, beside those installed here."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_PINNED = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;#]+)", re.MULTILINE)


def packages_then_and_now(requirements: str) -> dict[str, tuple[str, str | None]]:
    """Name -> its version in a `requirements.txt`, and the installed one, None where there is
    none.
    """
    return {name: (then, _installed(name)) for name, then in _PINNED.findall(requirements)}


def what_differs(folder: Path) -> str:
    """The packages of a saved model that differ here, in words; empty where none does."""
    file = folder / "requirements.txt"
    if not file.is_file():
        return ""
    pairs = packages_then_and_now(file.read_text(encoding="utf-8")).items()
    differ = [(name, then, now) for name, (then, now) in pairs if then != now]
    return ", ".join(f"{name} {then} (here {now or 'none'})" for name, then, now in differ)


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
