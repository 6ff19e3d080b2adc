"""A project at work: what every command and every step is handed to read and write with."""

from __future__ import annotations

from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, cast

from retraining.folders.local_state import LocalState, ReadOnlyState, writable_or_own
from retraining.inbox import Inbox
from retraining.settings import deciding_digest
from retraining.sources import sources_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime
    from typing import Self, TextIO

    import pyarrow as pa

    from retraining.datasets import TableStore
    from retraining.model_registry.interface import Registry
    from retraining.records import DataFile, Schema
    from retraining.settings import Settings
    from retraining.sources import Source


class Project:
    """A project's settings, folders, registry, tables and clock. Nothing in it changes.

    The registry and the tables are opened, and the heavy packages with them, when first asked for.

    Attributes:
        sources: what is asked for new rows before the gate.
        open_tables: where typed copies of files are kept, if not in `.retraining/`.
        terminal: where a person watches long steps.
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
    ) -> None:
        self.settings = settings
        self.state = state
        self.inbox = inbox
        self.open_registry = open_registry
        self.now = now
        self.sources = sources
        self.open_tables = open_tables
        self.terminal = terminal

    @classmethod
    def open(cls, settings: Settings, *, read_only: bool = False, **more: Any) -> Self:
        """A project on the real clock, folders and registry; a read-only one changes none of them.

        `more` are fields of the kind of project that is opened.
        """
        if read_only:
            return cls._read_only(settings, **more)
        state = LocalState(settings.state_dir)
        return cls(
            settings,
            state,
            Inbox(settings, state),
            partial(_registry_of, settings),
            utc_now,
            sources_of(settings),
            **more,
        )

    def under(self, settings: Settings) -> Project:
        """The same folders, registry and tables under other settings."""
        return Project(
            settings,
            self.state,
            self.inbox,
            self.open_registry,
            self.now,
            self.sources,
            self.open_tables,
            self.terminal,
        )

    @classmethod
    def _read_only(cls, settings: Settings, **more: Any) -> Self:
        from retraining.inbox.read_only import ReadOnlyInbox

        state = ReadOnlyState(settings.state_dir)
        inbox = ReadOnlyInbox(settings, state)
        return cls(settings, state, inbox, partial(_read_only_registry, settings), utc_now, **more)

    @cached_property
    def registry(self) -> Registry:
        """The model registry."""
        return self.open_registry()

    @cached_property
    def tables(self) -> TableStore:
        """Typed tables of data files."""
        if self.open_tables is not None:
            return self.open_tables()
        from retraining.datasets import TableStore

        return TableStore(writable_or_own(self.state.folder / "tables"), self.settings)

    @cached_property
    def deciding(self) -> str:
        """The digest of the deciding settings and of the recipe: files are judged under it."""
        return deciding_digest(self.settings)

    def tables_of(self, files: Sequence[DataFile], schema: Schema) -> Iterator[pa.Table]:
        """Tables of files in order, one at a time; a terminal shows how far that is."""
        tables = self.tables.tables_many(files, schema)
        if self.terminal is None:
            return tables
        from retraining.console.progress import watched

        return watched(tables, len(files), "files", self.terminal)


def utc_now() -> datetime:
    """The time, aware."""
    from datetime import UTC, datetime

    return datetime.now(UTC)


def _registry_of(settings: Settings) -> Registry:
    """The project's registry on MLflow."""
    from retraining.model_registry.mlflow_registry import MlflowRegistry

    return MlflowRegistry(settings)


def _read_only_registry(settings: Settings) -> Registry:
    """The same; what is written to it goes nowhere."""
    from retraining.model_registry.dry_run import ReadOnlyRegistry

    return cast("Registry", ReadOnlyRegistry(_registry_of(settings)))
