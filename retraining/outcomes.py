"""How a start ended: the records that a closed gate needs too, apart from the others because each
costs it time.

`records` names these with all others. Frozen facts, never behaviour. Named tuples, since importing
`dataclasses` costs a start at a closed gate as much as all that it does there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from retraining.records import Comparison, FeatureDrift, Hindsight, Score

# The names that records, settings and JSON share. Each stands here once, and nowhere else as a
# list.
EndingName = Literal[
    "unchanged",
    "too_few_files",
    "kept",
    "rejected",
    "awaiting_approval",
    "promoted",
    "rolled_back",
    "superseded",
    "failed",
    "registered",  # no cycle: what a registration leaves on record
]
TriggerName = Literal["threshold", "drop", "drift", "interval", "adaptive", "always"]
Cause = TriggerName | Literal["forced"]  # why there was a training
PromotionRule = Literal["better", "unless_worse", "significant", "manual"]
Verdict = Literal["better", "worse", "not_enough_evidence"]
ProbationResult = Literal["passed", "failed"]


class Decision(NamedTuple):
    """What to do, and why in words that a person reads."""

    act: bool
    reason: str


class FileCounts(NamedTuple):
    """Counts at the cycle's end; `archived` and `quarantined` are what this cycle moved."""

    waiting: int = 0
    judged: int = 0
    archived: int = 0
    quarantined: int = 0


class Drift(NamedTuple):
    """Whether inputs, scores or labels drifted: `detected` is significant, `material` is also
    large; None where not judged.
    """

    detected: bool | None = None
    material: bool | None = None
    features: tuple[FeatureDrift, ...] = ()

    @property
    def moved(self) -> list[str]:
        """The features that drifted, as people read them: the material ones are marked."""
        return [
            f"{feature.name} (material)" if feature.material else feature.name
            for feature in self.features
            if feature.detected
        ]


class TrafficTrial(NamedTuple):
    """A challenger on the last rows of the prediction log: how many, which share it answers as
    production did, on how many it fails.
    """

    rows: int
    agreement: float | None
    failures: int


class Failure(NamedTuple):
    """What failed, and what to try: the first and the third line that stderr shows."""

    what: str
    remedy: str


NO_SECONDS: Mapping[str, float] = {}


class Outcome(NamedTuple):
    """How a cycle ended: what `--json` prints, `decision.json` holds, and `history` lists."""

    ending: EndingName
    reason: str
    exit_code: int = 0
    dry_run: bool = False
    cycle_id: str | None = None
    number: int | None = None
    started: datetime | None = None
    run_id: str | None = None
    run_url: str | None = None
    trigger: Cause | None = None
    production_version: int | None = None
    previous_version: int | None = None
    challenger_version: int | None = None
    metric: str | None = None
    threshold: float | None = None
    production_on_new: Score | None = None
    comparison: Comparison | None = None
    new_rows: int | None = None  # without `copied_rows`, which are not new
    copied_rows: int | None = None
    files: FileCounts = FileCounts()
    drift: Drift = Drift()
    hindsight: Hindsight | None = None
    probation: Comparison | None = None
    traffic: TrafficTrial | None = None
    seconds: Mapping[str, float] = NO_SECONDS
    failure: Failure | None = None  # of the cycle, or of a source before it; not in `--json`

    @property
    def found_nothing_comparable(self) -> bool:
        """Whether something called for a retrain, and no row could have tested a new version."""
        return self.ending == "kept" and self.trigger is not None

    def was_tested_on_fewer_than(self, rows: int) -> bool:
        """Whether a challenger was trained that could not win: too few rows could test it."""
        return self.comparison is not None and self.comparison.rows < rows
