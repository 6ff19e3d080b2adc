"""How a play is judged: its score, its fits, and what each promotion and comparison led to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from retraining.statistics import estimate_improvement, metric, score, subset, t_interval

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from retraining.records import RowRange
    from retraining.replay.history import Cut, History
    from retraining.settings import Settings
    from retraining.statistics import Predictions

POINT = 0.01
CONFIDENCE = 0.95  # of the interval that calls a promotion harmful
FILES_PER_CYCLE = 15  # rows of a file are alike, so they are one block
NOT_IN_JSON = ("gains", "flattery", "copied_rows")
NEXT_CYCLES = 3  # that a promotion is judged on


@dataclass(frozen=True)
class Play:
    """One policy played from one offset; lists hold one value a cycle.

    Attributes:
        served: the metric over all rows of the batch, by the version that served before the batch
            was learned.
        version: that version's number.
        rows_fitted: rows handed to the recipe, the first model's left out; so are its fit and its
            promotion.
        wrong_promotions: those that were over half a point worse in the next three cycles.
        harmful_promotions: those of which that is more than chance: the 95 % interval over files is
            below zero.
        gains: what each promotion gained over the version that it replaced, in the next three
            cycles.
        flattery: for each comparison, its difference minus the same difference on the next batch;
            the mean is the comparison's bias.
        copied_rows: how many of the rows its own cycles left out of their scores, as copies of rows
            seen before; `served` counts them. 0 for a yardstick, which asks for no copies.
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
    harmful_promotions: int = 0
    gains: tuple[float, ...] = ()
    flattery: tuple[float, ...] = ()
    copied_rows: int = 0

    @property
    def mean(self) -> float | None:
        """The mean served score over the cycles on which it is defined."""
        known = [value for value in self.served if value is not None]
        return sum(known) / len(known) if known else None

    def as_json(self) -> Mapping[str, Any]:
        """The play as `replay --json` prints it."""
        return {name: value for name, value in vars(self).items() if name not in NOT_IN_JSON}


@dataclass(frozen=True)
class Promotion:
    """What a promotion gained in the cycles after it, None where that is undefined or there are
    none.
    """

    gain: float | None
    interval: tuple[float, float] | None

    @property
    def was_wrong(self) -> bool:
        """Whether it cost over half a point, by chance or not."""
        return self.gain is not None and self.gain < -POINT / 2

    @property
    def was_harmful(self) -> bool:
        """Whether it cost more than chance explains."""
        return self.interval is not None and self.interval[1] < 0


@dataclass(frozen=True)
class Judge:
    """Scores models on cycles of one offset."""

    history: History
    cut: Cut
    settings: Settings

    def score(
        self, estimator: Any, rows: RowRange, mask: NDArray[np.bool_] | None = None
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

    def gain(self, challenger: Any, champion: Any, cycles: Sequence[RowRange]) -> float | None:
        """How much better the challenger does over consecutive cycles, > 0 for better.

        None where that is undefined.
        """
        if not cycles:
            return None
        rows = (cycles[0][0], cycles[-1][1])
        ours, theirs = self.score(challenger, rows), self.score(champion, rows)
        if ours is None or theirs is None:
            return None
        return ours - theirs if self.settings.greater_is_better else theirs - ours

    def promotion(self, promoted: Any, replaced: Any, cycle: int) -> Promotion:
        """What a promotion at the end of a cycle (from 0) gained in the next three, or in those
        that there are.
        """
        cycles = self.cut.cycles[cycle + 1 : cycle + 1 + NEXT_CYCLES]
        if not cycles:
            return Promotion(None, None)
        chosen = metric(self.settings.metric)
        before, after = (self._by_files(model, cycles) for model in (replaced, promoted))
        found = estimate_improvement(chosen, before, after)
        return Promotion(found.value, t_interval(found, CONFIDENCE))

    def _by_files(self, estimator: Any, cycles: Sequence[RowRange]) -> Predictions:
        """A model's answers over consecutive cycles, a file being a block."""
        rows = (cycles[0][0], cycles[-1][1])
        probabilities = metric(self.settings.metric).needs == "probabilities"
        answers = self.history.answers(estimator, rows, with_probabilities=probabilities)
        edges = np.concatenate(
            [np.linspace(start, stop, FILES_PER_CYCLE + 1)[:-1] for start, stop in cycles]
        )
        files = np.searchsorted(edges, np.arange(*rows), side="right")
        return replace(answers, blocks=files)

    def flattered_by(
        self, claimed: float, challenger: Any, champion: Any, cycle: int
    ) -> float | None:
        """By how much a comparison at the end of a cycle (from 0) favoured the challenger, against
        the truth of the next batch.
        """
        truth = self.gain(challenger, champion, self.cut.cycles[cycle + 1 : cycle + 2])
        return None if truth is None else claimed - truth
