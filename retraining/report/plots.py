"""Plots that fit any width: heights in pixels, places from left to right in percent of the plot.

SVG takes percentages for lines, circles and rectangles, so nothing is distorted on a phone, and no
text shrinks. The templates draw them in the page's own colours.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from retraining.report.figures import near, nice_range

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    Interval = tuple[float, float]

Kind = Literal["before", "after"]
PLOT_HEIGHT = 170.0
TOP, BOTTOM = 22.0, 6.0  # room above for flags, below for half a dot
LEFT, RIGHT = 1.5, 98.5  # percent
SPARK_HEIGHT = 28.0
WIDEST_BAR = 6.0  # percent
FLAG_WIDTH = 9.0  # percent between two flags that are named


@dataclass(frozen=True)
class Reading:
    """A value at a time; `words` are shown to who points at it."""

    time: datetime
    value: float
    interval: Interval | None
    words: str


@dataclass(frozen=True)
class Line:
    """Readings in order of time."""

    name: str
    kind: Kind
    readings: tuple[Reading, ...]


@dataclass(frozen=True)
class Event:
    """Something that happened at a time; `name` is short."""

    time: datetime
    kind: Literal["promoted", "rolled_back"]
    name: str
    words: str


@dataclass(frozen=True)
class Piece:
    """A straight piece of a line."""

    x1: float
    y1: float
    x2: float
    y2: float


@dataclass(frozen=True)
class Spot:
    """A reading's place; `low` and `high` are the ends of its interval."""

    x: float
    y: float
    low: float
    high: float
    words: str


@dataclass(frozen=True)
class Trace:
    """A drawn line."""

    name: str
    kind: Kind
    pieces: tuple[Piece, ...]
    spots: tuple[Spot, ...]


@dataclass(frozen=True)
class Flag:
    """A drawn event; `name` is empty where there is no room for it."""

    x: float
    kind: str
    name: str
    words: str


@dataclass(frozen=True)
class Tick:
    """A line across the plot, and what it stands for."""

    y: float
    words: str


@dataclass(frozen=True)
class Column:
    """A bar that stands on the plot's floor."""

    x: float
    y: float
    width: float
    height: float
    words: str


@dataclass(frozen=True)
class Plot:
    """What a template draws; `first` and `last` stand under its ends."""

    ticks: tuple[Tick, ...]
    first: str
    last: str
    traces: tuple[Trace, ...] = ()
    flags: tuple[Flag, ...] = ()
    limit: float | None = None
    columns: tuple[Column, ...] = ()
    height: float = PLOT_HEIGHT


def line_plot(
    lines: Sequence[Line],
    *,
    tell: Callable[[float], str],
    tell_time: Callable[[datetime], str],
    limit: float | None = None,
    events: Sequence[Event] = (),
    from_zero: bool = False,
    between: tuple[datetime, datetime] | None = None,
) -> Plot | None:
    """Lines over time on one scale; None without a reading.

    Args:
        lines: what is drawn.
        tell: a value as the scale says it.
        tell_time: a time as the plot's ends say it.
        limit: a value drawn across, unless it is so far off that it would flatten the lines.
        events: drawn where they fall between the first and the last reading.
        from_zero: whether the scale begins at zero.
        between: the plot's ends, where they are not the first and the last reading.
    """
    readings = [one for line in lines for one in line.readings]
    if not readings:
        return None
    ends = [end for one in readings for end in (one.value, *(one.interval or ()))]
    if from_zero:
        ends.append(0.0)
    ends += near(limit, ends)
    low, high, ticks = nice_range(min(ends), max(ends))
    times = [one.time for one in readings] if between is None else [*between]
    across = _Scale(min(times).timestamp(), max(times).timestamp())
    up = _Height(low, high)
    return Plot(
        ticks=tuple(Tick(up.of(tick), tell(tick)) for tick in ticks),
        first=tell_time(min(times)),
        last=tell_time(max(times)) if len(set(times)) > 1 else "",
        traces=tuple(_trace(line, across, up) for line in lines if line.readings),
        flags=_flags(events, across),
        limit=up.of(limit) if limit is not None and low <= limit <= high else None,
    )


