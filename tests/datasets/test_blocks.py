"""Blocks and the reservation."""

from __future__ import annotations

import hashlib
import math
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from retraining.datasets import Block, cut_into_blocks, reserve

shas = st.binary(min_size=1, max_size=4).map(lambda data: hashlib.sha256(data).hexdigest())
batches = st.lists(
    st.tuples(shas, st.integers(1, 40)), min_size=1, max_size=14, unique_by=lambda file: file[0]
)


def test_ten_files_or_more_are_blocks_as_they_are() -> None:
    files = [(f"{i:064x}", i + 1) for i in range(10)]
    assert cut_into_blocks(files) == [Block(sha256, 0, 0, rows) for sha256, rows in files]


def test_fewer_files_are_cut_into_equal_runs_so_that_there_are_ten() -> None:
    blocks = cut_into_blocks([("a", 10), ("b", 11), ("c", 100)])
    assert [(b.start, b.stop) for b in blocks if b.sha256 == "b"] == [
        (0, 3),
        (3, 6),
        (6, 9),
        (9, 11),
    ]
    assert len(blocks) == 12
    assert len(cut_into_blocks([("a", 1000)])) == 10


def test_tiny_files_give_one_block_a_row_and_their_neighbours_make_up_for_it() -> None:
    assert len(cut_into_blocks([("a", 3)])) == 3
    assert len(cut_into_blocks([("a", 1), ("b", 100)])) == 10


@given(batches)
def test_blocks_cover_every_row_once_in_order_with_equal_runs(files: list[tuple[str, int]]) -> None:
    blocks = cut_into_blocks(files)
    for sha256, rows in files:
        own = [block for block in blocks if block.sha256 == sha256]
        assert [block.number for block in own] == list(range(len(own)))
        assert [row for block in own for row in range(block.start, block.stop)] == list(range(rows))
        lengths = {block.stop - block.start for block in own}
        assert max(lengths) - min(lengths) <= 1
        assert min(lengths) >= 1
    assert len(blocks) >= min(10, sum(rows for _, rows in files))


@given(batches, st.sampled_from([0.01, 0.1, 0.2, 0.3, 0.5, 0.9, 0.99]))
def test_the_reserved_are_the_smallest_digests_never_none_and_never_all(
    files: list[tuple[str, int]], fraction: float
) -> None:
    blocks = cut_into_blocks(files)
    chosen = reserve(blocks, fraction)
    wanted = math.ceil(Fraction(str(fraction)) * len(blocks))
    assert len(chosen) == (1 if len(blocks) == 1 else min(max(wanted, 1), len(blocks) - 1))
    digests = {
        block: hashlib.sha256(f"{block.sha256}:{block.number}".encode()).hexdigest()
        for block in blocks
    }
    assert all(digests[taken] < digests[left] for taken in chosen for left in set(blocks) - chosen)
    assert reserve(blocks[::-1], fraction) == chosen, "the order of the files does not matter"


def test_seven_hundredths_of_a_hundred_blocks_are_seven() -> None:
    # in floats 0.07 * 100 is more than 7
    assert len(reserve([Block(f"{i:064x}", 0, 0, 1) for i in range(100)], 0.07)) == 7


def test_nothing_gives_nothing() -> None:
    assert cut_into_blocks([]) == []
    assert reserve([], 0.2) == set()
