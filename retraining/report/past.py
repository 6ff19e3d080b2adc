"""Past cycles as the timeline and the table of decisions show them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from retraining.endings import DECISIONS
from retraining.ledger import REGISTERED
from retraining.report.ending_texts import filled, texts_of
from retraining.report.figures import Served
from retraining.report.words import ending_words, gain_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from retraining.records import CycleRecord, Hindsight, Outcome

MOST_CYCLES = 120


@dataclass(frozen=True)
class PastDecision:
    """A decision of a past cycle.

    `hindsight` is what later rows say about it, None where there are none yet.
    """

    cycle_id: str
    day: str
    clock: str
    ending: str
    words: str
    metric: str | None
    improvement: float | None
    interval: tuple[float, float] | None
    hindsight: Hindsight | None

    @property
    def challenged(self) -> bool:
        """Whether there was a challenger to be right or wrong about."""
        return self.ending in DECISIONS


def cycles_only(records: Iterable[CycleRecord]) -> list[CycleRecord]:
    """Cycles without registrations, oldest first."""
    return sorted(
        (record for record in records if record.ending != REGISTERED),
        key=lambda record: (record.number, record.started),
    )


def label_of(record: CycleRecord) -> str:
    """A cycle's day, short."""
    return f"{record.started.day} {record.started:%b %Y}"


def served_scores(records: Sequence[CycleRecord]) -> list[Served]:
    """The last cycles that scored what was served, oldest first."""
    served = []
    for record in records:
        if record.served is not None and record.served.value is not None:
            outcome, score = record.outcome, record.served
            served.append(
                Served(
                    record.number,
                    label_of(record),
                    score.value or 0.0,
                    score.interval,
                    outcome.previous_version,
                    outcome.production_version,
                    outcome.ending,
                )
            )
    return served[-MOST_CYCLES:]


def decisions(
    records: Sequence[CycleRecord], hindsight: Mapping[str, Hindsight]
) -> list[PastDecision]:
    """What the cycles decided about a challenger or a version on probation, newest first."""
    return [
        decision(record, hindsight.get(record.cycle_id))
        for record in reversed(records)
        if record.ending in DECISIONS
    ]


def decision(record: CycleRecord, hindsight: Hindsight | None) -> PastDecision:
    """One past cycle's decision."""
    outcome, comparison = record.outcome, record.outcome.comparison
    return PastDecision(
        record.cycle_id,
        label_of(record),
        f"{record.started:%H:%M %Z}",
        outcome.ending,
        decision_words(outcome),
        outcome.metric,
        comparison.improvement if comparison else None,
        comparison.interval if comparison else None,
        hindsight,
    )


def decision_words(outcome: Outcome) -> str:
    """Which version did what: `v8 promoted over v7`."""
    row = texts_of(outcome.ending).row
    return filled(row, outcome) if row else ending_words(outcome.ending)


def timeline_words(metric: str | None, served: Sequence[Served]) -> str:
    """The timeline as text, for those who do not see it."""
    scores = [cycle.score for cycle in served]
    endings = [cycle.ending for cycle in served]
    promotions, roll_backs = endings.count("promoted"), endings.count("rolled_back")
    change = gain_text(metric, scores[-1] - scores[0], None)
    first, last = served[0].label, served[-1].label
    return (
        f"Served {metric} over {len(served)} cycles, from {first} to {last}: a change of {change}"
        f" with {promotions} promotions and {roll_backs} roll-backs"
    )
