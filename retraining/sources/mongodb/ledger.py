"""What was exported, kept in the database beside the documents: `<COLLECTION_NAME>_retraining`.

There, neither a second machine, a restored disk nor a deleted `.retraining/` can lead to a second
delivery. One model has one ledger; two models may feed from one collection, and each gets every
document. It holds

- one record a delivery: number, file, SHA-256 and the `_id` of every document in it. A delivery is
  *claimed* when its record is inserted, in state `prepared`, and it is `delivered` once its file
  has its name. Numbers are never used twice: who inserts number n has seen every record before it,
  so no document is claimed by two exporters, however many run at once.
- the watermark: ids below `cut` were all looked at, when there were `below` of them. It also lists
  the deliveries that were released: their bytes were lost before they were delivered, and their
  documents are exported again.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import bson
from bson.objectid import ObjectId
from pymongo.errors import DuplicateKeyError

from retraining.folders.file_moves import exported_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pymongo.collection import Collection


@dataclass(frozen=True)
class Delivery:
    """A file with the documents that are in it.

    `owner` says on which machine, for which project, it was prepared.
    """

    number: int
    file: str
    sha256: str
    size: int  # bytes
    refused: bool  # a file of refused documents, for quarantine
    ids: tuple[Any, ...]
    owner: str
    prepared_at: datetime

    @property
    def reason(self) -> str:
        """Why the documents are refused."""
        return (
            f"{len(self.ids)} documents of MongoDB do not fit the columns; each line has its own"
            " reason"
        )


@dataclass(frozen=True)
class Watermark:
    """How far the collection was exported.

    `cut` None means that every document has to be looked at again.
    """

    revision: int
    cut: ObjectId | None = None
    below: int | None = None
    released: frozenset[int] = frozenset()
    columns: tuple[str, ...] = ()  # those of exports made without a schema


class Ledger:
    """The records of one model.

    `last` is the highest number that this object has seen, `last_owner` who delivered under it
    then.
    """

    def __init__(self, collection: Collection[dict[str, Any]], model: str) -> None:
        self._records = collection
        self._model = model
        self._watermark_id = f"{model}:watermark"
        self.last = 0
        self.last_owner: str | None = None

    def open(self) -> Watermark:
        """Make the ledger where there is none; returns its watermark."""
        for field in ("state", "newest", "timeless"):
            self._records.create_index([("model", 1), (field, 1)])
        # the digests are read from it alone
        self._records.create_index([("model", 1), ("number", 1), ("sha256", 1)])
        with suppress(DuplicateKeyError):
            self._records.insert_one(
                {
                    "_id": self._watermark_id,
                    "revision": 0,
                    "cut": None,
                    "below": None,
                    "released": [],
                }
            )
        return self.watermark()

    def is_there(self) -> bool:
        """Whether any export was begun."""
        return self._records.find_one({"_id": self._watermark_id}, {"_id": 1}) is not None

    def watermark(self) -> Watermark:
        """The watermark as it is now."""
        document: Mapping[str, Any] = self._records.find_one({"_id": self._watermark_id}) or {
            "revision": 0
        }
        released = frozenset(document.get("released") or ())
        columns = tuple(document.get("columns") or ())
        return Watermark(
            document["revision"], document.get("cut"), document.get("below"), released, columns
        )

    def advance(self, seen: Watermark, cut: ObjectId, below: int) -> bool:
        """Move the watermark.

        False where somebody else moved it, or released a delivery, since it was `seen`.
        """
        change = {"$set": {"cut": cut, "below": below}, "$inc": {"revision": 1}}
        answer = self._records.update_one(
            {"_id": self._watermark_id, "revision": seen.revision}, change
        )
        return bool(answer.matched_count)

    def keep_columns(self, columns: Iterable[str]) -> None:
        """Remember the columns of exports made without a schema."""
        self._records.update_one({"_id": self._watermark_id}, {"$set": {"columns": list(columns)}})

    def release(self, delivery: Delivery) -> None:
        """Give the documents of a delivery back, and have the next scan look at all ids.

        One update, so it cannot be half done.
        """
        change = {
            "$push": {"released": delivery.number},
            "$set": {"cut": None, "below": None},
            "$inc": {"revision": 1},
        }
        self._records.update_one({"_id": self._watermark_id}, change)

    def unfinished(self, released: frozenset[int]) -> tuple[Delivery, ...]:
        """The deliveries that were claimed and not marked as delivered, oldest first."""
        found = self._records.find({"model": self._model, "state": "prepared"})
        deliveries = (_delivery(record) for record in found if record["number"] not in released)
        return tuple(sorted(deliveries, key=lambda delivery: delivery.number))

    def known(self, watermark: Watermark) -> set[bytes]:
        """The keys of all claimed ids that a scan from the watermark can meet.

        Sets `last` and `last_owner`.
        """
        newest = self._records.find_one(
            {"model": self._model}, {"number": 1, "owner": 1}, sort=[("number", -1)]
        )
        # read first: a claim after this look stands in the way of ours
        self.last, self.last_owner = (newest["number"], newest["owner"]) if newest else (0, None)
        query: dict[str, Any] = {"model": self._model}
        if watermark.cut is not None:
            query = {
                "$or": [{**query, "newest": {"$gte": watermark.cut}}, {**query, "timeless": True}]
            }
        records = self._records.find(query, {"number": 1, "ids": 1})
        return {
            key_of(_id)
            for record in records
            if record["number"] not in watermark.released
            for _id in record["ids"]
        }

    def claimed_since(self) -> set[bytes]:
        """The keys of the ids that others claimed since the last look. Moves `last`."""
        keys: set[bytes] = set()
        query = {"model": self._model, "number": {"$gt": self.last}}
        for record in self._records.find(query, {"number": 1, "ids": 1}).sort("number", 1):
            if record["number"] != self.last + 1:
                break  # a cursor is no snapshot: it may show a record and not the one before it
            self.last = record["number"]
            keys.update(map(key_of, record["ids"]))
        return keys

    def digests(self, released: frozenset[int]) -> set[str]:
        """The SHA-256 of every file that was claimed."""
        found = self._records.find({"model": self._model}, {"_id": 0, "number": 1, "sha256": 1})
        return {record["sha256"] for record in found if record["number"] not in released}

    def claim(self, delivery: Delivery) -> Delivery | None:
        """Claim the documents of a delivery under the next number.

        None where another exporter was first.
        """
        number = self.last + 1
        stem, _, suffix = delivery.file.partition(".")
        name = exported_name(stem, number, delivery.sha256, suffix)
        numbered = replace(delivery, number=number, file=name)
        try:
            self._records.insert_one(_record(self._model, numbered))
        except DuplicateKeyError:
            return None
        self.last = number
        return numbered

    def mark_delivered(self, delivery: Delivery, now: datetime) -> None:
        """Record that the file has its name."""
        change = {"$set": {"state": "delivered", "delivered_at": now}}
        self._records.update_one({"_id": _record_id(self._model, delivery.number)}, change)


def key_of(value: Any) -> bytes:
    """A hashable key of any `_id`, equal for equal ids only."""
    return bytes(bson.encode({"": value}))


def _record_id(model: str, number: int) -> str:
    return f"{model}:{number:08d}"


def _record(model: str, delivery: Delivery) -> dict[str, Any]:
    object_ids = [_id for _id in delivery.ids if isinstance(_id, ObjectId)]
    return {
        "_id": _record_id(model, delivery.number),
        "model": model,
        "number": delivery.number,
        "state": "prepared",
        "file": delivery.file,
        "sha256": delivery.sha256,
        "size": delivery.size,
        "refused": delivery.refused,
        "newest": max(object_ids, default=None),
        "timeless": len(object_ids) < len(delivery.ids),
        "owner": delivery.owner,
        "prepared_at": delivery.prepared_at,
        "ids": list(delivery.ids),
    }


def _delivery(record: Mapping[str, Any]) -> Delivery:
    names = ("number", "file", "sha256", "size", "refused", "owner")
    prepared_at = record["prepared_at"].replace(tzinfo=UTC)
    return Delivery(
        **{name: record[name] for name in names}, ids=tuple(record["ids"]), prepared_at=prepared_at
    )
