"""The scratch folder of a replay: a project for each play, and each cycle's files, written once and
shared by all plays of an offset.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from retraining.datasets import TableStore, label_codes
from retraining.replay.history import even_ranges
from retraining.settings import RECIPE_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from retraining.records import DataFile, RowRange, Schema
    from retraining.replay.history import Cut, History
    from retraining.settings import Settings

# a folder of random name is made in it, as in any temporary folder
MEMORY = Path("/dev/shm")  # noqa: S108
ROOM = 6  # times the history's size: the files, their claimed copies, and typed copies


@contextmanager
def scratch_folder(size: int) -> Iterator[Path]:
    """A temporary folder, in memory where there is room for a history of `size` bytes.

    It is gone at the end.
    """
    roomy = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM * size + 2**28
    with tempfile.TemporaryDirectory(prefix="replay-", dir=MEMORY if roomy else None) as folder:
        yield Path(folder)


def project_for(folder: Path, policy: Settings, recipe: Path, *, files_per_cycle: int) -> Settings:
    """A project of its own for one play: the policy's settings, with folders in the scratch, no
    notices, and a gate that opens each cycle.

    The recipe is linked, not copied, since it may import modules that stand beside it.
    """
    for name in ("new_data", "used_data"):
        (folder / name).mkdir(parents=True)
    (folder / RECIPE_NAME).symlink_to(recipe.resolve())
    return policy._replace(
        project=folder,
        mlflow_tracking_uri=f"sqlite:///{folder / 'mlflow.db'}",
        new_data_dir=folder / "new_data",
        used_data_dir=folder / "used_data",
        quarantine_dir=folder / "quarantine",
        min_new_files=files_per_cycle,
        min_new_rows=0,
        min_file_age_seconds=0.0,
        healthcheck_url=None,
        webhook_url=None,
        metrics_textfile=None,
    )


@dataclass(frozen=True)
class Deliveries:
    """The files of one offset: each is written when first asked for, and linked into the project of
    every play.
    """

    folder: Path
    history: History
    cut: Cut
    files_per_cycle: int

    def initial_files(self) -> int:
        """As many files as make them about as long as a cycle's."""
        start, stop = self.cut.initial
        first, end = self.cut.cycles[0]
        rows_a_file = (end - first) / self.files_per_cycle
        return max(1, min(stop - start, round((stop - start) / rows_a_file)))

    def deliver(self, cycle: int, into: Path, arrival: datetime) -> None:
        """Put the files of a cycle, or those of the first model (cycle 0), into a folder, each a
        second younger than the one before.
        """
        rows = self.cut.cycles[cycle - 1] if cycle else self.cut.initial
        batch = self.folder / f"{cycle:05d}"
        if not batch.is_dir():
            batch.mkdir(parents=True)
            self._write(
                batch,
                even_ranges(rows, self.files_per_cycle if cycle else self.initial_files()),
                arrival,
            )
        for path in batch.iterdir():
            os.link(path, into / path.name)

    def _write(self, batch: Path, ranges: Sequence[RowRange], arrival: datetime) -> None:
        for place, rows in enumerate(ranges):
            path = batch / f"rows-{rows[0]:09d}.parquet"
            write_rows(self.history, rows, path)
            os.utime(path, (arrival.timestamp() + place,) * 2)


def write_rows(history: History, rows: RowRange, path: Path) -> None:
    """Write a range of rows as Parquet, labels as they were.

    No two ranges give the same bytes, however alike their rows are.
    """
    part = history.table.slice(rows[0], rows[1] - rows[0])
    labels = [history.schema.classes[code] for code in label_codes(part).tolist()]
    columns = [*(part.column(name) for name in history.schema.names), pa.array(labels)]
    names = [*history.schema.names, history.schema.target]
    table = pa.table(dict(zip(names, columns, strict=True))).replace_schema_metadata(
        {"rows": json.dumps(rows)}
    )
    pq.write_table(table, path, compression="none")


class SharedTables(TableStore):
    """Typed copies that all plays share: each file is parsed once, and a play keeps its tables in
    memory.
    """

    def __init__(self, folder: Path, settings: Settings) -> None:
        super().__init__(folder, settings)
        self._kept: dict[str, pa.Table] = {}

    def table(self, data_file: DataFile, schema: Schema) -> pa.Table:
        """The rows of a file; the schema of a play is always the same."""
        if data_file.sha256 not in self._kept:
            self._kept[data_file.sha256] = super().table(data_file, schema)
        return self._kept[data_file.sha256]

    def tables_many(self, files: Sequence[DataFile], schema: Schema) -> Iterator[pa.Table]:
        """The tables in order, one at a time."""
        return (self.table(file, schema) for file in files)

    def prune(self, keep: object, schema: Schema) -> None:
        """Nothing: the copies are of use to the next play."""
