"""Labelled predictions as a source.

A sqlite log is asked by the standard library; what loads a driver is imported by `fetch` alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from retraining.records import Schema
    from retraining.settings import Settings
    from retraining.sources import Clock, Fetched, Finding

KEY, NAME = "predictions", "the prediction log"


@dataclass(frozen=True)
class Predictions:
    """The prediction log that a project's settings name."""

    settings: Settings
    key: str = KEY
    name: str = NAME
    needs_schema: bool = True

    def has_news(self, schema: Schema | None, clock: Clock) -> bool:
        """Whether a file of labelled rows may leave, or one that was begun must be finished.

        True where only a server could tell.
        """
        file = self.settings.prediction_log_file
        if file is None or schema is None:
            return True
        from retraining.prediction_log.ready_in_sqlite import has_work
        from retraining.sources.predictions.waiting import waits_of

        waits = waits_of(self.settings, schema)
        return waits is None or has_work(file, self.settings.model_name, waits, clock())

    def fetch(self, schema: Schema | None, clock: Clock) -> Fetched:
        """Export the labelled rows that are ready and that no export has delivered yet.

        See `fetching`.
        """
        from retraining.sources.predictions import fetching

        return fetching.fetch(self, schema, clock)

    def findings(self, schema: Schema | None) -> Iterator[Finding]:
        """Labels that nobody can join, ids that came again with other features, and the like.

        See `looking`.
        """
        from retraining.sources.predictions import looking

        return looking.findings(self.settings, schema)


def open_source(settings: Settings) -> Predictions:
    """The source, not yet connected."""
    return Predictions(settings)
