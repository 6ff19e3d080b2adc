"""A batch becomes one file in the inbox, once, by the door that the sources use: aside, claimed,
named, marked.

The batches of all workers go through one lock of the project, so that two that bring the same id or
the same bytes see each other.
"""

from __future__ import annotations

import fcntl
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from retraining.datasets.typed_reading import read_typed
from retraining.errors import UnreadableFileError
from retraining.kill_points import kill_point
from retraining.logs import log
from retraining.prediction_log import batches
from retraining.prediction_log.batches import IngestedBatch
from retraining.records import DataFile
from retraining.serving.refusals import Refusal, unfit
from retraining.sources.outbox import Outbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from retraining.prediction_log.connection import Database
    from retraining.records import Schema
    from retraining.serving.sent_batches import SentBatch
    from retraining.settings import Settings

LOCK = "ingest.lock"


@dataclass(frozen=True)
class Ingesting:
    """Who delivers, in the outbox's terms."""

    key: str = "ingest"
    name: str = "a batch that was sent"


def ingest(
    settings: Settings, database: Database, schema: Schema, sent: SentBatch, caller: str | None
) -> tuple[IngestedBatch, bool]:
    """Deliver a batch; whether it had been delivered before.

    Raises:
        Refusal: 409 an id that is known with other content, or bytes that another batch brought;
            422 a cycle would refuse the file.
        PredictionLogError: the log cannot be reached or written; nothing was delivered, or the same
            request finishes it.
        FolderGoneError, StoreError: the inbox is missing, or cannot be written to.
    """
    with _one_at_a_time(settings):
        outbox = Outbox.of(Ingesting(), settings)
        known = batches.batch_of_id(database, settings.model_name, sent.batch_id)
        if known is not None and _is_there(known, outbox, database, settings.model_name):
            if known.content_sha256 != sent.content_sha256:
                raise Refusal(409, "other_content", "This batch_id was sent with other content.")
            return known, True
        return _deliver(settings, outbox, database, schema, sent, caller), False


def finish_what_a_dead_service_left(settings: Settings, database: Database) -> None:
    """Deliver the batches that were claimed, and remove what was only set aside.

    Raises:
        PredictionLogError, FolderGoneError: as `ingest`.
    """
    with _one_at_a_time(settings):
        outbox = Outbox.of(Ingesting(), settings)
        for batch in batches.unfinished_batches(database, settings.model_name):
            if not _is_there(batch, outbox, database, settings.model_name):
                log.warning("batch %r was lost before it was delivered", batch.batch_id)
        outbox.discard_all_aside()


def _is_there(batch: IngestedBatch, outbox: Outbox, database: Database, model_name: str) -> bool:
    """Whether a known batch was delivered, or is now.

    One whose bytes are nowhere is forgotten: nobody was told of it.
    """
    if batch.state == "delivered":
        return True
    if outbox.finish(batch):
        batches.mark_batch_delivered(database, model_name, batch)
        return True
    batches.release_batch(database, model_name, batch)
    return False


def _deliver(
    settings: Settings,
    outbox: Outbox,
    database: Database,
    schema: Schema,
    sent: SentBatch,
    caller: str | None,
) -> IngestedBatch:
    now = datetime.now(UTC)
    other = batches.batch_of_bytes(database, settings.model_name, sent.sha256)
    if other is not None and outbox.stands(other):
        words = f"The batch {other.batch_id!r} brought the same bytes."
        raise Refusal(409, "same_bytes", words)
    sha256 = outbox.set_aside(sent.content, refused=False, now=now)
    try:
        _refuse_what_a_cycle_would(outbox, sha256, schema, settings)
        batch = IngestedBatch(
            batch_id=sent.batch_id,
            content_sha256=sent.content_sha256,
            file=sent.file_name,
            sha256=sha256,
            size=len(sent.content),
            rows=sent.rows,
            prepared_at=now,
            caller=caller,
        )
        kill_point("ingest_after_aside")
        batches.claim_batch(database, settings.model_name, batch)
    except Exception:
        outbox.discard(sha256, refused=False)
        raise
    kill_point("ingest_after_claim")
    outbox.publish(batch)
    kill_point("ingest_after_rename")
    batches.mark_batch_delivered(database, settings.model_name, batch)
    kill_point("ingest_after_delivered")
    return batch


def _refuse_what_a_cycle_would(
    outbox: Outbox, sha256: str, schema: Schema, settings: Settings
) -> None:
    """Read the file as a cycle will.

    What this finds was not foreseen where the request was read, so it has no words of its own.
    """
    file = DataFile("batch.csv", sha256, outbox.path_aside(sha256, refused=False))
    try:
        facts = read_typed(file, schema, settings, _let_go)
    except UnreadableFileError as error:
        log.warning("a batch was refused: the reader of files does not take what it became")
        raise unfit("A cycle would refuse this batch: it cannot be read as a file.") from error
    if facts.unknown_labels:
        raise unfit("A cycle would refuse this batch: it has a class that production never saw.")


def _let_go(_: Any) -> None:
    """Rows that were only looked at."""


@contextmanager
def _one_at_a_time(settings: Settings) -> Iterator[None]:
    settings.state_dir.mkdir(parents=True, exist_ok=True)
    with (settings.state_dir / LOCK).open("a") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)  # let go when the file is closed, or its process dies
        yield
