"""What a play is told by: score and fits, and what became of each promotion and each comparison."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from retraining.statistics import metric, score, subset

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from retraining.records import Run
    from retraining.replay.history import Cut, History
    from retraining.settings import Settings

POINT = 0.01
NEXT_CYCLES = 3  # that a promotion is judged on


@dataclass(frozen=True)
class Play:
    """One policy played from one offset; lists hold one value a cycle.

    Attributes:
        served: the metric over all rows of the batch, by the version that served before the batch was learned.
        version: that version's number.
        rows_fitted: rows handed to the recipe, the first model's left out; so are its fit and its promotion.
        flattery: for each comparison, its difference less the same difference on the next batch; the mean is the comparison's bias.
    """

    offset: int
    rows: tuple[int, ...]
    served: tuple[float | None, ...]
    version: tuple[int, ...]
    rows_fitted: int
    fits: int
    promotions: int
    wrong_promotions: int
    rollbacks: int
    flattery: tuple[float, ...] = ()

    @property
    def mean(self) -> float | None:
        """The mean served score over the cycles on which it is defined."""
        known = [value for value in self.served if value is not None]
        return sum(known) / len(known) if known else None

    def told(self) -> Mapping[str, Any]:
        """The play as `replay --json` prints it."""
        return {name: value for name, value in vars(self).items() if name != "flattery"}


@dataclass(frozen=True)
class Judge:
    """Scores models on cycles of one offset."""

    history: History
    cut: Cut
    settings: Settings

    def score(
        self, estimator: Any, rows: Run, mask: NDArray[np.bool_] | None = None
    ) -> float | None:
        """The metric over a range of rows, or over some of them."""
        chosen = metric(self.settings.metric)
        answers = self.history.answers(
            estimator, rows, with_probabilities=chosen.needs == "probabilities"
        )
        return score(chosen, answers if mask is None else subset(answers, mask))

    def worsened(self, value: float, by: float) -> float:
        """A score that is worse by so much."""
        return value - by if self.settings.greater_is_better else value + by

    def is_worse(self, value: float | None, other: float | None) -> bool:
        """Whether the first of two scores is worse; False where one is undefined."""
        if value is None or other is None:
            return False
        return value < other if self.settings.greater_is_better else value > other

    def gain(self, challenger: Any, champion: Any, cycles: Sequence[Run]) -> float | None:
        """How much better the challenger does over consecutive cycles, > 0 for better; None where that is undefined."""
        if not cycles:
            return None
        rows = (cycles[0][0], cycles[-1][1])
        ours, theirs = self.score(challenger, rows), self.score(champion, rows)
        if ours is None or theirs is None:
            return None
        return ours - theirs if self.settings.greater_is_better else theirs - ours

    def was_wrong(self, promoted: Any, replaced: Any, cycle: int) -> bool:
        """Whether a promotion at the end of a cycle (from 0) cost over half a point in the next three, or in those that there are."""
        gain = self.gain(promoted, replaced, self.cut.cycles[cycle + 1 : cycle + 1 + NEXT_CYCLES])
        return gain is not None and gain < -POINT / 2

    def flattered_by(
        self, claimed: float, challenger: Any, champion: Any, cycle: int
    ) -> float | None:
        """By how much a comparison at the end of a cycle (from 0) favoured the challenger, against the truth of the next batch."""
        truth = self.gain(challenger, champion, self.cut.cycles[cycle + 1 : cycle + 2])
        return None if truth is None else claimed - truth
