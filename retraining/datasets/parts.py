"""Rows in parts: callables that read some rows when called, for recipes that never hold them
all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from retraining.datasets.frames import features_and_labels
from retraining.datasets.table_files import read_table_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    import pandas as pd
    from numpy.typing import NDArray

    from retraining.records import Schema

    Mask = NDArray[np.bool_]

ROWS_OF_A_PART = 262_144


@dataclass(frozen=True)
class Piece:
    """Rows of one columnar copy.

    Attributes:
        path: of the copy.
        start, stop: a range of its rows.
        bits: which rows of the range are meant, as numpy packs a mask; None: all.
        rows: how many are meant.
    """

    path: Path
    start: int
    stop: int
    bits: bytes | None
    rows: int

    def read(self) -> pa.Table:
        """The rows that are meant; the copy's bytes were checked when the part was made."""
        table, _ = read_table_file(self.path, sound=True)
        table = table.slice(self.start, self.stop - self.start)
        if self.bits is None:
            return table
        packed = np.frombuffer(self.bits, np.uint8)
        mask = np.unpackbits(packed, count=len(table)).astype(bool)
        return table.filter(pa.array(mask))


@dataclass(frozen=True)
class Part:
    """Some rows, read when called: it holds paths, so it can be kept, copied and sent.

    Who calls it in another process needs this code there, and the same path to the copies.
    """

    schema: Schema
    pieces: tuple[Piece, ...]

    @property
    def rows(self) -> int:
        """How many rows a call returns."""
        return sum(piece.rows for piece in self.pieces)

    def __call__(self) -> tuple[pd.DataFrame, pd.Series[Any]]:
        """X (n, features) and y (n,), as `features_and_labels` makes them."""
        tables = (piece.read() for piece in self.pieces)
        whole = [[(0, piece.rows)] for piece in self.pieces]
        return features_and_labels(tables, whole, self.schema)


def cut_into_parts(
    copies: Iterable[tuple[Path, Mask]], schema: Schema, most: int = ROWS_OF_A_PART
) -> tuple[Part, ...]:
    """Parts of `most` rows, the last of fewer.

    Args:
        copies: of each columnar copy its path, and which of its rows are meant (rows,), labelled
            ones only; taken one at a time.
        schema: the schema that the copies were read by.
        most: rows of a part.
    """
    parts: list[Part] = []
    pieces: list[Piece] = []
    room = most
    for path, mask in copies:
        for piece in _pieces(path, mask, room, most):
            pieces.append(piece)
            room -= piece.rows
            if room == 0:
                parts.append(Part(schema, tuple(pieces)))
                pieces, room = [], most
    if pieces:
        parts.append(Part(schema, tuple(pieces)))
    return tuple(parts)


def _pieces(path: Path, mask: Mask, room: int, most: int) -> Iterator[Piece]:
    """A copy's rows in pieces: the first of `room` rows, as the part before has, then of `most`."""
    places = np.flatnonzero(mask)
    begin, size = 0, room
    while begin < len(places):
        here = places[begin : begin + size]
        start, stop = int(here[0]), int(here[-1]) + 1
        is_whole = stop - start == len(here)
        bits = None if is_whole else np.packbits(mask[start:stop]).tobytes()
        yield Piece(path, start, stop, bits, len(here))
        begin, size = begin + size, most
