"""What the settings say of how long rows wait. Standard library only: a closed gate asks it too."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from retraining.prediction_log.waits import Waits

if TYPE_CHECKING:
    from retraining.records import Schema
    from retraining.settings import Settings


def waits_of(settings: Settings, schema: Schema) -> Waits | None:
    """The waits of a project; None where LABEL_IF_SILENT names no class of the schema."""
    classes = tuple(map(str, schema.classes))  # as the log writes labels down
    silent = settings.label_if_silent
    if silent is not None:
        if schema.label_kind == "boolean":
            silent = silent.capitalize()
        if silent not in classes:
            return None
    return Waits(
        classes=classes,
        label_wait=timedelta(days=settings.label_wait_days),
        if_silent=silent,
        rows_per_file=settings.predictions_rows_per_file,
        file_wait=timedelta(hours=settings.predictions_file_wait_hours),
    )
