"""An export from MongoDB: every new document becomes a row of exactly one file in the inbox, or a
line of one in quarantine.

The order of `outbox` makes that hold after a crash at any point: documents are claimed in the
ledger, and last the watermark moves.

ObjectIds do not arrive in their order: writers' clocks differ and inserts commit late. So a scan
begins `MONGO_SETTLE_SECONDS` before the last one, leaving out what the ledger knows, and the ids
below that are counted: a count that changed means that something came even later, or was deleted,
and has every id compared with the ledger. Ids that are no ObjectIds have no time and are always
compared.
"""

from __future__ import annotations

import logging
import socket
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from retraining.kill_points import kill_point
from retraining.sources import Fetched
from retraining.sources.mongodb import MongoDB
from retraining.sources.mongodb.connection import Patience, connected
from retraining.sources.mongodb.export import Export
from retraining.sources.mongodb.ledger import Ledger
from retraining.sources.mongodb.rows import columns_found, layout_of, layout_without_schema
from retraining.sources.mongodb.scan import Scan, cut_at, scan_start
from retraining.sources.outbox import Outbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from retraining.records import Schema
    from retraining.settings import Settings
    from retraining.sources import Clock
    from retraining.sources.mongodb.connection import Collections
    from retraining.sources.mongodb.ledger import Delivery, Watermark
    from retraining.sources.mongodb.rows import Layout

    Documents = Iterator[dict[str, Any]]

log = logging.getLogger(__name__)


def fetch(
    settings: Settings,
    schema: Schema | None,
    *,
    clock: Clock,
    patience: Patience | None = None,
) -> Fetched:
    """Export the documents that no export has delivered yet.

    Args:
        settings: where MongoDB is, and how files are written.
        schema: the production version's; None before there is one: the scalar fields of the first
            documents are the columns.
        clock: the time now, aware.
        patience: how long the server is waited for.

    Raises:
        UnreachableError: the server cannot be reached or went away; what was delivered before stays
            delivered.
        CredentialsRefusedError: the server refused the user, or the user may not write the ledger.
        FolderGoneError, StoreError: a folder is missing, or cannot be written to.
    """
    outbox = Outbox.of(MongoDB(settings), settings)
    owner = f"{socket.gethostname()}:{settings.project}"
    patience = patience or Patience()
    with connected(settings, patience) as collections:
        ledger = Ledger(collections.ledger, settings.model_name)
        # most likely a wrong name, under which nothing should be made
        if collections.is_empty and not ledger.is_there():
            log.warning("%s", nothing_there(settings))
            return Fetched()
        finish_what_a_dead_export_left(ledger, outbox, owner=owner, clock=clock)
        deliveries = _export_new_documents(
            settings,
            schema,
            collections,
            ledger,
            outbox,
            owner=owner,
            clock=clock,
            patience=patience,
        )
    return _summary(deliveries)


def _export_new_documents(
    settings: Settings,
    schema: Schema | None,
    collections: Collections,
    ledger: Ledger,
    outbox: Outbox,
    *,
    owner: str,
    clock: Clock,
    patience: Patience,
) -> list[Delivery]:
    """Deliver what the ledger does not know, then move the watermark over it.

    Without a layout nothing is delivered, and the watermark stays.
    """
    watermark = ledger.watermark()
    start = scan_start(collections.documents, ledger, watermark, patience)
    # read before the documents: who claims one of them later wins against our claim
    known = ledger.known(start)
    if ledger.last_owner not in (None, owner):
        log.info(
            "MongoDB: %s exports for the model %r too; each document goes to one of you",
            ledger.last_owner,
            settings.model_name,
        )
    cut = cut_at(collections.server_time, settings.mongo_settle_seconds)
    scan = Scan(collections.documents, start, cut, known)
    layout, documents = _layout(schema, settings, ledger, watermark, iter(scan))
    if layout is None:
        return []
    digests = ledger.digests(watermark.released)
    rows_per_file = settings.mongo_rows_per_file
    export = Export(ledger, outbox, known, digests, layout, rows_per_file, owner, clock)
    deliveries = export.run(documents)
    kill_point("mongodb_before_watermark")
    ledger.advance(watermark, scan.cut, scan.below)
    kill_point("mongodb_after_watermark")
    return deliveries


def has_documents(settings: Settings, *, patience: Patience | None = None) -> bool:
    """Whether there is anything to export; writes nothing.

    Raises:
        UnreachableError, CredentialsRefusedError, SettingsError: as `fetch` would.
    """
    with connected(settings, patience or Patience()) as collections:
        Ledger(collections.ledger, settings.model_name).is_there()
        return not collections.is_empty


def nothing_there(settings: Settings) -> str:
    """What to say of a collection without documents."""
    return (
        f"MongoDB holds no document in {settings.database_name}.{settings.collection_name}, or no"
        " such collection."
    )


def finish_what_a_dead_export_left(
    ledger: Ledger, outbox: Outbox, *, owner: str, clock: Clock
) -> None:
    """Deliver what was claimed here, give back what was lost here, and leave what another machine
    claimed.
    """
    for delivery in ledger.unfinished(ledger.open().released):
        if outbox.finish(delivery):
            ledger.mark_delivered(delivery, clock())
        elif delivery.owner == owner:
            ledger.release(delivery)
            log.warning(
                "MongoDB: the bytes of %s were lost before they were delivered; its documents are"
                " exported again",
                delivery.file,
            )
        else:
            log.warning(
                "MongoDB: %d documents (%s) wait for %s to deliver them",
                len(delivery.ids),
                delivery.file,
                delivery.owner,
            )
    outbox.discard_all_aside()


def _layout(
    schema: Schema | None,
    settings: Settings,
    ledger: Ledger,
    watermark: Watermark,
    documents: Documents,
) -> tuple[Layout | None, Documents]:
    """How the files are laid out, and the documents with those put back that were looked at for
    it.
    """
    if schema is not None:
        return layout_of(schema, settings), documents
    if watermark.columns:
        return layout_without_schema(watermark.columns, settings), documents
    first = list(islice(documents, settings.mongo_rows_per_file))
    columns = columns_found(first, settings)
    if settings.target_column not in columns:
        if first:
            log.warning(
                "MongoDB: none of the first %d documents has the field %r; nothing is exported",
                len(first),
                settings.target_column,
            )
        return None, documents
    ledger.keep_columns(columns)
    return layout_without_schema(columns, settings), chain(first, documents)


def _summary(deliveries: list[Delivery]) -> Fetched:
    files = tuple(delivery.file for delivery in deliveries if not delivery.refused)
    documents = sum(len(delivery.ids) for delivery in deliveries if not delivery.refused)
    refused = sum(len(delivery.ids) for delivery in deliveries if delivery.refused)
    if refused:
        log.warning(
            "MongoDB: %d documents do not fit the columns; see the .jsonl files in quarantine",
            refused,
        )
    return Fetched(files, documents, refused)