def bar_plot(
    bars: Sequence[tuple[str, float, str]],
    *,
    tell: Callable[[float], str],
    top: float | None = None,
) -> Plot | None:
    """Bars side by side, from zero; None without any.

    Args:
        bars: label, value and words of each.
        tell: a value as the scale says it.
        top: the scale's end, where it does not follow from the values.
    """
    if not bars:
        return None
    low, high, ticks = nice_range(0.0, top or max(value for _, value, _ in bars))
    up, slot = _Height(low, high), (RIGHT - LEFT) / len(bars)
    width = min(0.8 * slot, WIDEST_BAR)
    columns = []
    for place, (_, value, words) in enumerate(bars):
        y, x = up.of(value), LEFT + place * slot
        columns.append(Column(_round(x), y, _round(width), _round(up.floor - y), words))
    first, last = bars[0][0], bars[-1][0]
    ticks_drawn = tuple(Tick(up.of(tick), tell(tick)) for tick in ticks)
    return Plot(ticks_drawn, first, last if len(bars) > 1 else "", columns=tuple(columns))


def spark_line(values: Sequence[float], top: float) -> tuple[Piece, ...]:
    """A small line of values from zero to `top`, evenly spaced; empty under two of them."""
    up = _Height(0.0, top or 1.0, SPARK_HEIGHT, 3.0, 3.0)
    steps = max(len(values) - 1, 1)
    places = [LEFT + place * (RIGHT - LEFT) / steps for place in range(len(values))]
    points = [(x, up.of(value)) for x, value in zip(places, values, strict=True)]
    return _pieces(points)


@dataclass(frozen=True)
class _Scale:
    """Times between the plot's left and right ends."""

    first: float
    last: float

    def of(self, time: datetime) -> float:
        length = self.last - self.first
        share = 0.5 if length == 0 else (time.timestamp() - self.first) / length
        return _round(LEFT + share * (RIGHT - LEFT))

    def holds(self, time: datetime) -> bool:
        return self.first <= time.timestamp() <= self.last


@dataclass(frozen=True)
class _Height:
    """Values between the plot's floor and its ceiling."""

    low: float
    high: float
    height: float = PLOT_HEIGHT
    top: float = TOP
    bottom: float = BOTTOM

    @property
    def floor(self) -> float:
        return self.height - self.bottom

    def of(self, value: float) -> float:
        share = (self.high - value) / (self.high - self.low)
        return _round(self.top + share * (self.floor - self.top))


def _trace(line: Line, across: _Scale, up: _Height) -> Trace:
    spots = []
    for one in line.readings:
        low, high = one.interval or (one.value, one.value)
        x, y = across.of(one.time), up.of(one.value)
        spots.append(Spot(x, y, up.of(low), up.of(high), one.words))
    pieces = _pieces([(spot.x, spot.y) for spot in spots])
    return Trace(line.name, line.kind, pieces, tuple(spots))


def _pieces(points: Sequence[tuple[float, float]]) -> tuple[Piece, ...]:
    rounded = [(_round(x), y) for x, y in points]
    return tuple(Piece(*begin, *end) for begin, end in pairwise(rounded))


def _flags(events: Sequence[Event], across: _Scale) -> tuple[Flag, ...]:
    """Events in order; one that is too close to a named one before it goes without its name."""
    flags: list[Flag] = []
    free_from = 0.0
    for event in sorted(events, key=lambda one: one.time):
        if not across.holds(event.time):
            continue
        x = across.of(event.time)
        named = x >= free_from
        free_from = x + FLAG_WIDTH if named else free_from
        flags.append(Flag(x, event.kind, event.name if named else "", event.words))
    return tuple(flags)


def _round(number: float) -> float:
    return round(number, 2)
