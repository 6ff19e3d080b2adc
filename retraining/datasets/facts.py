"""What reading a file showed, beside its rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from retraining.datasets.columns import UnknownLabel
    from retraining.datasets.unseen_values import UnseenValues
    from retraining.records import Label


@dataclass(frozen=True)
class FileFacts:
    """Counts are of rows.

    A file with unknown labels was read to its end but is not kept as a table: it cannot be learned.

    Attributes:
        class_counts: labelled rows by class, in the schema's order; classes that the file lacks
            count 0.
        unseen_values: by string column, texts that were not there when the schema was made.
        oddities: by column, what was accepted but is seldom meant.
        extra_columns: columns that neither the schema nor the settings know; they are not read.
        index_columns: columns that pandas wrote its index into, and that the schema does not have;
            they are not read.
        unknown_labels: by their text, labels that are no class of the schema.
    """

    rows: int
    labelled_rows: int
    class_counts: Mapping[Label, int]
    unseen_values: Mapping[str, UnseenValues] = field(default_factory=dict)
    oddities: Mapping[str, str] = field(default_factory=dict)
    extra_columns: tuple[str, ...] = ()
    index_columns: tuple[str, ...] = ()
    unknown_labels: Mapping[str, UnknownLabel] = field(default_factory=dict)

    @property
    def unlabelled_rows(self) -> int:
        """Rows without a label: they are dropped from scoring and learning."""
        return self.rows - self.labelled_rows
