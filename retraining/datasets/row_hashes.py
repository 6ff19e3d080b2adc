"""A 64-bit hash of each row's feature values: equal rows of different files are found by it.

Numbers hash by value (-0.0 equals 0.0, every NaN is the same missing value), texts by their UTF-8
bytes, so the hash does not depend on the file, its format, its dictionaries or the process. Columns
are chained, each through the finaliser of splitmix64 (Steele, Lea, Flood 2014): it is a bijection
of 64 bits, so rows that differ in one column never collide there.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Words = NDArray[np.uint64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MISSING_TEXT = np.uint64(0x6D697373696E6721)
_QUIET_NAN = np.float64("nan").view(np.uint64)


def hash_rows(columns: Sequence[pa.Array]) -> Words:
    """Hashes (n,) of rows given as feature columns of n values each, in the schema's order.

    Args:
        columns: float64 arrays without nulls (NaN is missing), or `dictionary<int32, string>`
            arrays.
    """
    hashes = np.zeros(len(columns[0]), np.uint64)
    for column in columns:
        hashes ^= words_of(column)
        hashes += _GOLDEN  # wraps around, as splitmix64 does
        _mix(hashes)
    return hashes


def spread_words(columns: Sequence[Words]) -> Words:
    """Words (columns, n) whose sum over columns, or over some of them, tells rows apart.

    Args:
        columns: a word (n,) for each value, by feature column.
    """
    spread = np.array(columns, np.uint64)
    spread += (np.arange(1, len(columns) + 1, dtype=np.uint64) * _GOLDEN)[:, np.newaxis]
    _mix(spread)
    return spread


def words_of(column: pa.Array) -> Words:
    """A word (n,) for each value of one feature column: equal where the values are."""
    return _text_words(column) if pa.types.is_dictionary(column.type) else _number_words(column)


def _number_words(column: pa.Array) -> Words:
    values = column.to_numpy() + 0.0  # a copy, in which -0.0 became 0.0
    words: Words = values.view(np.uint64)
    words[np.isnan(values)] = _QUIET_NAN
    return words


def _text_words(column: pa.Array) -> Words:
    distinct = [_text_word(text) for text in column.dictionary.to_pylist()]
    by_code = np.array([*distinct, _MISSING_TEXT], np.uint64)  # code -1 takes the last
    words: Words = by_code[pc.fill_null(column.indices, -1).to_numpy()]
    return words


def _text_word(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def _mix(words: Words) -> None:
    """The finaliser of splitmix64, in place."""
    words ^= words >> np.uint64(30)
    words *= np.uint64(0xBF58476D1CE4E5B9)
    words ^= words >> np.uint64(27)
    words *= np.uint64(0x94D049BB133111EB)
    words ^= words >> np.uint64(31)
