"""Which documents an export looks at: those from the watermark on, or from the first that came
later than that.

What was exported long ago must cost little: it is counted by the server, and where the count
differs its ids are compared with the ledger. Whole documents are read from an index, beginning at
the first one that is new.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from bson.objectid import ObjectId
from pymongo.errors import ExecutionTimeout

from retraining.sources.mongodb.ledger import key_of
from retraining.sources.mongodb.rows import ID

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from pymongo.collection import Collection
    from pymongo.cursor import Cursor

    from retraining.sources.mongodb.connection import Patience
    from retraining.sources.mongodb.ledger import Ledger, Watermark

    Document = dict[str, Any]
    Documents = Iterator[Document]

AT_ONCE = 500  # ids in one query
# All types of ids but ObjectId that drivers make. Named, because MongoDB answers `$type` from the
# index of `_id`, and `$not` from no index.
OTHER_TYPES = ["number", "string", "object", "binData", "bool", "date", "null", "timestamp"]

log = logging.getLogger(__name__)


def cut_at(server_time: datetime, settle_seconds: float) -> ObjectId:
    """The smallest ObjectId of `settle_seconds` before the server's time."""
    seconds = int(server_time.timestamp() - settle_seconds)
    in_four_bytes = min(max(0, seconds), 2**32 - 1)
    return ObjectId(in_four_bytes.to_bytes(4, "big") + bytes(8))


def scan_start(
    documents: Collection[Document], ledger: Ledger, watermark: Watermark, patience: Patience
) -> Watermark:
    """The watermark, or one with an earlier cut where documents below it are not in the ledger."""
    if watermark.cut is None:
        return watermark
    older = {ID: {"$lt": watermark.cut}}  # a comparison with an ObjectId sees ObjectIds only
    try:
        if documents.count_documents(older, maxTimeMS=patience.count) == watermark.below:
            return watermark
        log.info(
            "MongoDB: documents came late or were deleted; every _id is compared with those"
            " delivered"
        )
    except ExecutionTimeout:
        log.info("MongoDB: too many documents to count; every _id is compared with those delivered")
    known, below = ledger.known(replace(watermark, cut=None)), 0
    for below, document in enumerate(_read(documents.find(older, [ID])), start=1):
        if key_of(document[ID]) not in known:
            return replace(watermark, cut=document[ID], below=below - 1)
    return replace(watermark, below=below)


@dataclass
class Scan:
    """The documents from `start` on in the order of their ids, and those without a time in their
    ids that are not `known`.

    `below` counts the ObjectIds below `cut`: those below the start, and those looked at since. What
    commits behind the back of the scan is not in it, so the next start finds another count.
    """

    documents: Collection[Document]
    start: Watermark
    cut: ObjectId
    known: set[bytes]
    below: int = 0

    def __iter__(self) -> Documents:
        """Look at the documents; to be done once."""
        self.below = self.start.below or 0
        if self.start.cut is None:
            return self._looked_at({})
        return chain(self._looked_at({ID: {"$gte": self.start.cut}}), self._unknown_without_time())

    def _looked_at(self, query: Mapping[str, Any]) -> Documents:
        for document in _read(self.documents.find(query)):
            self.below += isinstance(document[ID], ObjectId) and document[ID] < self.cut
            yield document

    def _unknown_without_time(self) -> Documents:
        ids = (
            found[ID] for found in _read(self.documents.find({ID: {"$type": OTHER_TYPES}}, [ID]))
        )
        unknown = (_id for _id in ids if key_of(_id) not in self.known)
        while some := list(islice(unknown, AT_ONCE)):
            yield from _read(self.documents.find({ID: {"$in": some}}))


def _read(cursor: Cursor[Document]) -> Documents:
    with cursor.sort(ID, 1):
        yield from cursor
