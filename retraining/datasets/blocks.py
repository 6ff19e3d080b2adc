"""Blocks: which rows of a batch are tested together, and which of them no version may learn.

Pure functions.
"""

from __future__ import annotations

import hashlib
import itertools
import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


BLOCKS_OF_A_BATCH = 10  # a batch of fewer files is cut further, so that some can be held out


@dataclass(frozen=True)
class Block:
    """Rows `[start, stop)` of the file with this hash; `number` counts the file's blocks from 0."""

    sha256: str
    number: int
    start: int
    stop: int


def cut_into_blocks(files: Sequence[tuple[str, int]]) -> list[Block]:
    """Cut a batch of (sha256, rows) files into blocks: whole files, or where there are fewer than
    10 files, runs of them.

    Then each file gives the same number of contiguous runs, the smallest for which there are at
    least 10 blocks; their lengths differ by one row at most, and the longer ones come first. No run
    is empty: a file gives at most as many as it has rows.

    >>> [(block.start, block.stop) for block in cut_into_blocks([("a", 12)])][:4]
    [(0, 2), (2, 4), (4, 5), (5, 6)]
    """
    runs = 1
    while runs < BLOCKS_OF_A_BATCH and _blocks_of(files, runs) < BLOCKS_OF_A_BATCH:
        runs += 1
    return [
        Block(sha256, number, start, stop)
        for sha256, rows in files
        for number, (start, stop) in enumerate(_equal_runs(rows, min(runs, rows)))
    ]


def _blocks_of(files: Sequence[tuple[str, int]], runs: int) -> int:
    """How many blocks there are if each file gives so many runs, or as many as it has rows."""
    return sum(min(runs, rows) for _, rows in files)


def _equal_runs(rows: int, runs: int) -> list[tuple[int, int]]:
    size, longer = divmod(rows, max(runs, 1))
    starts = [number * size + min(number, longer) for number in range(runs + 1)]
    return list(itertools.pairwise(starts))


def reserve(blocks: Sequence[Block], fraction: float) -> set[Block]:
    """The ceil(fraction x blocks) blocks with the smallest digests: at least one, and never all
    where there are two or more.

    The digest is the SHA-256 of the ASCII text `<sha256>:<number>`: the file's SHA-256 in
    lower-case hexadecimal, a colon, and the block's number in its file in decimal, counted from 0.
    """
    # exact: 0.07 * 100 in floats is more than 7
    wanted = math.ceil(Fraction(str(fraction)) * len(blocks))
    count = max(1, min(wanted, len(blocks) - 1))
    return set(sorted(blocks, key=_digest)[:count])


def _digest(block: Block) -> bytes:
    return hashlib.sha256(f"{block.sha256}:{block.number}".encode("ascii")).digest()
