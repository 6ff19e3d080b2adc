"""What every step of a cycle is handed."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from retraining.local_state import writable_or_own
from retraining.settings import deciding_digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime
    from typing import TextIO

    import pyarrow as pa

    from retraining.datasets import TableStore
    from retraining.errors import RetrainingError
    from retraining.inbox import Inbox
    from retraining.local_state import LocalState
    from retraining.model_registry.interface import Registry
    from retraining.records import DataFile, Schema
    from retraining.settings import Settings
    from retraining.sources import Source


@dataclass(eq=False, repr=False)
class Job:
    """One start of the job on one project: its settings, folders, registry, clock and flags.

    The registry is opened, and the heavy packages with it, only when a step first asks for it.
    """

    settings: Settings
    state: LocalState
    inbox: Inbox
    open_registry: Callable[[], Registry]
    now: Callable[[], datetime]
    dry_run: bool = False
    force: bool = False
    why: str = ""  # who asked for this cycle, and what for
    on_lock: Callable[[], None] = lambda: None  # tells that a start goes to work
    on_begin: Callable[[], None] = lambda: None  # opens this cycle's log
    log_lines: Callable[[], tuple[str, ...]] = tuple
    shows_pages: bool = True  # replay needs no report, note or plot
    sources: tuple[Source, ...] = ()  # what is asked for new rows before the gate
    terminal: TextIO | None = None  # where a person watches long steps
    seconds: dict[str, float] = field(default_factory=dict)
    quarantined: list[tuple[str, str | None, str]] = field(
        default_factory=list
    )  # name, SHA-256, reason
    archived: int = 0
    cycle_id: str | None = None
    run_id: str | None = None
    fetched: bool = False
    committed: bool = (
        False  # the alias was moved: what fails from here on is finished by the next start
    )
    source_error: RetrainingError | None = (
        None  # a source failed; the files at hand were served all the same
    )

    @cached_property
    def registry(self) -> Registry:
        """The model registry; a dry run only reads it."""
        return self.open_registry()

    @cached_property
    def tables(self) -> TableStore:
        """Typed tables of data files."""
        from retraining.datasets import TableStore

        return TableStore(writable_or_own(self.state.folder / "tables"), self.settings)

    @cached_property
    def deciding(self) -> str:
        """The digest of deciding settings and recipe under which this cycle judges."""
        return deciding_digest(self.settings)

    def begin(self) -> None:
        """Pass the gate: from here on the next start recovers first, unless this one ends well."""
        self.on_begin()
        if not self.dry_run:
            self.state.mark_dirty()

    @contextmanager
    def own_claims(self) -> Iterator[None]:
        """Let go of claimed copies at the end, unless a committed promotion still needs them: the next start finishes that."""
        try:
            yield
        finally:
            if not self.committed:
                self.inbox.release()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure a step, and say on the log when it begins and ends."""
        from retraining.logs import log

        log.debug("%s ...", name)
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = round(self.seconds.get(name, 0.0) + time.perf_counter() - start, 3)
        log.info("%s took %.1f s", name, self.seconds[name])

    def tables_of(self, files: Sequence[DataFile], schema: Schema) -> Iterator[pa.Table]:
        """Tables of files in order, one at a time; a terminal shows how many were passed through."""
        tables = self.tables.tables_many(files, schema)
        if self.terminal is None:
            return tables
        from retraining.progress import watched

        return watched(tables, len(files), "files", self.terminal)

    def refuse(self, name: str, reason: str, sha256: str | None = None) -> None:
        """Put a file into quarantine and remember it for this cycle's report."""
        from retraining.logs import log

        if self.inbox.refuse(name, reason, sha256):
            self.quarantined.append((name, sha256, reason))
            log.warning("refused %r: %s", name, reason)
