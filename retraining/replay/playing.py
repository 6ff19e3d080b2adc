"""One policy from one offset: the job's own cycle, handed files, a clock and a registry in
memory.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from retraining import registering
from retraining.cycle.job import Job
from retraining.folders.local_state import LocalState
from retraining.inbox import Inbox
from retraining.model_registry.memory import MemoryRegistry
from retraining.replay.judging import Judge, Play, Promotion
from retraining.replay.scratch import SharedTables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from retraining.model_registry.interface import Registry
    from retraining.records import Outcome
    from retraining.replay.scratch import Deliveries
    from retraining.settings import Settings

    RunCycle = Callable[[Job], Outcome]

FIRST_DAY = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Player:
    """What all plays of a replay share.

    Attributes:
        run_cycle: the story of `pipeline_orchestrator.py`.
        tables: where typed copies of files are kept for all plays.
        days_per_cycle: that the clock moves.
        open_registry: a registry for each play.
        tick: called after each cycle.
    """

    run_cycle: RunCycle
    tables: Path
    days_per_cycle: float
    open_registry: Callable[[Settings], Registry] = lambda _settings: MemoryRegistry()
    tick: Callable[[], None] = lambda: None

    def play(self, settings: Settings, deliveries: Deliveries) -> Play:
        """Play one policy over every cycle of an offset.

        `settings` are those of its scratch project.
        """
        registry, tables = self.open_registry(settings), SharedTables(self.tables, settings)
        tally = _Tally(registry, Judge(deliveries.history, deliveries.cut, settings))
        with _silence():
            for cycle in range(len(deliveries.cut.cycles) + 1):
                now = FIRST_DAY + timedelta(days=cycle * self.days_per_cycle)
                job = _job(settings, registry, tables, now)
                if cycle == 0:
                    deliveries.deliver(0, settings.used_data_dir, now)
                    _register_first_model(job, deliveries)
                    continue
                deliveries.deliver(cycle, settings.new_data_dir, now)
                outcome = self.run_cycle(job)
                _approve(registry, settings, outcome)
                tally.add(cycle - 1, outcome)
                self.tick()
        return tally.play(deliveries.cut.offset)


def _job(settings: Settings, registry: Registry, tables: SharedTables, now: datetime) -> Job:
    state = LocalState(settings.state_dir)
    return Job(
        settings,
        state,
        Inbox(settings, state, durable=False),
        lambda: registry,
        lambda: now,
        open_tables=lambda: tables,
        shows_pages=False,
    )


def _register_first_model(job: Job, deliveries: Deliveries) -> None:
    request = registering.Request(
        train_from=job.settings.used_data_dir, set_alias=True, schema=deliveries.history.schema
    )
    registering.register(job, request)


def _approve(registry: Registry, settings: Settings, outcome: Outcome) -> None:
    """Under PROMOTE_WHEN=manual: the person whom the winner waits for says yes before the next
    cycle.
    """
    if outcome.ending == "awaiting_approval" and outcome.challenger_version is not None:
        registry.set_alias(settings.production_alias, outcome.challenger_version)


@contextmanager
def _silence() -> Iterator[None]:
    """Cycles log as ever, but a replay has thousands of lines nobody reads."""
    log = logging.getLogger("retraining")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(before)


@dataclass
class _Tally:
    """Adds up what cycles did."""

    registry: Registry
    judge: Judge
    rows: list[int] = field(default_factory=list)
    served: list[float | None] = field(default_factory=list)
    version: list[int] = field(default_factory=list)
    fitted: list[int] = field(default_factory=list)
    promotions: list[Promotion] = field(default_factory=list)
    flattery: list[float] = field(default_factory=list)
    rollbacks: int = 0
    copied_rows: int = 0

    def add(self, cycle: int, outcome: Outcome) -> None:
        copied = outcome.copied_rows or 0
        self.copied_rows += copied
        self.rows.append((outcome.new_rows or 0) + copied)
        self.served.append(self._served(cycle, outcome))
        self.version.append(outcome.previous_version or 0)
        self.rollbacks += outcome.ending == "rolled_back"
        if outcome.comparison is not None and outcome.challenger_version is not None:
            self._add_attempt(cycle, outcome, outcome.challenger_version)

    def _served(self, cycle: int, outcome: Outcome) -> float | None:
        """The score over all rows of the batch, copies of learned rows with them."""
        if outcome.copied_rows:
            estimator = self._estimator(outcome.previous_version or 0)
            return self.judge.score(estimator, self.judge.cut.cycles[cycle])
        served = outcome.production_on_new
        return None if served is None else served.value

    def _add_attempt(self, cycle: int, outcome: Outcome, number: int) -> None:
        challenger = self._estimator(number)
        champion = self._estimator(outcome.previous_version or 0)
        self.fitted.append(self._training_rows(number))
        if outcome.ending in ("promoted", "awaiting_approval"):
            self.promotions.append(self.judge.promotion(challenger, champion, cycle))
        if outcome.comparison is not None and outcome.comparison.improvement is not None:
            flattery = self.judge.flattered_by(
                outcome.comparison.improvement, challenger, champion, cycle
            )
            if flattery is not None:
                self.flattery.append(flattery)

    def _estimator(self, number: int) -> Any:
        version = self.registry.version(number)
        assert version is not None, number
        return self.registry.model(version)

    def _training_rows(self, number: int) -> int:
        version = self.registry.version(number)
        assert version is not None, number
        return self.registry.manifest(version).training_rows

    def play(self, offset: int) -> Play:
        return Play(
            offset=offset,
            rows=tuple(self.rows),
            served=tuple(self.served),
            version=tuple(self.version),
            rows_fitted=sum(self.fitted),
            fits=len(self.fitted),
            promotions=len(self.promotions),
            wrong_promotions=sum(one.was_wrong for one in self.promotions),
            harmful_promotions=sum(one.was_harmful for one in self.promotions),
            gains=tuple(one.gain for one in self.promotions if one.gain is not None),
            rollbacks=self.rollbacks,
            flattery=tuple(self.flattery),
            copied_rows=self.copied_rows,
        )
