"""Yardsticks: fixed ways of retraining that a policy is measured against.

The one loop that is not the job's own cycle.

`static` never retrains. `always` retrains after each cycle on all rows, `window:K` on the newest K
batches, `every:K` after every Kth cycle on all rows. The first model's rows are one batch. Nothing
is held out, and each trained model serves. `tutorial` does what tutorials teach: its threshold is
two points under the first score, it splits at random, and it promotes what is better on that split,
though the champion learned most of those rows. A window that holds one class only is not fitted.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import numpy as np

from retraining.replay.judging import POINT, Judge, Play, Promotion
from retraining.statistics import metric
from retraining.trainer import Recipe, train

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from retraining.records import RowRange

ALL = ("static", "always", "window:4", "window:8", "window:16", "every:4", "tutorial")
# a policy's gap is against the best of these in hindsight
BEST_OF = ("always", "window:4", "window:8", "window:16")
NAME = re.compile(r"static|always|tutorial|(window|every):[1-9][0-9]{0,5}")
TEST_SHARE = 0.2  # of the tutorial's random split


@dataclass(frozen=True, eq=False)
class Fitted:
    """A model and how many rows it learned."""

    estimator: Any
    rows: int


@dataclass
class Fits:
    """Fits ranges of rows; a model that some yardstick still uses is not fitted twice."""

    judge: Judge
    recipe: Recipe
    in_use: WeakValueDictionary[RowRange, Fitted] = field(default_factory=WeakValueDictionary)

    def on_all(self, rows: RowRange) -> Fitted | None:
        """A model of a range of rows; None where they are of one class."""
        fitted = self.in_use.get(rows) or self.on_some(
            rows, np.ones(rows[1] - rows[0], dtype=np.bool_)
        )
        if fitted is not None:
            self.in_use[rows] = fitted
        return fitted

    def on_some(self, rows: RowRange, chosen: NDArray[np.bool_]) -> Fitted | None:
        """A model of the chosen rows (a mask) of a range."""
        X, y = self.judge.history.features_and_labels(rows)
        X, y = X[chosen].reset_index(drop=True), y[chosen].reset_index(drop=True)
        if y.nunique() < 2:
            return None
        needs = metric(self.judge.settings.metric).needs == "probabilities"
        return Fitted(train(self.recipe, X, y, needs_probabilities=needs).estimator, len(X))


@dataclass
class Yardstick:
    """One yardstick in the course of its play: what serves, and what was seen so far."""

    name: str
    fits: Fits
    serving: Fitted
    version: list[int] = field(default_factory=lambda: [1])
    served: list[float | None] = field(default_factory=list)
    fitted: list[int] = field(default_factory=list)
    promotions: list[Promotion] = field(default_factory=list)
    threshold: float | None = None  # the tutorial's

    def step(self, cycle: int) -> None:
        """Score a cycle (from 0), then learn from it, or not."""
        judge = self.fits.judge
        self.served.append(judge.score(self.serving.estimator, judge.cut.cycles[cycle]))
        challenger = self._by_tutorial(cycle) if self.name == "tutorial" else self._by_rule(cycle)
        self.version.append(self.version[-1] + (challenger is not None))
        if challenger is not None:
            replaced = self.serving.estimator
            self.promotions.append(judge.promotion(challenger.estimator, replaced, cycle))
            self.serving = challenger

    def _by_rule(self, cycle: int) -> Fitted | None:
        kind, _, number = self.name.partition(":")
        if kind == "static" or (kind == "every" and (cycle + 1) % int(number)):
            return None
        cut = self.fits.judge.cut
        batches = [cut.initial, *cut.cycles[: cycle + 1]]
        if kind == "window":
            batches = batches[-int(number) :]
        first, last = batches[0], batches[-1]
        challenger = self.fits.on_all((first[0], last[1]))
        if challenger is not None:
            self.fitted.append(challenger.rows)
        return challenger

    def _by_tutorial(self, cycle: int) -> Fitted | None:
        judge = self.fits.judge
        if not judge.is_worse(self.served[-1], self.threshold):
            return None
        rows = (judge.cut.initial[0], judge.cut.cycles[cycle][1])
        test = random_test_rows(rows)
        challenger = self.fits.on_some(rows, ~test)
        if challenger is None:
            return None
        self.fitted.append(challenger.rows)
        won = judge.is_worse(
            judge.score(self.serving.estimator, rows, test),
            judge.score(challenger.estimator, rows, test),
        )
        return challenger if won else None

    def play(self) -> Play:
        """What was seen, after the last step."""
        cut = self.fits.judge.cut
        return Play(
            offset=cut.offset,
            rows=tuple(stop - start for start, stop in cut.cycles),
            served=tuple(self.served),
            version=tuple(self.version[:-1]),
            rows_fitted=sum(self.fitted),
            fits=len(self.fitted),
            promotions=len(self.promotions),
            wrong_promotions=sum(one.was_wrong for one in self.promotions),
            harmful_promotions=sum(one.was_harmful for one in self.promotions),
            rollbacks=0,
            gains=tuple(one.gain for one in self.promotions if one.gain is not None),
        )


def play_yardsticks(
    names: Sequence[str], judge: Judge, recipe: Recipe, tick: Callable[[], None] = lambda: None
) -> list[Play]:
    """Play yardsticks of one offset side by side, so that they share fits.

    `tick` is called after each cycle of each.
    """
    fits = Fits(judge, recipe)
    running = [_started(name, fits) for name in names]
    for cycle in range(len(judge.cut.cycles)):
        for yardstick in running:
            yardstick.step(cycle)
            tick()
    return [yardstick.play() for yardstick in running]


def _started(name: str, fits: Fits) -> Yardstick:
    rows = fits.judge.cut.initial
    test = random_test_rows(rows)
    first = fits.on_some(rows, ~test) if name == "tutorial" else None
    if first is None:
        first = fits.on_all(rows)
    assert first is not None, "the cut was checked: the first rows hold two classes"
    yardstick = Yardstick(name, fits, first)
    if name == "tutorial":
        score = fits.judge.score(first.estimator, rows, test)
        yardstick.threshold = None if score is None else fits.judge.worsened(score, 2 * POINT)
    return yardstick


def random_test_rows(rows: RowRange) -> NDArray[np.bool_]:
    """A random fifth of a range of rows, as a mask; the same for the same range."""
    count = rows[1] - rows[0]
    order = np.random.default_rng(rows).permutation(count)
    chosen: NDArray[np.bool_] = order < round(count * TEST_SHARE)
    return chosen
