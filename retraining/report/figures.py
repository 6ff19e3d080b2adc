"""Pictures as geometry: numbers in, coordinates out.

The templates draw them as SVG that takes the page's colours.

Written by hand, since matplotlib costs 0.65 s of import in every cycle and its colours cannot
follow the reader's colour scheme.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from retraining.report.material import Distribution

Point = tuple[float, float]
HISTOGRAM_WIDTH, HISTOGRAM_HEIGHT = 132.0, 36.0
MOST_BINS = 40
SQUARE = 200.0
TIMELINE_HEIGHT = 190.0
WIDEST_STEP, NARROWEST_STEP, LEAST_WIDTH, PAGE_WIDTH = 44.0, 14.0, 260.0, 830.0
TAG_WIDTH = 24.0
MARGIN_LEFT, MARGIN_RIGHT, MARGIN_TOP, MARGIN_BOTTOM = 52.0, 20.0, 26.0, 24.0


@dataclass(frozen=True)
class Bar:
    """A bar that stands on the picture's lower edge, in its pixels."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Histogram:
    """Two distributions in one picture: bars for the reference, a line over the same bins for
    now.
    """

    bars: tuple[Bar, ...]
    line: str
    width: float = HISTOGRAM_WIDTH
    height: float = HISTOGRAM_HEIGHT


@dataclass(frozen=True)
class Served:
    """One cycle as the timeline shows it: the score of the version that served, and the version
    that serves after it.
    """

    number: int
    label: str
    score: float
    interval: tuple[float, float] | None
    version: int | None
    becomes: int | None
    ending: str


@dataclass(frozen=True)
class Dot:
    """A cycle's place in the timeline, in its pixels.

    `low` and `high` are the ends of its interval.

    `tagged` where the version changes, and there is room to name the new one.
    """

    x: float
    y: float
    low: float
    high: float
    served: Served
    tagged: bool


@dataclass(frozen=True)
class Timeline:
    """Served scores over cycles; `ticks` are (y, score), `threshold` a y or None."""

    dots: tuple[Dot, ...]
    line: str
    ticks: tuple[tuple[float, float], ...]
    threshold: float | None
    width: float
    height: float = TIMELINE_HEIGHT


@dataclass(frozen=True)
class Range:
    """A value and its interval on a shared scale, as percentages of its width.

    `zero` where the scale holds zero and it matters.
    """

    low: float
    high: float
    value: float
    zero: float | None
    mine: bool


def histogram(distribution: Distribution) -> Histogram | None:
    """Shares per bin, both to the scale of the largest.

    None where either side is empty or they do not fit together.
    """
    before, now = _shares(distribution.reference), _shares(distribution.current)
    if not before or len(before) != len(now):
        return None
    top = max(*before, *now)
    step = HISTOGRAM_WIDTH / len(before)
    bars = tuple(
        Bar(
            _round(i * step + 0.5),
            _round(HISTOGRAM_HEIGHT * (1 - share / top)),
            _round(max(step - 1, 0.5)),
            _round(HISTOGRAM_HEIGHT * share / top),
        )
        for i, share in enumerate(before)
    )
    corners = [
        (i * step, (i + 1) * step, HISTOGRAM_HEIGHT * (1 - share / top))
        for i, share in enumerate(now)
    ]
    return Histogram(
        bars,
        polyline(
            point
            for left, right, y in corners
            for point in ((left, max(y, 1.0)), (right, max(y, 1.0)))
        ),
    )


