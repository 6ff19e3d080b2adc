"""What the reading commands share: the registry's facts and the records of past cycles.

Nothing outside `.retraining/` is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from retraining.cycle.books import load_ledger
from retraining.cycle.production import no_store, store_was_lost
from retraining.ledger import was_offered
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

    @cached_property
    def production(self) -> VersionFacts | None:
        """The version that holds the production alias, with its tags."""
        return None if self.holder is None else self.project.registry.version(self.holder)

    @property
    def waits_for_a_person(self) -> int | None:
        """The version that won and waits; None too if a person gave it the alias in the
        meantime.
        """
        challenger = self.facts.challenger
        return None if challenger == self.holder else challenger

    @property
    def why_it_serves(self) -> str:
        """Why the version that holds the alias is there: what it was made for, who approved it,
        and, where it was put back, in place of which one and why. Empty if no reason was given.
        """
        version = self.production
        if version is None:
            return ""
        approved = version.put_back is None and was_offered(self.ledger.cycles, version.number)
        return f"approved by a person; {version.why}" if approved else version.why


def read_story(settings: Settings, opened: Project | None = None) -> Story:
    """Ask the registry and this machine's copies, through a project that was opened already or
    through one that only reads.
    """
    project = opened if opened is not None else Project.open(settings, read_only=True)
    facts = project.registry.facts()
    return Story(project, facts, load_ledger(project, facts))


def read_known_story(settings: Settings) -> Story:
    """The same, for who would tell of past cycles: where the store was lost, nothing is known.

    Raises:
        NoProductionModelError: the store is away, though this project had one.
    """
    story = read_story(settings)
    if store_was_lost(story.project):
        raise no_store(settings)
    return story
