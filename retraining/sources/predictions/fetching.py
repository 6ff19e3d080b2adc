"""One export of labelled predictions: rows -> a file set aside -> claimed in the log -> named ->
marked, one file after another.

A row leaves once, with the label that stood when it was claimed. What a dead export left is
finished or given back first, by the digest of its file: see `sources/outbox.py`.
"""

from __future__ import annotations

import logging
import socket
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING

from retraining.errors import SettingsError
from retraining.kill_points import kill_point
from retraining.prediction_log import exports
from retraining.prediction_log.connection import JOB, open_database
from retraining.prediction_log.exports import FileAside
from retraining.prediction_log.layout import ensure_layout, layout_of
from retraining.prediction_log.ready import ready_rows
from retraining.sources import Fetched
from retraining.sources.outbox import Outbox
from retraining.sources.predictions.files import SUFFIX, file_of
from retraining.sources.predictions.waiting import waits_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from retraining.prediction_log.connection import Database
    from retraining.prediction_log.exports import PreparedExport
    from retraining.prediction_log.ready import ReadyRow
    from retraining.prediction_log.waits import Waits
    from retraining.records import Schema
    from retraining.settings import Settings
    from retraining.sources import Clock
    from retraining.sources.predictions import Predictions

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ClaimedFile:
    """A prepared export, in the outbox's terms: nothing of it is ever refused."""

    file: str
    sha256: str
    size: int
    prepared_at: datetime
    refused: bool = False
    reason: str = ""

    @classmethod
    def of(cls, export: PreparedExport, now: datetime) -> ClaimedFile:
        """The file of an export."""
        return cls(export.file, export.sha256, export.size, now)


def fetch(source: Predictions, schema: Schema | None, clock: Clock) -> Fetched:
    """Export the labelled rows that are ready, in full files, and in one that is not full once it
    has waited long enough.

    Raises:
        UnreachableError: the log cannot be reached; what was delivered before stays delivered.
        SettingsError: LABEL_IF_SILENT names no class of the production version.
        FolderGoneError, StoreError: a folder is missing, or cannot be written to.
    """
    settings = source.settings
    outbox = Outbox.of(source, settings)
    database = open_database(settings.prediction_log_uri, JOB)
    try:
        if layout_of(database) is None:
            return Fetched()
        ensure_layout(database)
        export = Export(settings, database, outbox, clock)
        export.finish_what_a_dead_one_left()
        if schema is None:
            return Fetched()
        waits = waits_of(settings, schema)
        if waits is None:
            raise no_such_class(settings, schema)
        return export.run(schema, waits)
    finally:
        database.close()


def owner_of(settings: Settings) -> str:
    """Who exports: the machine and the project's folder."""
    return f"{socket.gethostname()}:{settings.project}"


def no_such_class(settings: Settings, schema: Schema) -> SettingsError:
    """What silence means must be a class."""
    known = ", ".join(map(str, schema.classes[:10]))
    problem = f"LABEL_IF_SILENT: {settings.label_if_silent!r} is no class of production ({known})"
    return SettingsError((problem,), where=str(settings.project))


@dataclass(frozen=True)
class Export:
    """Where an export reads and writes."""

    settings: Settings
    database: Database
    outbox: Outbox
    clock: Clock

    def run(self, schema: Schema, waits: Waits) -> Fetched:
        """Deliver file after file, until the rows that are left wait for company."""
        files: list[str] = []
        rows = 0
        while batch := self._next(waits):
            delivered = self._deliver(batch, schema)
            if delivered is not None:
                files.append(delivered.file)
                rows += delivered.rows
        return Fetched(tuple(files), rows)

    def _next(self, waits: Waits) -> Sequence[ReadyRow]:
        now = self.clock()
        with self.database.reading() as connection:
            found = ready_rows(connection, self.settings.model_name, waits, now)
        leaves = waits.lets_a_file_leave([row.ready_since for row in found], now)
        return found if leaves else ()

    def _deliver(self, rows: Sequence[ReadyRow], schema: Schema) -> PreparedExport | None:
        """One file.

        None where a row left or a label changed while it was written: it is written again.
        """
        model, now = self.settings.model_name, self.clock()
        content = file_of(rows, schema)
        sha256 = self.outbox.set_aside(content, refused=False, now=now)
        kill_point("predictions_after_aside")
        aside = FileAside(self.outbox.key, SUFFIX, sha256, len(content), self._owner)
        prepared = exports.claim(self.database, model, aside, rows, now.astimezone(UTC))
        if prepared is None:
            self.outbox.discard(sha256, refused=False)
            return None
        kill_point("predictions_after_claim")
        self.outbox.publish(ClaimedFile.of(prepared, now))
        kill_point("predictions_after_rename")
        exports.mark_delivered(self.database, model, prepared, self.clock())
        kill_point("predictions_after_delivered")
        return prepared

    def finish_what_a_dead_one_left(self) -> None:
        """Deliver what was claimed here, give back what was lost here, and leave what another
        machine claimed.
        """
        model = self.settings.model_name
        for export in exports.unfinished(self.database, model):
            if self.outbox.finish(ClaimedFile.of(export, self.clock())):
                exports.mark_delivered(self.database, model, export, self.clock())
            elif self.database.is_sqlite or export.owner == self._owner:
                exports.release(self.database, model, export)
                log.warning(
                    "%s was lost before it was delivered; its rows are exported again", export.file
                )
            else:
                words = "%d labelled predictions (%s) wait for %s to deliver them"
                log.warning(words, export.rows, export.file, export.owner)
        self.outbox.discard_all_aside()

    @property
    def _owner(self) -> str:
        return owner_of(self.settings)
