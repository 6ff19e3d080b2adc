"""Which documents an export looks at: the newest only, or all of them where something came late or was deleted.

What was exported long ago must cost little. A usual scan reads an index from the watermark's cut on; where all ids have to be compared
with the ledger, only the ids are read of the documents that it knows. An export that never came to its end reads whole documents, for
most of them are new.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from bson.objectid import ObjectId
from pymongo.errors import ExecutionTimeout

from retraining.sources.ledger import key_of
from retraining.sources.rows import ID

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from pymongo.collection import Collection
    from pymongo.cursor import Cursor

    from retraining.sources.connection import Patience
    from retraining.sources.ledger import Watermark

    Document = dict[str, Any]
    Documents = Iterator[Document]

AT_ONCE = 10_000  # ids in one query, about 200 kB
# All types of ids but ObjectId that drivers make. Named, because MongoDB answers `$type` from the index of `_id`, and `$not` from no index.
OTHER_TYPES = ["number", "string", "object", "binData", "bool", "date", "null", "timestamp"]

log = logging.getLogger(__name__)


def cut_at(server_time: datetime, settle_seconds: float) -> ObjectId:
    """The smallest ObjectId of `settle_seconds` before the server's time."""
    seconds = server_time.timestamp() - settle_seconds
    return ObjectId(min(max(0, int(seconds)), 2**32 - 1).to_bytes(4, "big") + bytes(8))


def scan_start(documents: Collection[Document], watermark: Watermark, patience: Patience) -> Watermark:
    """The watermark, or one that has everything looked at where the ids below it are not, or may not be, those that were counted."""
    if watermark.cut is None:
        return watermark
    try:
        below = documents.count_documents({ID: {"$lt": watermark.cut}}, maxTimeMS=patience.count)
    except ExecutionTimeout:
        below = None
    if below is not None and below == watermark.below:
        return watermark
    log.info("MongoDB: documents came late, were deleted or are too many to count; every _id is compared with those delivered")
    return replace(watermark, cut=None, below=None)


@dataclass
class Scan:
    """The documents from `start` on in the order of their ids; where `ids_first`, less those that are `known`.

    `below` counts the ObjectIds below `cut`: those below the start, and those looked at since. What commits behind the back of the
    scan is not in it, so the next start finds another count.
    """

    documents: Collection[Document]
    start: Watermark
    cut: ObjectId
    known: set[bytes]
    ids_first: bool
    below: int = 0

    def __iter__(self) -> Documents:
        """Look at the documents; to be done once."""
        self.below = self.start.below or 0
        if self.start.cut is None:
            return self._unknown() if self.ids_first else self._looked_at({})
        # A comparison with an ObjectId sees ObjectIds only.
        return self._looked_at({"$or": [{ID: {"$gte": self.start.cut}}, {ID: {"$type": OTHER_TYPES}}]})

    def _unknown(self) -> Documents:
        ids = (found[ID] for found in self._looked_at({}, [ID]))
        unknown = (_id for _id in ids if key_of(_id) not in self.known)
        while some := list(islice(unknown, AT_ONCE)):
            yield from _read(self.documents.find({ID: {"$in": some}}))

    def _looked_at(self, query: Mapping[str, Any], fields: list[str] | None = None) -> Documents:
        for document in _read(self.documents.find(query, fields)):
            self.below += isinstance(document[ID], ObjectId) and document[ID] < self.cut
            yield document


def _read(cursor: Cursor[Document]) -> Documents:
    with cursor.sort(ID, 1):
        yield from cursor
