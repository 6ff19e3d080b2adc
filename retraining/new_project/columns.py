"""What the columns of the files propose: which one is the label, what to measure, what to leave
alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from retraining.datasets import label_codes, read_schema_from
from retraining.datasets.survey import survey
from retraining.new_project.proposal import Proposal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from retraining.datasets import TableStore
    from retraining.datasets.survey import Remark
    from retraining.records import DataFile, Schema
    from retraining.settings import Settings

USUAL_NAMES = ("target", "label", "class", "outcome", "y")
RARE = 0.2  # a class with a smaller share makes accuracy flatter every model
VERY_RARE = 0.05  # and one of two classes with this share is ranked, as the survey advises too
# subjects of remarks: not known, or never the same again
NO_FEATURES = ("label told", "id", "date")


def likely_target(names: Sequence[str]) -> Proposal | None:
    """The label's column by its name, else the last one, where tables mostly have it."""
    by_name = [name for name in names if name.lower() in USUAL_NAMES]
    if by_name:
        return Proposal("TARGET_COLUMN", by_name[-1], "The label, by its name.")
    if names:
        reason = "The last column: say which one is to be predicted if it is another."
        return Proposal("TARGET_COLUMN", names[-1], reason)
    return None


def column_proposals(
    files: Sequence[DataFile],
    settings: Settings,
    tables: TableStore,
    unreadable: Mapping[str, str],
) -> list[Proposal]:
    """METRIC by the classes' shares, IGNORE_COLUMNS by a survey of the rows.

    Args:
        files: what the first model learns.
        settings: those that read the files.
        tables: reads them.
        unreadable: column -> why it cannot be learned from; ignored too.

    Raises:
        SettingsError: the target column is not there, or is no label.
        UnreadableFileError: a file cannot be read.
    """
    schema = read_schema_from(files, settings)
    read = list(tables.tables_many(files, schema))
    codes = np.concatenate([label_codes(table) for table in read])
    named = [(file.name, table) for file, table in zip(files, read, strict=True)]
    remarks = survey(named, schema, settings, {})
    return [*_metric(codes, schema), *ignoring({**unreadable, **_no_features(remarks)})]


def _metric(codes: NDArray[np.int32], schema: Schema) -> list[Proposal]:
    counts = np.bincount(codes[codes >= 0], minlength=len(schema.classes))
    rarest = int(counts.argmin())
    share = float(counts[rarest] / counts.sum())
    if share >= RARE:
        return []
    reason = (
        f"Only {share:.1%} of the rows are {schema.classes[rarest]!r}: accuracy would be high for "
        "every model. Registration prints the RETRAIN_THRESHOLD that this needs."
    )
    is_ranked = share <= VERY_RARE and len(schema.classes) == 2
    metric = "average_precision" if is_ranked else "balanced_accuracy"
    return [Proposal("METRIC", metric, reason)]


def _no_features(remarks: Sequence[Remark]) -> dict[str, str]:
    """Column -> what shows that it is no feature."""
    reasons: dict[str, list[str]] = {}
    for remark in remarks:
        if remark.subject in NO_FEATURES:
            reasons.setdefault(remark.column, []).append(f"{remark.column} {remark.what}")
    return {column: "; ".join(found) for column, found in reasons.items()}


def ignoring(reasons: Mapping[str, str]) -> list[Proposal]:
    """One line for all columns that are no features; a name with a comma in it cannot be listed.

    Args:
        reasons: column -> why it is to be ignored, beginning with its name.
    """
    listable = {column: reason for column, reason in reasons.items() if "," not in column}
    if not listable:
        return []
    return [Proposal("IGNORE_COLUMNS", ",".join(listable), f"{'; '.join(listable.values())}.")]
