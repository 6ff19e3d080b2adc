"""Numbers and names as people read them: percent where the metric is a share, points for
differences of shares, intervals in brackets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from retraining.endings import ENDINGS
from retraining.metrics import METRICS
from retraining.phrases import escaped

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from retraining.records import EndingName, Score, Verdict

NOTHING = "-"
SMALL_PSI, LARGE_PSI = 0.1, 0.25  # the usual rule of thumb

VERDICTS: Mapping[Verdict, str] = {
    "better": "the challenger is better",
    "worse": "the challenger is worse",
    "not_enough_evidence": "not enough evidence to tell them apart",
}


def ending_words(ending: EndingName) -> str:
    """The ending as a heading says it.

    One that a newer job wrote into the registry is told as it stands there.
    """
    known = ENDINGS.get(ending)
    return ending.replace("_", " ").capitalize() if known is None else known.heading


def name(version: int | None) -> str:
    """How a version is named in text."""
    return "no version" if version is None else f"v{version}"


def is_share(metric: str | None) -> bool:
    """Whether a metric's value is a share of something, and so reads best in percent."""
    return metric in METRICS and METRICS[metric].is_share


def value_text(metric: str | None, value: float | None) -> str:
    """A score: `84.2 %` of a share, four decimals of any other metric."""
    if value is None:
        return NOTHING
    return f"{100 * value:.1f} %" if is_share(metric) else f"{value:.4f}"


def interval_text(
    metric: str | None, interval: tuple[float, float] | None, *, signed: bool = False
) -> str:
    """An interval in brackets, in the unit of `value_text` (percent, or points where `signed`).

    Empty where there is none.
    """
    if interval is None:
        return ""
    # a share is never beyond 0 and 1, though an interval of few blocks may be
    if is_share(metric) and not signed:
        interval = max(0.0, interval[0]), min(1.0, interval[1])
    low, high = (_number(metric, end, signed=signed) for end in interval)
    return f"[{low}, {high}]"


def score_text(score: Score | None) -> str:
    """A score with its interval: `84.2 % [81.0, 87.1]`."""
    if score is None or score.value is None:
        return NOTHING
    value = value_text(score.metric, score.value)
    return f"{value} {interval_text(score.metric, score.interval)}".strip()


def difference_text(metric: str | None, value: float | None) -> str:
    """A signed difference of two scores: `+3.1 points` of a share, `+0.0310` of any other
    metric.
    """
    if value is None:
        return NOTHING
    return _number(metric, value, signed=True) + (" points" if is_share(metric) else "")


def gain_text(metric: str | None, value: float | None, interval: tuple[float, float] | None) -> str:
    """A signed difference with its interval: `+3.1 points [+0.4, +5.8]`."""
    return (
        f"{difference_text(metric, value)} {interval_text(metric, interval, signed=True)}".strip()
    )


def size_of_psi(psi: float) -> str:
    """A population stability index in words.

    >>> size_of_psi(0.02), size_of_psi(0.2), size_of_psi(0.4)
    ('little', 'moderate', 'large')
    """
    if psi < SMALL_PSI:
        return "little"
    return "moderate" if psi <= LARGE_PSI else "large"


def time_text(moment: datetime | None) -> str:
    """A moment to the minute, in its own zone (the records hold UTC)."""
    return NOTHING if moment is None else f"{moment.day} {moment:%b %Y, %H:%M %Z}".strip()


def printable(text: object, limit: int = 500) -> str:
    """Untrusted text on one line: control characters and lone surrogates shown as escapes, the rest
    cut at `limit` characters.
    """
    shown = escaped(str(text)[: limit + 1])
    return shown if len(shown) <= limit else shown[: limit - 3] + "..."


def _number(metric: str | None, value: float, *, signed: bool) -> str:
    sign = "+" if signed else ""
    text = f"{value:{sign}.4f}"
    if is_share(metric):
        text = f"{100 * value:{sign}.1f}"
    return text if text.strip("+-0.") else text.lstrip("+-")  # no sign on what rounds to zero
