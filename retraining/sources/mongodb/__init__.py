"""MongoDB as a source. Its driver is loaded by the first connection, not by this module."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from retraining.records import Schema
    from retraining.settings import Settings
    from retraining.sources import Clock, Fetched, Finding

KEY, NAME = "mongodb", "MongoDB"


@dataclass(frozen=True)
class MongoDB:
    """The collection that a project's settings name."""

    settings: Settings
    key: str = KEY
    name: str = NAME
    needs_schema: bool = False

    def has_news(self, schema: Schema | None, clock: Clock) -> bool:  # noqa: ARG002
        """True: only a connection could tell."""
        return True

    def fetch(self, schema: Schema | None, clock: Clock) -> Fetched:
        """Export the documents that no export has delivered yet; see `fetching`."""
        from retraining.sources.mongodb import fetching

        return fetching.fetch(self.settings, schema, clock=clock)

    def findings(self, schema: Schema | None) -> Iterator[Finding]:  # noqa: ARG002
        """A collection without documents is most likely a wrong name."""
        from retraining.sources import Finding
        from retraining.sources.mongodb import fetching

        if not fetching.has_documents(self.settings):
            what = fetching.nothing_there(self.settings)
            remedy = "Correct DATABASE_NAME or COLLECTION_NAME if they are elsewhere."
            yield Finding(what, remedy)


def open_source(settings: Settings) -> MongoDB:
    """The source, not yet connected."""
    return MongoDB(settings)
