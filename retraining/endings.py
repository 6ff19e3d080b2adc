"""How a cycle can end, and what each ending means for its files and for those who count decisions.

Standard library only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from retraining.outcomes import EndingName


class EndingFacts(NamedTuple):
    """What an ending means.

    Attributes:
        heading: as a page's heading says it.
        judged: whether the cycle's files were judged by it: they do not count for the next gate.
        stays: whether those files stay in the inbox.
        is_decision: whether a version was decided about.
    """

    heading: str
    judged: bool = False
    stays: bool = True
    is_decision: bool = False


ENDINGS: Mapping[EndingName, EndingFacts] = {
    "promoted": EndingFacts("Promoted", judged=True, stays=False, is_decision=True),
    "kept": EndingFacts("Kept", judged=True),
    "rejected": EndingFacts("Rejected", judged=True, is_decision=True),
    "awaiting_approval": EndingFacts("Waiting for approval", judged=True, is_decision=True),
    "rolled_back": EndingFacts("Rolled back", judged=True, is_decision=True),
    "superseded": EndingFacts("Superseded", is_decision=True),
    "too_few_files": EndingFacts("Too few files"),
    "unchanged": EndingFacts("Unchanged"),
    "failed": EndingFacts("Failed"),
    "registered": EndingFacts("Registered"),  # no cycle: what a registration leaves on record
}
JUDGED = tuple(name for name, facts in ENDINGS.items() if facts.judged)
JUDGED_AND_KEPT = tuple(name for name, facts in ENDINGS.items() if facts.judged and facts.stays)
CYCLE_ENDINGS = tuple(name for name in ENDINGS if name != "registered")
DECISIONS = tuple(name for name, facts in ENDINGS.items() if facts.is_decision)
