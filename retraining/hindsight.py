"""Past decisions graded by what came after them: the gains seen batch by batch, put together for
each decision.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from retraining.phrases import gained_or_lost, how_many, size_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from retraining.records import CycleRecord, Hindsight


def graded_decisions(
    records: Sequence[CycleRecord], confidence: float = 0.95
) -> dict[str, Hindsight]:
    """Cycle id of a decision -> what its challenger gained over its rival on all fresh batches
    since.
    """
    seen: dict[int, list[Hindsight]] = {}
    for record in records:
        if record.hindsight is not None:
            seen.setdefault(record.hindsight.challenger, []).append(record.hindsight)
    decided = {
        record.outcome.challenger_version: record.cycle_id
        for record in records
        if record.outcome.challenger_version
    }
    return {
        decided[version]: _together(gains, confidence)
        for version, gains in seen.items()
        if version in decided
    }


def _together(gains: list[Hindsight], confidence: float) -> Hindsight:
    from retraining.statistics import Estimate, combine, t_interval

    if len(gains) == 1:
        return gains[0]
    combined = combine(
        [Estimate(one.gain, one.standard_error, one.rows, one.blocks) for one in gains]
    )
    return replace(
        gains[-1],
        gain=combined.value if combined.value is not None else gains[-1].gain,
        interval=t_interval(combined, confidence),
        rows=combined.rows,
        standard_error=combined.standard_error,
        blocks=combined.blocks,
        batches=len(gains),
    )


@dataclass(frozen=True)
class Promotions:
    """What the promotions gained together, on the fresh batches since each.

    Attributes:
        gain: the mean over promotions, weighted by the rows that each was seen on.
        harmful: the versions that were worse than what they replaced by more than chance.
    """

    count: int
    gain: float
    interval: tuple[float, float] | None
    harmful: tuple[int, ...]


def promotions_together(graded: Sequence[Hindsight], confidence: float = 0.95) -> Promotions | None:
    """The promotions among graded decisions; None where there are none."""
    promoted = [one for one in graded if one.promoted]
    if not promoted:
        return None
    together = _together(promoted, confidence)
    harmful = tuple(one.challenger for one in promoted if one.interval and one.interval[1] < 0)
    return Promotions(len(promoted), together.gain, together.interval, harmful)


def in_words(seen: Hindsight, metric: str) -> str:
    """`v8 gained 0.0120 [+0.0030, +0.0210] on 3 fresh batches`, or what rejecting it cost."""
    on = f"on {how_many(seen.batches, 'fresh batch', 'fresh batches')} ({metric})"
    if seen.promoted:
        return f"v{seen.challenger} {gained_or_lost(seen.gain, seen.interval)} {on}"
    verb = "cost" if seen.gain > 0 else "saved"
    return f"rejecting v{seen.challenger} {verb} {size_of(seen.gain, seen.interval)} {on}"
