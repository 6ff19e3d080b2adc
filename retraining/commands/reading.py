"""What the reading commands share: the registry's facts and the records of past cycles. Nothing outside `.retraining/` is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from retraining.commands.run import new_job
from retraining.cycle.bookkeeping import load_ledger

if TYPE_CHECKING:
    from retraining.cycle.job import Job
    from retraining.ledger import Ledger
    from retraining.records import CycleRecord, Hindsight, RegistryFacts, VersionFacts
    from retraining.settings import Settings


@dataclass(frozen=True)
class Story:
    """A project as its registry tells it."""

    job: Job
    facts: RegistryFacts
    ledger: Ledger

    @property
    def holder(self) -> int | None:
        """The version that holds the production alias."""
        return self.facts.aliases.get(self.job.settings.production_alias)

    @property
    def production(self) -> VersionFacts | None:
        """The version that holds the production alias, with its tags."""
        return None if self.holder is None else self.job.registry.version(self.holder)


def read_story(settings: Settings) -> Story:
    """Ask the registry and this machine's copies."""
    job = new_job(settings, dry_run=True)
    facts = job.registry.facts()
    return Story(job, facts, load_ledger(job, facts))


def told_with_hindsight(record: CycleRecord, hindsight: Hindsight | None) -> dict[str, Any]:
    """A cycle's `--json` object, with when it started and what later rows say of it."""
    return {
        **record.told,
        "started": record.started.isoformat(),
        "hindsight": None if hindsight is None else hindsight_as_json(hindsight),
    }


def hindsight_as_json(seen: Hindsight) -> dict[str, Any]:
    """A graded decision as JSON holds it."""
    return {
        "challenger": seen.challenger,
        "rival": seen.rival,
        "promoted": seen.promoted,
        "gain": seen.gain,
        "interval": None if seen.interval is None else list(seen.interval),
        "rows": seen.rows,
        "batches": seen.batches,
    }
