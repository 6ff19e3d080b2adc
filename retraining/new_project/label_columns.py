"""Which columns of a file could hold the label: those whose values come again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retraining.datasets import types_not_learnable
from retraining.datasets.data_files import opened
from retraining.datasets.schema_inference import MAX_CLASSES
from retraining.errors import UnreadableFileError

if TYPE_CHECKING:
    from retraining.datasets.raw_rows import RawRows
    from retraining.records import DataFile
    from retraining.settings import Settings

ENOUGH_ROWS = 10  # of fewer rows nobody can say whether a value comes again


def could_be_labels(file: DataFile, settings: Settings) -> list[str]:
    """The columns of a file that may be the label, judged by its first rows.

    Left out are an index of pandas, times, and what hardly repeats, such as an id or a measured
    number.

    Raises:
        UnreadableFileError: the file cannot be opened. Damaged rows are no reason: then no column
            is left out for its values.
    """
    no_labels = set()
    if file.name.lower().endswith(".parquet"):
        no_labels = set(types_not_learnable(file.path, ""))
    with opened(file, settings) as content:
        no_labels |= content.index_names
        names = [name for name in content.names if name not in no_labels]
        try:
            first = next(iter(content.rows(dict.fromkeys(names, "label"))), None)
        except UnreadableFileError:
            return names
    if first is None or first.count < ENOUGH_ROWS:
        return names
    return [name for name in names if _repeats(first, name)]


def _repeats(rows: RawRows, name: str) -> bool:
    """Whether a value stands in two rows on the average, and they are few enough for classes."""
    distinct = len(rows.columns[name].dictionary)
    return distinct <= min(rows.count // 2, MAX_CLASSES)
