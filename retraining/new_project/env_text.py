"""The text of a new `.env`: every setting, with what is proposed set and its reason above it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from retraining.new_project.proposal import Proposal

COPY_ME = "Copy this file to .env (`cp .env.example .env`) and change what you need."
CHANGE_ME = "Change what you need."


def env_text(example: str, proposals: Sequence[Proposal]) -> str:
    """`.env.example` with each proposal in the place of its setting's line.

    Its advice to copy it is left out: whoever reads this has the copy.

    Raises:
        ValueError: the example has no line for a proposal.
    """
    example = example.replace(COPY_ME, CHANGE_ME)
    for proposal in proposals:
        line = re.compile(rf"^(?:# )?{proposal.name}=.*$", re.MULTILINE)
        written = f"# {proposal.reason}\n{proposal.name}={_quoted(proposal.value)}"
        found = line.search(example)
        if found is None:
            raise ValueError(f"{proposal.name} has no line in .env.example")
        example = example[: found.start()] + written + example[found.end() :]
    return example


def _quoted(value: str) -> str:
    """The value as `.env` holds it: in quotes where spaces, quotes or `#` would be read
    otherwise.
    """
    if re.fullmatch(r"[^\s#\"'\\]+(?: [^\s#\"'\\]+)*|\\t", value):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
