"""What `check` finds: a problem, where it is, what to try."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from retraining.errors import RetrainingError

CHECK = "pipeline_orchestrator.py check"


@dataclass(frozen=True)
class Problem:
    """What is wrong, where, and what to try.

    Attributes:
        code: what a cycle would end with because of it; 0 is a warning.
        stops_training: a warning of what a cycle would end with, once it trains.
    """

    what: str
    where: str
    remedy: str
    code: int = 3
    stops_training: bool = False

    def as_json(self) -> dict[str, str]:
        """The problem as `--json` prints it."""
        return {"what": self.what, "where": self.where, "try": self.remedy}


def as_problem(error: RetrainingError, where: str) -> Problem:
    """An error that a cycle would end with, as a problem.

    Advice to run `check` is left out, since that is what runs.
    """
    remedy = error.remedy
    if CHECK in remedy:
        remedy = remedy.partition(";")[0].rstrip(".") + "."
    if CHECK in remedy:
        remedy = "The log in .retraining/logs/ says more."
    return Problem(error.what, where, remedy, error.exit_code)
