"""One start of the job on a project: what it found, and what it has done so far."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from retraining.project import Project

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from typing import TextIO

    from retraining.datasets import TableStore
    from retraining.errors import RetrainingError
    from retraining.folders.local_state import LocalState
    from retraining.inbox import Inbox
    from retraining.ledger import Ledger
    from retraining.model_registry.interface import Registry
    from retraining.records import Left, RegistryFacts
    from retraining.settings import Settings
    from retraining.sources import Source


class Refused(NamedTuple):
    """A file that this start put into quarantine; its digest is None where it was not read."""

    name: str
    sha256: str | None
    reason: str


class Recovered(NamedTuple):
    """What the registry says, after everything half-done was finished."""

    facts: RegistryFacts
    ledger: Ledger
    lost: int | None = None  # the version that serves, where its manifest is gone

    @property
    def left(self) -> Left:
        """What the last cycle left."""
        from retraining.records import Left  # dataclasses, which a closed gate does not load

        return self.facts.left or Left()

    @property
    def hold(self) -> str | None:
        """Who held promotions, when and why; None while they are not held."""
        return self.facts.hold


class Tally:
    """What a start has done so far: its end is told from this, a failure too.

    Attributes:
        seconds: by stage.
        archived: files that were moved to the archive.
        exported: files that sources put into the inbox.
        committed: the alias was moved, so what fails from here on is finished by the next start.
        source_error: a source failed; the files at hand were served all the same.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.refused: list[Refused] = []
        self.archived = 0
        self.exported = 0
        self.cycle_id: str | None = None
        self.run_id: str | None = None
        self.committed = False
        self.source_error: RetrainingError | None = None


def _tell_nobody() -> None:
    """Nobody looks on."""


class Hooks(NamedTuple):
    """Called when a start holds the lock, then when it passes the gate; gives the log's lines."""

    on_lock: Callable[[], None] = _tell_nobody
    on_begin: Callable[[], None] = _tell_nobody
    log_lines: Callable[[], tuple[str, ...]] = tuple


NO_HOOKS = Hooks()


class Job(Project):
    """One start on a project: how it was asked for, who looks on, and its tally.

    A dry run is a job on a project whose parts only read; `dry_run` is for what people are told.

    Attributes:
        why: who asked for this cycle, and what for.
        shows_pages: whether report, note and plots are made; replay needs none.
    """

    def __init__(
        self,
        settings: Settings,
        state: LocalState,
        inbox: Inbox,
        open_registry: Callable[[], Registry],
        now: Callable[[], datetime],
        sources: tuple[Source, ...] = (),
        open_tables: Callable[[], TableStore] | None = None,
        terminal: TextIO | None = None,
        *,
        dry_run: bool = False,
        force: bool = False,
        why: str = "",
        shows_pages: bool = True,
        hooks: Hooks = NO_HOOKS,
    ) -> None:
        super().__init__(settings, state, inbox, open_registry, now, sources, open_tables, terminal)
        self.dry_run = dry_run
        self.force = force
        self.why = why
        self.shows_pages = shows_pages
        self.hooks = hooks
        self.tally = Tally()

    def begin(self) -> None:
        """Pass the gate: from here on the next start recovers first, unless this one ends well."""
        self.hooks.on_begin()
        self.state.mark_dirty()

    @contextmanager
    def own_claims(self) -> Iterator[None]:
        """Let go of claimed copies at the end, unless a committed promotion still needs them."""
        try:
            yield
        finally:
            if not self.tally.committed:
                self.inbox.release()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure a step, and say on the log when it begins and ends."""
        from retraining.logs import log

        log.debug("%s ...", name)
        seconds, start = self.tally.seconds, time.perf_counter()
        try:
            yield
        finally:
            seconds[name] = round(seconds.get(name, 0.0) + time.perf_counter() - start, 3)
        log.info("%s took %.1f s", name, seconds[name])

    def refuse(self, name: str, reason: str, sha256: str | None = None) -> None:
        """Put a file into quarantine and remember it for this cycle's report."""
        from retraining.logs import log

        if self.inbox.refuse(name, reason, sha256):
            self.tally.refused.append(Refused(name, sha256, reason))
            log.warning("refused %r: %s", name, reason)
