"""`--advise`: a few policies around the current one, and what each would have gained, cycle by
cycle.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from retraining.phrases import in_brackets
from retraining.replay.policies import CURRENT
from retraining.replay.summary import rows_always_fits
from retraining.settings import TrainWindow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from retraining.replay.history import Cut
    from retraining.replay.judging import Play
    from retraining.replay.policies import Lineup

CONFIDENCE = 0.95  # of all intervals together
FEWEST_STRETCHES, CYCLES_A_STRETCH = 5, 5

CANDIDATES: Mapping[str, Mapping[str, Any]] = {
    "RETRAIN_WHEN=threshold,drop,adaptive": {"retrain_when": ("threshold", "drop", "adaptive")},
    "RETRAIN_WHEN=threshold": {"retrain_when": ("threshold",)},
    "RETRAIN_WHEN=drop,adaptive": {"retrain_when": ("drop", "adaptive")},
    "RETRAIN_WHEN=always": {"retrain_when": ("always",)},
    "PROMOTE_WHEN=better": {"promote_when": "better"},
    "PROMOTE_WHEN=unless_worse": {"promote_when": "unless_worse"},
    "RETRAIN_WHEN=drop,adaptive PROMOTE_WHEN=unless_worse": {
        "retrain_when": ("drop", "adaptive"),
        "promote_when": "unless_worse",
    },
    "RETRAIN_WHEN=always PROMOTE_WHEN=unless_worse": {
        "retrain_when": ("always",),
        "promote_when": "unless_worse",
    },
    "TRAIN_WINDOW=all": {"train_window": None},
    "TRAIN_WINDOW=8": {"train_window": TrainWindow(8)},
    "TRAIN_WINDOW=16": {"train_window": TrainWindow(16)},
    "TRAIN_WINDOW=4+8": {"train_window": TrainWindow(4, 8)},
    "TRAIN_WINDOW=8+8": {"train_window": TrainWindow(8, 8)},
    "RETRAIN_WHEN=drop,adaptive PROMOTE_WHEN=unless_worse TRAIN_WINDOW=8+8": {
        "retrain_when": ("drop", "adaptive"),
        "promote_when": "unless_worse",
        "train_window": TrainWindow(8, 8),
    },
    "PROBATION_BATCHES=1": {"probation_batches": 1},
}


@dataclass(frozen=True)
class Advice:
    """What some `.env` lines would have brought over the current settings."""

    lines: tuple[str, ...]
    gain: float  # of the served score a cycle, > 0 for better, in the metric's own unit
    interval: tuple[float, float] | None
    rows_fitted: float  # as a share of what retraining on everything each cycle fits
    rows_fitted_now: float

    @property
    def worth_it(self) -> bool:
        """Whether the gain is clear of zero."""
        return self.interval is not None and self.interval[0] > 0

    def as_json(self) -> dict[str, Any]:
        """As `replay --json` prints it."""
        return {
            "lines": list(self.lines),
            "gain": self.gain,
            "interval": None if self.interval is None else list(self.interval),
            "rows_fitted": self.rows_fitted,
            "rows_fitted_now": self.rows_fitted_now,
            "worth_it": self.worth_it,
        }


def with_candidates(lineup: Lineup) -> Lineup:
    """The line-up with every candidate that differs from the current settings."""
    now = lineup.current
    differing = {}
    for lines, changes in CANDIDATES.items():
        if all(getattr(now, name) != value for name, value in changes.items()):
            differing[lines] = now._replace(**changes)
    names = tuple(dict.fromkeys((CURRENT, *lineup.names, *differing)))
    return replace(lineup, names=names, policies={CURRENT: now, **lineup.policies, **differing})


def advise(
    plays: Mapping[str, Sequence[Play]], lineup: Lineup, cuts: Sequence[Cut]
) -> list[Advice]:
    """The candidates, greatest gain first.

    Their intervals hold together at 95 % (Bonferroni), since the best of many is looked for.
    """
    names = [name for name in CANDIDATES if name in plays]
    whole = sum(rows_always_fits(cut) for cut in cuts)
    shares = {
        name: sum(play.rows_fitted for play in plays[name]) / whole for name in (CURRENT, *names)
    }
    sign = 1 if lineup.current.greater_is_better else -1
    advice = []
    for name in names:
        gains = sign * (_by_cycle(plays[name]) - _by_cycle(plays[CURRENT]))
        interval = interval_by_stretches(gains, 1 - (1 - CONFIDENCE) / len(names))
        advice.append(
            Advice(
                tuple(name.split()),
                float(np.nanmean(gains)),
                interval,
                shares[name],
                shares[CURRENT],
            )
        )
    return sorted(advice, key=lambda one: -one.gain)


def _by_cycle(played: Sequence[Play]) -> NDArray[np.float64]:
    """(cycles,) served scores, averaged over the offsets: these play the same rows, so they are no
    further evidence.
    """
    shortest = min(len(play.served) for play in played)
    scores = np.array([play.served[:shortest] for play in played], dtype=np.float64)  # None is NaN
    means: NDArray[np.float64] = scores.mean(axis=0)
    return means


def interval_by_stretches(
    gains: NDArray[np.float64], confidence: float
) -> tuple[float, float] | None:
    """A t interval of the mean over stretches of five cycles: neighbouring cycles are served by one
    model, so they are alike.

    None with fewer than five stretches.
    """
    known = gains[~np.isnan(gains)]
    stretches = len(known) // CYCLES_A_STRETCH
    if stretches < FEWEST_STRETCHES:
        return None
    means = np.array([part.mean() for part in np.array_split(known, stretches)])
    error = float(means.std(ddof=1)) / stretches**0.5
    reach = float(stats.t.ppf((1 + confidence) / 2, stretches - 1)) * error
    middle = float(known.mean())
    return middle - reach, middle + reach


def in_words(advice: Sequence[Advice]) -> str:
    """The lines worth changing, or that nothing is clearly better."""
    headline = (
        "What other lines in .env would have gained a cycle, with an interval that allows for the"
        " number of tries:"
    )
    lines = [headline, *(f"  {_line(one)}" for one in advice)]
    best = next((one for one in advice if one.worth_it), None)
    if best is None:
        return "\n".join([*lines, "", "Nothing is clearly better than the current settings."])
    return "\n".join([*lines, "", "Worth changing in .env:", *best.lines])


def _line(one: Advice) -> str:
    interval = in_brackets(one.interval) if one.interval else "(too few cycles for an interval)"
    fitted = f"fits {one.rows_fitted:.0%} of all rows, now {one.rows_fitted_now:.0%}"
    return f"{one.gain:+.4f} {interval}  {' '.join(one.lines)}; {fitted}"
