"""What the next version may learn, what it is kept from, and on which rows both models are tested.

Frozen before any training.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from retraining.cycle.claiming import claim_as_seen, read_all
from retraining.cycle.copies import leave_out_learned, tell
from retraining.cycle.rows import Section
from retraining.ledger import TEST_BATCHES, last_batches, ranges_outside, ranges_overlap
from retraining.logs import log
from retraining.records import BatchFile, DataFile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from retraining.cycle.opening import Cycle
    from retraining.records import Copies, RowRange
    from retraining.settings import TrainWindow


@dataclass(frozen=True)
class Lineage:
    """The files of an attempt.

    Attributes:
        learned: files of which rows are learned, by arrival, under their archive names; `reserved`
            are the ranges left out of learning.
        held_out: files with the ranges that are kept from learning because they test.
        consumed: digests that a promotion moves from the inbox to the archive.
        files: where the bytes of every file stand.
        shares: of files older than TRAIN_WINDOW, the share of their rows that is learned, by
            SHA-256; a version that learned some of them counts as having seen all.
    """

    learned: tuple[BatchFile, ...]
    held_out: tuple[BatchFile, ...]
    consumed: tuple[str, ...]
    files: Mapping[str, DataFile]
    shares: Mapping[str, float]

    def learned_ranges(self) -> dict[str, tuple[RowRange, ...]]:
        """SHA-256 -> the ranges that are learned."""
        return {file.sha256: ranges_outside(file.rows, file.reserved) for file in self.learned}

    def files_and_ranges(self) -> list[tuple[DataFile, tuple[RowRange, ...]]]:
        """The learned files where they stand, by arrival, each with the ranges that are learned."""
        ranges = self.learned_ranges()
        return [
            (replace(self.files[file.sha256], rows=file.rows), ranges[file.sha256])
            for file in self.learned
        ]


@dataclass(frozen=True)
class FrozenTestSet:
    """Reserved blocks of the last three batches that neither version learned, without rows that
    occur in either training set.
    """

    sections: tuple[Section, ...]
    rows: int
    copies: Copies


def trace_lineage(cycle: Cycle) -> Lineage:
    """Everything in the archive and everything that waits, by arrival.

    Reserved ranges of the last three batches are kept from learning.

    Files that were judged in earlier cycles and still wait are claimed and read now.
    """
    left_out = set(cycle.production.manifest.left_out)
    files = {
        sha: file
        for sha, file in {**_archived(cycle), **_waiting(cycle)}.items()
        if sha not in left_out
    }
    numbered = _by_arrival(cycle, files)
    by_arrival = [file for _, file in numbered]
    older = _older_than_the_window(cycle, numbered)
    shares = shares_of_older(cycle.settings.train_window, older, by_arrival)
    learned = tuple(
        file
        for file in by_arrival
        if shares.get(file.sha256, 1.0) and ranges_outside(file.rows, file.reserved)
    )
    archive = cycle.recovered.ledger.archive
    return Lineage(
        learned=learned,
        held_out=tuple(file for file in by_arrival if file.reserved),
        consumed=tuple(file.sha256 for file in by_arrival if file.sha256 not in archive),
        files=files,
        shares={sha: share for sha, share in shares.items() if 0 < share < 1},
    )


def _by_arrival(cycle: Cycle, files: Mapping[str, DataFile]) -> list[tuple[int, BatchFile]]:
    """The files that are there, each with its batch's number.

    Only those of batches that still test have reserved rows.
    """
    testing = {batch.number for batch in last_batches(cycle.batches, TEST_BATCHES)}
    numbered = []
    for batch in cycle.batches:
        for judged in batch.files:
            if judged.sha256 not in files:
                continue
            name = files[judged.sha256].name
            reserved = judged.reserved if batch.number in testing else ()
            numbered.append((batch.number, replace(judged, name=name, reserved=reserved)))
    return numbered


def _older_than_the_window(
    cycle: Cycle, numbered: Sequence[tuple[int, BatchFile]]
) -> list[BatchFile]:
    """Archived files of batches before those that TRAIN_WINDOW learns whole."""
    window = cycle.settings.train_window
    if window is None:
        return []
    recent = {batch.number for batch in last_batches(cycle.batches, window.batches)}
    archive = cycle.recovered.ledger.archive
    return [file for number, file in numbered if number not in recent and file.sha256 in archive]


def shares_of_older(
    window: TrainWindow | None, older: Sequence[BatchFile], files: Sequence[BatchFile]
) -> dict[str, float]:
    """SHA-256 -> the share of rows that is learned, of each file that is older than the window: 0
    where it asks for no sample.
    """
    if window is None or not older:
        return {}
    older_rows = sum(file.rows for file in older)
    rows_of_a_batch = (sum(file.rows for file in files) - older_rows) / window.batches
    share = min(1.0, window.sampled * rows_of_a_batch / older_rows)
    return {file.sha256: share for file in older}


def _archived(cycle: Cycle) -> dict[str, DataFile]:
    folder = cycle.settings.used_data_dir
    names = {sha: names[0] for sha, names in cycle.job.inbox.archived().items()}
    known = cycle.recovered.ledger.archive
    return {sha: DataFile(names[sha], sha, folder / names[sha]) for sha in known if sha in names}


def _waiting(cycle: Cycle) -> dict[str, DataFile]:
    """The accepted files of this cycle and the judged ones that still wait, under the names that
    they will have in the archive.
    """
    job, ledger = cycle.job, cycle.recovered.ledger
    accepted = {file.sha256 for file in cycle.claimed.files}
    batched = {file.sha256 for batch in cycle.batches for file in batch.files}
    earlier = job.inbox.waiting(batched - accepted, {*ledger.archive, *ledger.withdrawn}).judged
    again = read_all(job, claim_as_seen(job, earlier), cycle.production.schema).files
    named = job.inbox.with_archive_names((*again, *cycle.claimed.files))
    return {file.sha256: file for file in named}


def freeze_test_set(cycle: Cycle, lineage: Lineage) -> FrozenTestSet:
    """The rows on which both models are compared."""
    champion = cycle.production.learned
    reserved: list[Section] = []
    for judged in lineage.held_out:
        file = replace(lineage.files[judged.sha256], rows=judged.rows)
        learned_of_it = champion.get(judged.sha256, ())
        reserved += [
            Section(file, rows)
            for rows in judged.reserved
            if not ranges_overlap([rows], learned_of_it)
        ]
    schema = cycle.production.schema
    learned = (champion, lineage.learned_ranges())
    sections, copies = leave_out_learned(cycle.job, reserved, schema, learned, lineage.files)
    rows = copies.of - copies.rows
    blocks = sum(section.left_out is None or not section.left_out.all() for section in sections)
    log.info("test set: %d rows in %d blocks", rows, blocks)
    tell(copies, "reserved")
    return FrozenTestSet(sections, rows, copies)


def why_nothing_is_comparable(test_set: FrozenTestSet) -> str:
    """Why a test set has no rows, in the words that the cycle ends with."""
    if test_set.copies.of:
        return (
            "nothing can be compared: each of the "
            f"{test_set.copies.of:,} rows kept from learning is a copy of a learned row"
        )
    return "nothing can be compared: production has learned, or been given, every reserved row"


def attempt_key(cycle: Cycle, lineage: Lineage) -> str:
    """A digest of all that an attempt depends on: the files and what is reserved of them, champion,
    settings and recipe.
    """
    files = sorted((file.sha256, file.reserved) for file in lineage.learned)
    held_out = sorted((file.sha256, file.reserved) for file in lineage.held_out)
    content = [files, held_out, cycle.production.number, cycle.job.deciding]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()
