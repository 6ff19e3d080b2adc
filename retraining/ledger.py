"""What past cycles left for later ones: pure functions over their records. Standard library only.

The registry holds the records; this machine keeps a copy. Nothing here is decided, only counted and
looked up.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from retraining.records import Batch, BatchFile, CycleRecord, RowRange

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from retraining.records import Manifest

REGISTERED: Final = "registered"
TEST_BATCHES = 3  # reserved blocks of this many last batches test; older ones are learned


@dataclass(frozen=True)
class Ledger:
    """The records of ended cycles, oldest first, and the files that belong to the archive (SHA-256
    -> name there).
    """

    records: tuple[CycleRecord, ...] = ()
    archive: Mapping[str, str] = field(default_factory=dict)
    withdrawn: Mapping[str, str] = field(default_factory=dict)  # SHA-256 -> why

    @property
    def next_number(self) -> int:
        """The number of the cycle that comes next."""
        return max((record.number for record in self.records), default=-1) + 1

    @property
    def cycles(self) -> tuple[CycleRecord, ...]:
        """The records of cycles, without registrations."""
        return tuple(record for record in self.records if record.ending != REGISTERED)

    @property
    def batches(self) -> tuple[Batch, ...]:
        """All batches, oldest first, without what was withdrawn."""
        remaining = (
            _without(record.batch, self.withdrawn)
            for record in self.records
            if record.batch is not None
        )
        return tuple(
            sorted((batch for batch in remaining if batch.files), key=lambda batch: batch.number)
        )

    def judged(self, deciding: str) -> frozenset[str]:
        """Digests that an earlier cycle judged under the same deciding settings and recipe."""
        return frozenset(
            sha for record in self.records if record.deciding == deciding for sha in record.judged
        )

    def known_files(self) -> dict[str, BatchFile]:
        """Every file that was ever put into a batch, with its reservation."""
        return {file.sha256: file for batch in self.batches for file in batch.files}


def _without(batch: Batch, withdrawn: Mapping[str, str]) -> Batch:
    if not any(file.sha256 in withdrawn for file in batch.files):
        return batch
    return Batch(batch.number, tuple(file for file in batch.files if file.sha256 not in withdrawn))


def last_batches(batches: Sequence[Batch], count: int = TEST_BATCHES) -> tuple[Batch, ...]:
    """The batches whose reserved blocks test now."""
    return tuple(batches[-count:])


def ranges_outside(rows: int, ranges: Iterable[RowRange]) -> tuple[RowRange, ...]:
    """The rows of a file that are in none of `ranges`, as ranges in order.

    >>> ranges_outside(10, [(2, 4), (6, 7)])
    ((0, 2), (4, 6), (7, 10))
    """
    outside, position = [], 0
    for start, stop in sorted(ranges):
        if start > position:
            outside.append((position, start))
        position = max(position, stop)
    if position < rows:
        outside.append((position, rows))
    return tuple(outside)


def ranges_overlap(one: Iterable[RowRange], other: Iterable[RowRange]) -> bool:
    """Whether any row is in both."""
    others = tuple(other)
    return any(a < d and c < b for a, b in one for c, d in others)


def learned_ranges(manifest: Manifest) -> dict[str, tuple[RowRange, ...]]:
    """SHA-256 -> the ranges of each file that a version learned from."""
    kept_from = {file.sha256: file.reserved for file in manifest.held_out}
    return {
        file.sha256: ranges_outside(file.rows, kept_from.get(file.sha256, ()))
        for file in manifest.files
    }


def was_offered(records: Iterable[CycleRecord], version: int) -> bool:
    """Whether a cycle left the promotion of a version to a person."""
    return any(
        record.ending == "awaiting_approval" and record.outcome.challenger_version == version
        for record in records
    )


@dataclass(frozen=True)
class BackOff:
    """How many roll-backs by probation came in a row, and the files judged since the last one."""

    failures: int
    files_since: int


def back_off(records: Sequence[CycleRecord]) -> BackOff:
    """Count failed probations since the last one that passed, and the files that came after the
    last failure.
    """
    failures, since = 0, 0
    for record in records:
        if record.probation == "failed":
            failures, since = failures + 1, 0
        elif record.probation == "passed":
            failures = 0
        elif record.batch is not None:
            since += len(record.batch.files)
    return BackOff(failures, since)
