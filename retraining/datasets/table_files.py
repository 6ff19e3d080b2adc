"""The columnar copy of one data file on disk: an Arrow stream that is memory mapped, and a seal
that shows damage.

Layout: the Arrow IPC stream; a note in JSON; then 32 bytes: magic, length of the stream, length of
    the note, CRC-32 of both.
"""

from __future__ import annotations

import json
import struct
import tempfile
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SEAL = struct.Struct("<8sQQQ")
_MAGIC = b"RTTABLE1"


class DamagedTableError(Exception):
    """A columnar copy that is cut short, altered, or not of the file that its name says."""


class TableWriter:
    """Collects batches and the note.

    What is written becomes a table file once the `writing` block ends well.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._checksum = 0
        self._length = 0
        self._stream: pa.RecordBatchStreamWriter | None = None
        self.note: Mapping[str, Any] | None = None
        self.closed = False  # pyarrow asks, since it writes through this object

    def write(self, data: pa.Buffer | bytes) -> int:
        """Append bytes, as a file does."""
        self._checksum = zlib.crc32(data, self._checksum)
        self._length += len(data)
        return self._file.write(data)

    def flush(self) -> None:
        """Do nothing: whole files only are ever looked at."""

    def append(self, batch: pa.RecordBatch) -> None:
        """Append rows."""
        if self._stream is None:
            self._stream = pa.ipc.new_stream(self, batch.schema)
        self._stream.write_batch(batch)

    def seal(self) -> None:
        """Write the end of the stream, the note and the seal."""
        if self._stream is not None:
            self._stream.close()
        length = self._length
        note = json.dumps(self.note).encode()
        self.write(note)
        self._file.write(_SEAL.pack(_MAGIC, length, len(note), self._checksum))


@contextmanager
def writing(path: Path) -> Iterator[TableWriter]:
    """Write a table file aside and rename it into place.

    After an error, or without a note, nothing is left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(
        dir=path.parent, prefix=".", suffix=".tmp", delete=False
    ) as file:
        aside = Path(file.name)
        try:
            writer = TableWriter(file.file)
            yield writer
            if writer.note is not None:
                writer.seal()
                file.close()
                aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)


def read_table_file(path: Path, *, sound: bool = False) -> tuple[pa.Table, dict[str, Any]]:
    """The table, memory mapped and without an open file, and its note.

    Args:
        path: of the file.
        sound: that its bytes were checked before, and need not be read again.

    Raises:
        FileNotFoundError: there is no such file.
        DamagedTableError: the bytes are not those that were written.
    """
    if path.stat().st_size < _SEAL.size:
        raise DamagedTableError(f"{path.name} is cut short")
    with pa.memory_map(str(path)) as mapped:
        # stays mapped after the file is closed, so that thousands of tables need no descriptors
        data = mapped.read_buffer()
    body = len(data) - _SEAL.size
    magic, length, note_length, checksum = _SEAL.unpack(data[body:])
    if (
        magic != _MAGIC
        or length + note_length != body
        or not (sound or zlib.crc32(data[:body]) == checksum)
    ):
        raise DamagedTableError(f"{path.name} is damaged")
    note = json.loads(data[length:body].to_pybytes())
    return pa.ipc.open_stream(data[:length]).read_all(), note
