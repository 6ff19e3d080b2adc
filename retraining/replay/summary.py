"""What a replay shows: a line for each policy, averages over offsets, and the served score drawn
cycle by cycle.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from retraining.phrases import WORTH_A_WORD
from retraining.replay.judging import POINT
from retraining.replay.yardsticks import BEST_OF

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from retraining.replay.history import Cut
    from retraining.replay.judging import Play

    Plays = Mapping[str, Sequence[Play]]

BARS = "▁▂▃▄▅▆▇█"
DRAWN = 40  # characters; longer histories are drawn by means of neighbouring cycles
HEADINGS = (
    "policy",
    "served",
    "gap",
    "retrains",
    "rows fitted",
    "promoted",
    "harmed",
    "rolled back",
    "served, cycle by cycle",
)


@dataclass(frozen=True)
class Line:
    """One policy over all offsets; counts are means an offset, scores in the metric's own unit."""

    name: str
    served: float | None
    gap: float | None  # > 0: better than the best yardstick in hindsight
    fits: float
    rows_fitted: float
    share_of_always: float
    promotions: float
    harmful_promotions: float
    rollbacks: float


def summarise(plays: Plays, cuts: Sequence[Cut], *, greater_is_better: bool) -> list[Line]:
    """A line for each policy."""
    whole = sum(rows_always_fits(cut) for cut in cuts)
    return [
        _line(name, played, plays, whole, greater_is_better=greater_is_better)
        for name, played in plays.items()
    ]


def _line(
    name: str, played: Sequence[Play], plays: Plays, whole: int, *, greater_is_better: bool
) -> Line:
    gaps = [
        gap
        for place in range(len(played))
        if (gap := gap_of(name, place, plays, greater_is_better=greater_is_better)) is not None
    ]
    return Line(
        name=name,
        served=_mean([play.mean for play in played if play.mean is not None]),
        gap=_mean(gaps) if len(gaps) == len(played) else None,
        fits=_mean([play.fits for play in played]) or 0.0,
        rows_fitted=_mean([play.rows_fitted for play in played]) or 0.0,
        share_of_always=sum(play.rows_fitted for play in played) / whole,
        promotions=_mean([play.promotions for play in played]) or 0.0,
        harmful_promotions=_mean([play.harmful_promotions for play in played]) or 0.0,
        rollbacks=_mean([play.rollbacks for play in played]) or 0.0,
    )


def gap_of(name: str, place: int, plays: Plays, *, greater_is_better: bool) -> float | None:
    """What a policy gained on the best yardstick in hindsight, from one offset.

    None unless all of those were played.
    """
    rivals = [plays[best][place].mean for best in BEST_OF if best in plays]
    own = plays[name][place].mean
    known = [value for value in rivals if value is not None]
    if own is None or len(known) < len(BEST_OF):
        return None
    return own - max(known) if greater_is_better else min(known) - own


def rows_always_fits(cut: Cut) -> int:
    """The rows that retraining on everything after each cycle hands to the recipe."""
    return sum(stop - cut.initial[0] for _, stop in cut.cycles)


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


# --- as text --------------------------------------------------------------------------------------


def in_words(plays: Plays, cuts: Sequence[Cut], metric: str, *, greater_is_better: bool) -> str:
    """The table that a person reads."""
    lines = summarise(plays, cuts, greater_is_better=greater_is_better)
    known = [value for played in plays.values() for value in played[0].served if value is not None]
    scale = (min(known), max(known)) if known else (0.0, 0.0)
    rows = [(*_cells(line), drawing(plays[line.name][0].served, scale)) for line in lines]
    first = cuts[0]
    per_cycle = first.cycles[0][1] - first.cycles[0][0]
    head = (
        f"{len(first.cycles)} cycles of {per_cycle:,} rows after a first model of"
        f" {first.initial[1] - first.initial[0]:,} rows"
    )
    offsets = f", from {len(cuts)} offsets (the means are shown)" if len(cuts) > 1 else ""
    text = [
        f"{head}{offsets}; served = mean {metric} over cycles.",
        "",
        *_aligned([HEADINGS, *rows]),
        "",
    ]
    text.append(
        f"drawn from {scale[0]:.3f} to {scale[1]:.3f}; harmed = significantly worse in the next 3"
        " cycles than what it replaced"
    )
    text.append(_about_the_gap(lines))
    text += _about_copies(plays)
    return "\n".join(text)


def _about_copies(plays: Plays) -> list[str]:
    """What the scores of this table count, and a cycle leaves out of its own; none where hardly
    any.
    """
    by_name = {name: sum(play.copied_rows for play in played) for name, played in plays.items()}
    name = max(by_name, key=by_name.__getitem__)
    copied, rows = by_name[name], sum(sum(play.rows) for play in plays[name])
    if copied < WORTH_A_WORD * rows or not copied:
        return []
    fact = f"{copied:,} of {rows:,} rows played under {name} are copies of rows seen before"
    effect = "served and harmed count them, which favours models that learned them"
    return [f"{fact}: {effect}. Play files of new rows only."]


def _about_the_gap(lines: Sequence[Line]) -> str:
    if any(line.gap is not None for line in lines):
        return f"gap = points against the best in hindsight of {', '.join(BEST_OF)}"
    names = dict.fromkeys([*(line.name for line in lines), *BEST_OF])
    return f"For the gap to the best yardstick play these too: --policy {','.join(names)}"


def _cells(line: Line) -> tuple[str, ...]:
    return (
        line.name,
        "-" if line.served is None else f"{line.served:.4f}",
        "-" if line.gap is None else f"{line.gap / POINT:+.2f}",
        f"{line.fits:.4g}",
        f"{line.rows_fitted:,.0f} ({line.share_of_always:.0%})",
        f"{line.promotions:.4g}",
        f"{line.harmful_promotions:.4g}",
        f"{line.rollbacks:.4g}",
    )


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for first, *numbers, last in rows:
        padded = [cell.rjust(width) for cell, width in zip(numbers, widths[1:-1], strict=True)]
        lines.append("  ".join([first.ljust(widths[0]), *padded, last]).rstrip())
    return lines


def drawing(values: Sequence[float | None], scale: tuple[float, float]) -> str:
    """Bars between the lowest and the highest value of the scale.

    A blank where a value is undefined.
    """
    size = math.ceil(len(values) / DRAWN)
    bars = []
    for start in range(0, len(values), size):
        known = [value for value in values[start : start + size] if value is not None]
        bars.append(_bar(_mean(known), *scale))
    return "".join(bars)


def _bar(value: float | None, low: float, high: float) -> str:
    if value is None:
        return " "
    step = (high - low) / len(BARS) or 1.0
    place = int((value - low) / step)
    return BARS[min(len(BARS) - 1, place)]
