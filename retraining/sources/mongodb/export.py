"""One export: documents -> rows -> files that are set aside, claimed, named and marked as
delivered, one after another.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from retraining.kill_points import kill_point
from retraining.sources.mongodb import KEY
from retraining.sources.mongodb.bson_cells import MisfitError
from retraining.sources.mongodb.ledger import Delivery, key_of
from retraining.sources.mongodb.rows import ID, refused_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

    from retraining.sources.mongodb.ledger import Ledger
    from retraining.sources.mongodb.rows import Layout
    from retraining.sources.outbox import Outbox

LARGEST_IDS = 8_000_000  # bytes of ids in one delivery: its record must stay under MongoDB's 16 MB
LARGEST_FILE = 64_000_000  # characters gathered in memory before a file is closed early
PAUSE = 0.05  # seconds until the ledger is looked at again after another exporter was first


@dataclass(frozen=True)
class Item:
    """A document on its way: its id, the key of it, and its cells.

    A refused one has its line of JSON as the only cell.
    """

    id: Any
    key: bytes
    cells: tuple[str, ...]


@dataclass
class Pending:
    """What is gathered for the next file."""

    refused: bool
    items: list[Item] = field(default_factory=list)
    id_bytes: int = 0
    characters: int = 0

    def add(self, item: Item) -> None:
        """Gather one more."""
        self.items.append(item)
        self.id_bytes += len(item.key)
        self.characters += sum(map(len, item.cells))

    def leave_out(self, known: set[bytes]) -> None:
        """Forget what others claimed since it was gathered."""
        kept = [item for item in self.items if item.key not in known]
        self.clear()
        for item in kept:
            self.add(item)

    def clear(self) -> None:
        """Begin the next file."""
        self.items, self.id_bytes, self.characters = [], 0, 0

    def is_full(self, rows: int) -> bool:
        """Whether the file should be closed."""
        return (
            len(self.items) >= rows
            or self.id_bytes >= LARGEST_IDS
            or self.characters >= LARGEST_FILE
        )


@dataclass(frozen=True)
class Export:
    """Where an export writes and what it remembers of the ledger: the keys of the ids, and the
    SHA-256 of the files.

    `rows` is the number of rows in a full file.
    """

    ledger: Ledger
    outbox: Outbox
    known: set[bytes]
    digests: set[str]
    layout: Layout
    rows: int
    owner: str
    clock: Callable[[], datetime]

    def run(self, documents: Iterable[Mapping[str, Any]]) -> list[Delivery]:
        """Deliver the documents in full files, then the rest in a smaller one."""
        delivered: list[Delivery] = []
        fitting, refused = Pending(refused=False), Pending(refused=True)
        for document in documents:
            key = key_of(document[ID])
            if key in self.known:
                continue
            try:
                pending, cells = fitting, self.layout.row(document)
            except MisfitError as misfit:
                pending, cells = refused, (refused_line(document, str(misfit)),)
            pending.add(Item(document[ID], key, cells))
            if pending.is_full(self.rows):
                delivered += self._deliver(pending)
        for pending in (fitting, refused):
            while pending.items:
                delivered += self._deliver(pending)
        return delivered

    def _deliver(self, pending: Pending) -> list[Delivery]:
        """One file.

        None where another exporter claimed first: what it left of these documents stays pending.
        """
        pending.leave_out(self.known)
        if not pending.items:
            return []
        content = self._content(pending)
        sha256 = self.outbox.set_aside(content, refused=pending.refused, now=self.clock())
        kill_point("mongodb_after_aside")
        delivery = self.ledger.claim(self._delivery(pending, sha256, len(content)))
        if delivery is None:
            self.outbox.discard(sha256, refused=pending.refused)
            time.sleep(PAUSE)
            self.known.update(self.ledger.claimed_since())
            return []
        pending.clear()
        self.digests.add(sha256)
        kill_point("mongodb_after_claim")
        self.outbox.publish(delivery)
        kill_point("mongodb_after_rename")
        self.ledger.mark_delivered(delivery, self.clock())
        kill_point("mongodb_after_delivered")
        return [delivery]

    def _content(self, pending: Pending) -> bytes:
        if pending.refused:
            return "".join(f"{item.cells[0]}\n" for item in pending.items).encode()
        rows = [item.cells for item in pending.items]
        content = self.layout.file(rows)
        if hashlib.sha256(content).hexdigest() in self.digests:
            # Other documents with the same values: without their ids the inbox would take the file
            # for a copy.
            content = self.layout.file(rows, [item.id for item in pending.items])
        return content

    def _delivery(self, pending: Pending, sha256: str, size: int) -> Delivery:
        suffix = "jsonl" if pending.refused else "csv"
        ids = tuple(item.id for item in pending.items)
        return Delivery(
            0, f"{KEY}.{suffix}", sha256, size, pending.refused, ids, self.owner, self.clock()
        )
