"""A second source, as small as one can be: rows in a sqlite file of the project, exported three to
a file.

`SOURCES` names this module in the tests, so all that the product knows of it stands there.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from retraining.errors import UnreachableError
from retraining.kill_points import kill_point
from retraining.sources import Fetched, Finding
from retraining.sources.outbox import Outbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from retraining.records import Schema
    from retraining.settings import Settings
    from retraining.sources import Clock

ROWS_PER_FILE = 3
TABLES = """
CREATE TABLE IF NOT EXISTS letters (id INTEGER PRIMARY KEY, line TEXT, file TEXT);
CREATE TABLE IF NOT EXISTS files (
    file TEXT PRIMARY KEY, sha256 TEXT, size INTEGER, prepared_at TEXT, delivered INTEGER
);
"""


@dataclass(frozen=True)
class Envelope:
    """A file, as it was claimed."""

    file: str
    sha256: str
    size: int
    prepared_at: datetime
    refused: bool = False
    reason: str = ""


@dataclass(frozen=True)
class Postbox:
    settings: Settings
    key: str = "postbox"
    name: str = "the postbox"
    needs_schema: bool = False

    @property
    def path(self) -> Path:
        return self.settings.project / "postbox.db"

    def post(self, header: str, lines: list[str]) -> None:
        """What the world does: put rows in."""
        with self._opened() as letters, letters:
            letters.execute("INSERT OR REPLACE INTO letters VALUES (0, ?, 'header')", (header,))
            letters.executemany(
                "INSERT INTO letters (line) VALUES (?)", [(line,) for line in lines]
            )

    def has_news(self, schema: Schema | None, clock: Clock) -> bool:
        return self.path.exists()

    def fetch(self, schema: Schema | None, clock: Clock) -> Fetched:
        outbox = Outbox.of(self, self.settings)
        files, rows = [], 0
        with self._opened() as letters:
            self._finish_what_a_dead_export_left(letters, outbox)
            while chosen := self._not_claimed(letters):
                envelope = self._set_aside(letters, outbox, chosen, clock())
                kill_point("postbox_aside")
                self._claim(letters, envelope, [number for number, _ in chosen])
                kill_point("postbox_claimed")
                outbox.publish(envelope)
                kill_point("postbox_named")
                self._mark_delivered(letters, envelope.file)
                files.append(envelope.file)
                rows += len(chosen)
        return Fetched(tuple(files), rows)

    def findings(self, schema: Schema | None) -> Iterator[Finding]:
        with self._opened() as letters:
            if not letters.execute("SELECT 1 FROM letters").fetchone():
                yield Finding("The postbox is empty.", "Post something.")

    def _finish_what_a_dead_export_left(self, letters: sqlite3.Connection, outbox: Outbox) -> None:
        unfinished = letters.execute(
            "SELECT file, sha256, size, prepared_at FROM files WHERE NOT delivered"
        ).fetchall()
        for file, sha256, size, prepared_at in unfinished:
            envelope = Envelope(file, sha256, size, datetime.fromisoformat(prepared_at))
            if outbox.finish(envelope):
                self._mark_delivered(letters, file)
                continue
            with letters:
                letters.execute("UPDATE letters SET file = NULL WHERE file = ?", (file,))
                letters.execute("DELETE FROM files WHERE file = ?", (file,))
        outbox.discard_all_aside()

    def _not_claimed(self, letters: sqlite3.Connection) -> list[tuple[int, str]]:
        return letters.execute(
            "SELECT id, line FROM letters WHERE file IS NULL ORDER BY id LIMIT ?", (ROWS_PER_FILE,)
        ).fetchall()

    def _set_aside(
        self,
        letters: sqlite3.Connection,
        outbox: Outbox,
        chosen: list[tuple[int, str]],
        now: datetime,
    ) -> Envelope:
        [header] = letters.execute("SELECT line FROM letters WHERE id = 0").fetchone()
        content = "\n".join([header, *(line for _, line in chosen), ""]).encode()
        sha256 = outbox.set_aside(content, refused=False, now=now)
        return Envelope(f"{self.key}-{sha256[:12]}.csv", sha256, len(content), now)

    def _claim(self, letters: sqlite3.Connection, envelope: Envelope, numbers: list[int]) -> None:
        with letters:  # one transaction
            letters.executemany(
                "UPDATE letters SET file = ? WHERE id = ?",
                [(envelope.file, number) for number in numbers],
            )
            letters.execute(
                "INSERT INTO files VALUES (?, ?, ?, ?, 0)",
                (
                    envelope.file,
                    envelope.sha256,
                    envelope.size,
                    envelope.prepared_at.isoformat(),
                ),
            )

    def _mark_delivered(self, letters: sqlite3.Connection, file: str) -> None:
        with letters:
            letters.execute("UPDATE files SET delivered = 1 WHERE file = ?", (file,))

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        if self.path.is_dir():
            raise UnreachableError("The postbox is no file.", remedy="Make it one.")
        with closing(sqlite3.connect(self.path)) as letters:
            letters.executescript(TABLES)
            yield letters


def open_source(settings: Settings) -> Postbox:
    return Postbox(settings)
