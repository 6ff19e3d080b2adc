"""Opening a data file by the format that its name says, after its bytes were found to be those that
were hashed.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, cast

from retraining.datasets.cells import shown
from retraining.datasets.csv_reading import CsvFile, open_csv
from retraining.datasets.parquet_reading import ParquetFile, open_parquet
from retraining.errors import UnreadableFileError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from retraining.records import DataFile
    from retraining.settings import Settings

FORMATS = (".csv", ".csv.gz", ".parquet")


class ChangedFileError(UnreadableFileError):
    """The bytes are no longer those that were hashed: somebody wrote to the file since."""


def format_of(name: str) -> str:
    """The format that a file name stands for, one of `FORMATS`.

    Raises:
        UnreadableFileError: it stands for none.
    """
    found = next((ending for ending in FORMATS if name.lower().endswith(ending)), None)
    if found is None:
        raise UnreadableFileError(f"the name {shown(name)} does not end in .csv or .parquet")
    return found


@contextmanager
def opened(data_file: DataFile, settings: Settings) -> Iterator[CsvFile | ParquetFile]:
    """Open a data file and read its header.

    Raises:
        ChangedFileError: its bytes are not those of `data_file.sha256`.
        UnreadableFileError: it cannot be read as the format of its name; also while its rows are
            read inside the block.
        OSError: the disk, not the content.
    """
    ending = format_of(data_file.name)
    with data_file.path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != data_file.sha256:
            raise ChangedFileError("its bytes changed after they were hashed")
        file.seek(0)
        if ending == ".parquet":
            yield open_parquet(file)
        elif ending == ".csv":
            yield open_csv(file, settings)
        else:
            with _unpacked(file) as unpacked:
                yield open_csv(unpacked, settings)


@contextmanager
def _unpacked(file: BinaryIO) -> Iterator[BinaryIO]:
    try:
        with gzip.GzipFile(fileobj=file) as unpacked:
            yield cast("BinaryIO", unpacked)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UnreadableFileError(
            f"the gzip file is damaged or cut short: {shown(str(error), 100)}"
        ) from None
