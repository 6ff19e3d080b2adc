"""What the reading commands share: the registry's facts and the records of past cycles. Nothing outside `.retraining/` is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from retraining.commands.run import new_job
from retraining.cycle.bookkeeping import load_ledger

if TYPE_CHECKING:
    from retraining.cycle.job import Job
    from retraining.ledger import Ledger
    from retraining.records import RegistryFacts, VersionFacts
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