def ranges(
    scores: Sequence[tuple[float, tuple[float, float] | None]],
    *,
    mine: int,
    around_zero: bool = False,
) -> tuple[Range, ...]:
    """Values with their intervals on one scale; `mine` is the one in the accent colour."""
    ends = [end for value, interval in scores for end in (value, *(interval or ()))]
    if around_zero:
        ends.append(0.0)
    low, high = min(ends), max(ends)
    room = (high - low) * 0.06 or 1.0

    def place(value: float) -> float:
        return _round(100 * (value - low + room) / (high - low + 2 * room))

    drawn = []
    for i, (value, interval) in enumerate(scores):
        left, right = interval or (value, value)
        drawn.append(
            Range(
                place(left),
                place(right),
                place(value),
                place(0.0) if around_zero else None,
                i == mine,
            )
        )
    return tuple(drawn)


def square_line(points: Iterable[Point]) -> str:
    """Points of the unit square as a line in a picture of 200 by 200, the origin at the lower
    left.
    """
    return polyline((SQUARE * x, SQUARE * (1 - y)) for x, y in points)


def timeline(cycles: Sequence[Served], threshold: float | None) -> Timeline | None:
    """The served score over cycles, in order; None under two of them, which make no line."""
    if len(cycles) < 2:
        return None
    ends = [end for cycle in cycles for end in (cycle.score, *(cycle.interval or ()))]
    shown = near(threshold, ends)
    low, high, ticks = nice_range(min(ends + shown), max(ends + shown))
    steps = len(cycles) - 1
    inner = max(LEAST_WIDTH, min(WIDEST_STEP * steps, PAGE_WIDTH), NARROWEST_STEP * steps)

    def height(score: float) -> float:
        return _round(
            MARGIN_TOP
            + (high - score) / (high - low) * (TIMELINE_HEIGHT - MARGIN_TOP - MARGIN_BOTTOM)
        )

    dots: list[Dot] = []
    free_from = 0.0
    for i, cycle in enumerate(cycles):
        bottom, top = cycle.interval or (cycle.score, cycle.score)
        x = _round(MARGIN_LEFT + i * inner / steps)
        tagged = cycle.becomes != cycle.version and x >= free_from
        free_from = x + TAG_WIDTH if tagged else free_from
        dots.append(Dot(x, height(cycle.score), height(bottom), height(top), cycle, tagged))
    return Timeline(
        tuple(dots),
        polyline((dot.x, dot.y) for dot in dots),
        tuple((height(tick), tick) for tick in ticks),
        height(threshold) if threshold is not None and shown else None,
        MARGIN_LEFT + inner + MARGIN_RIGHT,
    )


def polyline(points: Iterable[Point]) -> str:
    """The `points` attribute of an SVG polyline."""
    return " ".join(f"{_round(x):g},{_round(y):g}" for x, y in points)


def near(threshold: float | None, scores: Sequence[float]) -> list[float]:
    """The threshold, unless it is so far off that drawing it would flatten the scores."""
    if threshold is None:
        return []
    lowest, highest = min(scores), max(scores)
    margin = 2 * max(highest - lowest, 0.02)
    is_near = lowest - margin <= threshold <= highest + margin
    return [threshold] if is_near else []


def nice_range(low: float, high: float) -> tuple[float, float, list[float]]:
    """A range around low..high whose ends are ticks, at a step of 1, 2 or 5 times a power of
    ten.
    """
    spread = (high - low) or max(abs(high), 1.0) * 0.02
    power = 10 ** math.floor(math.log10(spread / 3))
    steps = [factor * power for factor in (1, 2, 5, 10)]
    step = next(one for one in steps if one >= spread / 4)
    first = math.floor(low / step)
    last = max(math.ceil(high / step), first + 1)
    ticks = [number * step for number in range(first, last + 1)]
    return ticks[0], ticks[-1], ticks


def _shares(counts: Sequence[float]) -> list[float]:
    """Shares of at most MOST_BINS bins; neighbours of a longer list are drawn as one."""
    total, together = sum(counts), math.ceil(len(counts) / MOST_BINS)
    if total <= 0:
        return []
    starts = range(0, len(counts), together)
    return [sum(counts[start : start + together]) / total for start in starts]


def _round(number: float) -> float:
    return round(number, 1)
