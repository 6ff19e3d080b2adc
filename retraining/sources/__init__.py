"""Sources: they put rows of a database or a log into the inbox, as files.

Standard library only, because every start loads this.

A *source* holds rows of its own. Before the gate is asked it exports the new ones as files into the
inbox, each row exactly once, whatever is killed when. From there on they are files like any other:
nobody asks later where a file came from, so `forget` needs nothing of a source. A file that was
delivered stays delivered, whatever becomes of it.

To add a source:

1. Declare its settings in `settings.py`, `.env.example` and the table of `docs/reference.md`.
2. Give it a room here, such as `sources/mongodb/`, whose `__init__` holds an `open_source`. What
   loads a driver is imported by the methods that need it, never by the room.
3. Write the files through `outbox.Outbox`, in the order that its docstring tells. What it notes of
   them lies beside its rows or in the project, never in `.retraining/`, which people may delete.
4. Name the room in `SOURCES`. Cycle and commands ask every source of that table and know none of
   them by name.
5. Test it as `tests/sources/test_any_source.py` does with `tests/sources/postbox.py`, the smallest
   whole source. Each `kill_point` of it is named by a test.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple, Protocol, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from retraining.records import Schema
    from retraining.settings import Settings

    Clock = Callable[[], datetime]  # the time now, aware
    Opener = Callable[[Settings], "Source | None"]

# Room -> the settings without which it has nothing to do. It is imported only where they are all
# set: a closed gate pays for no other.
SOURCES: dict[str, tuple[str, ...]] = {
    "retraining.sources.mongodb": ("mongo_uri", "database_name", "collection_name"),
    "retraining.sources.predictions": ("has_prediction_log",),
}


class Fetched(NamedTuple):
    """What an export delivered: names in the inbox, rows in them, and rows that were refused into
    quarantine.
    """

    files: tuple[str, ...] = ()
    rows: int = 0
    refused: int = 0


class Finding(NamedTuple):
    """A problem of a source that can be reached, for `check`.

    `code` is the one that a cycle would end with (0: a warning).
    """

    what: str
    remedy: str
    code: int = 0


class Source(Protocol):
    """Where rows come from.

    Making one reads nothing and connects to nothing; every method begins anew.
    """

    @property
    def key(self) -> str:
        """One lower-case word: its files are named by it, `mongodb-00000001-<digest>.csv`.

        No two sources share one.
        """

    @property
    def name(self) -> str:
        """What people call it, in messages: `MongoDB`."""

    @property
    def needs_schema(self) -> bool:
        """Whether it exports nothing without a schema: then the registry is asked where this
        machine has not noted it.
        """

    def has_news(self, schema: Schema | None, clock: Clock) -> bool:
        """Whether an export could find anything. `schema` and `clock` are as in `fetch`.

        Every start asks, also one whose gate stays closed. So it is answered in about a millisecond
        by the standard library, or with True where only a connection could tell. An error counts as
        news: `fetch` will raise it with its remedy.
        """

    def fetch(self, schema: Schema | None, clock: Clock) -> Fetched:
        """Export the rows that no export has delivered yet, and first finish what a dead export
        left.

        Args:
            schema: the production version's; None before there is one.
            clock: the time now, aware.

        Raises:
            UnreachableError: it cannot be reached, or went away; what was delivered before stays
                delivered.
            CredentialsRefusedError: it refused the user. After either of the two the cycle goes on
                with the files at hand, and the start ends with the error's code.
            FolderGoneError, StoreError: a folder is missing, or cannot be written to; these end the
            start.
        """

    def findings(self, schema: Schema | None) -> Iterable[Finding]:
        """Problems of the source, for `check`; writes nothing. Raises as `fetch` would."""


def sources_of(settings: Settings) -> tuple[Source, ...]:
    """The sources that a project's settings ask for, in the order of the table.

    Raises:
        SettingsError: a source cannot be what its settings say.
    """
    wanted = [room for room, names in SOURCES.items() if _all_set(settings, names)]
    openers = [cast("Opener", import_module(room).open_source) for room in wanted]
    opened = [open_source(settings) for open_source in openers]
    return tuple(source for source in opened if source is not None)


def _all_set(settings: Settings, names: Iterable[str]) -> bool:
    return all(getattr(settings, name) for name in names)
