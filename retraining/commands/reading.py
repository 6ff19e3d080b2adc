"""What the reading commands share: the registry's facts and the records of past cycles.

Nothing outside `.retraining/` is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from retraining.cycle.books import load_ledger
from retraining.project import Project

if TYPE_CHECKING:
    from retraining.ledger import Ledger
    from retraining.records import RegistryFacts, VersionFacts
    from retraining.settings import Settings


@dataclass(frozen=True)
class Story:
    """A project as its registry tells it."""

    project: Project
    facts: RegistryFacts
    ledger: Ledger

    @property
    def holder(self) -> int | None:
        """The version that holds the production alias."""
        return self.facts.aliases.get(self.project.settings.production_alias)

    @property
    def production(self) -> VersionFacts | None:
        """The version that holds the production alias, with its tags."""
        return None if self.holder is None else self.project.registry.version(self.holder)


def read_story(settings: Settings, opened: Project | None = None) -> Story:
    """Ask the registry and this machine's copies, through a project that was opened already or
    through one that only reads.
    """
    project = opened if opened is not None else Project.open(settings, read_only=True)
    facts = project.registry.facts()
    return Story(project, facts, load_ledger(project, facts))
