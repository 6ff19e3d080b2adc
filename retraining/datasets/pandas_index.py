"""Which columns of a file hold the index of a pandas frame: row numbers or keys that were written
along, never features.

A frame that was put together from sorted parts and shuffled keeps the old row numbers in its index.
They tell on which side of the parts a row stood, which is often its label.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

# `to_parquet` names an index without a name so, and `read_csv` a column without a name
_NAMES_GIVEN_BY_PANDAS = re.compile(r"__index_level_\d+__|Unnamed: \d+(\.\d+)*")


def index_columns(pandas_metadata: Mapping[str, Any], names: Collection[str]) -> frozenset[str]:
    """The columns among `names` that hold an index, by the file's own metadata or by the name that
    pandas gave.

    >>> sorted(index_columns({"index_columns": ["day"]}, ["day", "a", "Unnamed: 0"]))
    ['Unnamed: 0', 'day']

    Args:
        pandas_metadata: what pandas wrote beside the schema of a Parquet file; empty where there is
            nothing. `index_columns` holds names of columns, and dictionaries for ranges, which are
            not stored as columns.
        names: all columns of the file.
    """
    said = pandas_metadata.get("index_columns") or ()
    written = {entry for entry in said if isinstance(entry, str)}
    by_name = {name for name in names if _NAMES_GIVEN_BY_PANDAS.fullmatch(name)}
    return frozenset((written | by_name) & set(names))
