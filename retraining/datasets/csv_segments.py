"""The bytes of a CSV file -> segments of whole records, checked for what pyarrow would read
otherwise than RFC 4180.

A file of any size is read in bounded memory: a segment is some 8 MiB that end where a record ends.
pyarrow is lenient about stray and unclosed quotes; here they are refused, so that what remains has
one reading only.
"""

from __future__ import annotations

import codecs
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from retraining.errors import UnreadableFileError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

SEGMENT_BYTES = 8 * 2**20
MAX_ROW_BYTES = 4 * 2**20
QUOTE, NEWLINE, RETURN = 0x22, 0x0A, 0x0D
UTF8_NAMES = ("utf-8", "utf-8-sig")


@dataclass(frozen=True)
class Segment:
    """Whole records as UTF-8 bytes.

    `first_line` is the line in the file, from 1, on which the first record starts.
    """

    data: bytes
    first_line: int

    @property
    def quoted(self) -> bool:
        """Whether any cell is quoted, so that separators and line ends may stand inside cells."""
        return b'"' in self.data

    def line_at(self, position: int) -> int:
        """The file's line that holds the byte at `position`."""
        return self.first_line + count_lines(self.data[:position])


def count_lines(data: bytes) -> int:
    """Line ends of every kind: LF, CR LF, and CR alone."""
    if b"\r" not in data:
        return data.count(b"\n")
    return data.count(b"\n") + data.count(b"\r") - data.count(b"\r\n")


def read_segments(stream: BinaryIO, encoding: str, separator: str) -> Iterator[Segment]:
    """Segments of a CSV file, in order; a byte order mark is dropped.

    Raises:
        UnreadableFileError: bytes that are no text of this encoding, NUL bytes, stray or unclosed
            quotes, a row over 4 MiB.
    """
    line, offset, pending, done = 1, 0, b"", b""
    for chunk in itertools.chain(_utf8_chunks(stream, encoding), [None]):
        pending += chunk or b""
        cut = len(pending) if chunk is None else _last_record_end(pending)
        if len(pending) - cut > MAX_ROW_BYTES:
            raise _row_too_long(line + count_lines(done + pending[:cut]), pending[cut:])
        if cut:
            line += count_lines(done)  # counted only where more follows: most files are one segment
            done, pending = pending[:cut], pending[cut:]
            segment = Segment(done, line)
            _refuse_bad_structure(segment, offset, separator)
            offset += cut
            yield segment


def inside_quotes(data: bytes, positions: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of the byte positions (n,) lie inside a quoted cell: those with an odd number of quotes
    before them.
    """
    quotes = np.flatnonzero(np.frombuffer(data, np.uint8) == QUOTE)
    return (np.searchsorted(quotes, positions) & 1).astype(bool)


def record_ends(data: bytes) -> NDArray[np.int64]:
    """Positions of the CR and LF bytes that stand outside quoted cells."""
    array = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero((array == NEWLINE) | (array == RETURN))
    return ends[~inside_quotes(data, ends)] if b'"' in data else ends


def _utf8_chunks(stream: BinaryIO, encoding: str) -> Iterator[bytes]:
    """Chunks of UTF-8 without byte order mark. UTF-8 itself is checked later, by whole records."""
    if encoding in UTF8_NAMES:
        chunk = stream.read(SEGMENT_BYTES)
        yield chunk.removeprefix(codecs.BOM_UTF8)
        while chunk := stream.read(SEGMENT_BYTES):
            yield chunk
        return
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    read, mark = 0, "\ufeff"
    while True:
        chunk = stream.read(SEGMENT_BYTES)
        waiting = len(decoder.getstate()[0])
        try:
            recoded = decoder.decode(chunk, not chunk).removeprefix(mark).encode()
        except UnicodeError as error:
            start = error.start if isinstance(error, UnicodeDecodeError) else 0
            raise _wrong_encoding(encoding, read - waiting + start) from None
        yield recoded
        if not chunk:
            return
        read, mark = read + len(chunk), ""


def _wrong_encoding(encoding: str, offset: int) -> UnreadableFileError:
    return UnreadableFileError(
        f"the bytes at offset {offset:,} are no {encoding.upper()} text; save the file as"
        f" {encoding.upper()}, or set CSV_ENCODING to the encoding that the sender uses"
    )


def _last_record_end(data: bytes) -> int:
    """The length of the whole records at the start of `data`.

    LF is preferred, so that no CR LF is cut in two.
    """
    last = data.rfind(b"\n")
    if last >= 0 and data.count(b'"', 0, last) % 2 == 0:
        return last + 1
    if b'"' not in data:
        return data.rfind(b"\r") + 1
    ends = record_ends(data)
    if not ends.size:
        return 0
    line_feeds = ends[np.frombuffer(data, np.uint8)[ends] == NEWLINE]
    return int((line_feeds if line_feeds.size else ends)[-1]) + 1


def _refuse_bad_structure(segment: Segment, offset: int, separator: str) -> None:
    data = segment.data
    nul = data.find(b"\0")
    if nul >= 0:
        raise UnreadableFileError(
            f"a NUL byte on line {segment.line_at(nul)}: this is no text file, or it was written"
            " damaged"
        )
    if not data.isascii():
        try:
            data.decode()
        except UnicodeDecodeError as error:
            raise _wrong_encoding("utf-8", offset + error.start) from None
    if segment.quoted:
        _refuse_bad_quotes(segment, separator)
    if len(data) > MAX_ROW_BYTES:
        bounds = np.concatenate(([-1], record_ends(data), [len(data)]))
        longest = int(np.argmax(np.diff(bounds)))
        if bounds[longest + 1] - bounds[longest] > MAX_ROW_BYTES:
            start = int(bounds[longest]) + 1
            raise _row_too_long(segment.line_at(start), data[start:])


def _refuse_bad_quotes(segment: Segment, separator: str) -> None:
    """RFC 4180: a quote opens a cell at its start, closes it at its end, or is doubled inside a
    quoted cell; nothing else.
    """
    quotes = np.flatnonzero(np.frombuffer(segment.data, np.uint8) == QUOTE)
    adjacent = np.diff(quotes) == 1
    opening, closing = quotes[::2], quotes[1::2]
    # the second of a doubled pair
    reopens = np.concatenate(([False], adjacent[1::2]))[: opening.size]
    # the first of a doubled pair
    doubled = np.concatenate((adjacent[1::2], [False]))[: closing.size]
    padded = np.frombuffer(b"\n" + segment.data + b"\n", np.uint8)
    edges = (ord(separator), NEWLINE, RETURN)
    before, after = np.isin(padded[opening], edges), np.isin(padded[closing + 2], edges)
    stray = np.concatenate((opening[~(reopens | before)], closing[~(doubled | after)]))
    if stray.size:
        line = segment.line_at(int(stray.min()))
        raise UnreadableFileError(
            f"a stray quote on line {line}: a cell that holds a quote must be quoted whole, and its"
            " quotes doubled"
        )
    if quotes.size % 2:
        raise UnreadableFileError(
            f"a quote on line {segment.line_at(int(quotes[-1]))} is never closed"
        )


def _row_too_long(line: int, start: bytes) -> UnreadableFileError:
    hint = "; a quote that is never closed?" if b'"' in start else ""
    return UnreadableFileError(
        f"the row on line {line} is longer than {MAX_ROW_BYTES // 2**20} MiB{hint}"
    )
