"""Asks a sqlite log, before the gate, whether an export would find anything to do.

Standard library only.

`ready` asks the same when the answer is yes; this module only saves a closed gate its imports.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from retraining.prediction_log.times import text_of, time_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from retraining.prediction_log.waits import Waits

PATIENCE = 5.0  # seconds
UNFINISHED = "SELECT 1 FROM exports WHERE model_name = ? AND state = 'prepared' LIMIT 1"
LABELLED = """
    SELECT predictions.request_time, labels.received_time
    FROM predictions INDEXED BY predictions_label_waits
    CROSS JOIN labels ON labels.model_name = predictions.model_name
        AND labels.prediction_id = predictions.prediction_id AND labels.superseded = 0
    WHERE predictions.model_name = ? AND predictions.label_waits = 1
        AND predictions.request_time <= ? AND labels.label IN ({})
    LIMIT ?"""
SILENT = """
    SELECT request_time, NULL FROM predictions INDEXED BY predictions_not_exported
    WHERE model_name = ? AND exported_in IS NULL AND label_waits = 0 AND request_time <= ?
    LIMIT ?"""


def has_work(file: Path, model_name: str, waits: Waits, now: datetime) -> bool:
    """Whether a file of labelled predictions may be exported, or one that was begun must be
    finished.

    True also where the log cannot be asked: the export itself then says what is wrong.
    """
    try:
        address = f"{file.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(address, timeout=PATIENCE, uri=True)) as connection:
            if connection.execute(UNFINISHED, (model_name,)).fetchone():
                return True
            since = list(_ready_since(connection, model_name, waits, now))
    except (sqlite3.Error, ValueError):
        return True
    return waits.lets_a_file_leave(since, now)


def _ready_since(
    connection: sqlite3.Connection, model_name: str, waits: Waits, now: datetime
) -> Iterator[datetime]:
    """Since when the first rows are ready, as many as a file holds at most."""
    cut = text_of(waits.cut(now))
    rows = []
    if waits.classes:
        places = ", ".join("?" * len(waits.classes))
        values = (model_name, cut, *waits.classes, waits.rows_per_file)
        rows += connection.execute(LABELLED.format(places), values).fetchall()
    if waits.if_silent is not None:
        rows += connection.execute(SILENT, (model_name, cut, waits.rows_per_file)).fetchall()
    for asked, received in rows:
        label_came = None if received is None else time_in(received)
        yield waits.ready_since(time_in(asked), label_came)
