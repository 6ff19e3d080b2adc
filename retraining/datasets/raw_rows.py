"""What a file format hands over: some rows of a file, and a way to tell a person where in the file
a row stands.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pyarrow as pa

Wanted = Literal["number", "boolean", "string", "label"]


@dataclass(frozen=True)
class RawRows:
    """Some consecutive rows of a file, as its format holds them.

    Attributes:
        columns: by name, arrays of `count` values: float64 for numbers (null = missing, all
            finite), `dictionary<int32, string>` of the texts for every other kind (a null or an
            empty text is missing).
        count: rows.
        first_row: how many rows of the file come before.
        where: index of a row among these -> where it stands in the file, in words such as "row 17
            (line 18)".
    """

    columns: Mapping[str, pa.Array]
    count: int
    first_row: int
    where: Callable[[int], str]
