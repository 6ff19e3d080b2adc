"""One setting that is proposed, and why."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Proposal:
    """A line of `.env`.

    Attributes:
        name: the setting's name.
        value: its text, as `.env` holds it.
        reason: one sentence, which becomes the comment above the line.
    """

    name: str
    value: str
    reason: str
