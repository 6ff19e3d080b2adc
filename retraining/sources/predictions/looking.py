"""Looks at the prediction log for `check` and `status`; nothing is written."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from retraining.folders.disks import may_write_in
from retraining.phrases import first_few, how_many
from retraining.prediction_log.connection import JOB, open_database
from retraining.prediction_log.counts import (
    ids_with_other_features,
    later_than,
    log_counts,
    other_exporters,
    size_on_a_server,
    stray_labels,
)
from retraining.prediction_log.label_ages import (
    WHY_TO_WAIT,
    is_too_short,
    labels_in_days,
    newest_delays,
)
from retraining.prediction_log.layout import layout_of
from retraining.sources import Finding
from retraining.sources.predictions.fetching import no_such_class, owner_of
from retraining.sources.predictions.waiting import waits_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from retraining.prediction_log.connection import Database
    from retraining.prediction_log.counts import LogCounts
    from retraining.records import Schema
    from retraining.settings import Settings

A_DAY = timedelta(days=1)
LARGE = 10 << 30  # bytes
ROOM = 16 << 20  # bytes: sqlite writes some 4 MB beside a log before it takes them into it
CLASSES_NAMED = 5
OWNERS_NAMED = 3


def counts(settings: Settings, schema: Schema | None) -> LogCounts | None:
    """How much is logged, labelled and exported; None where there is no log.

    Raises:
        PredictionLogError: it cannot be reached or read.
    """
    if not settings.has_prediction_log:
        return None
    database = open_database(settings.prediction_log_uri, JOB)
    try:
        if layout_of(database) is None:
            return None
        classes = () if schema is None else tuple(map(str, schema.classes))
        with database.reading() as connection:
            return log_counts(connection, settings.model_name, classes)
    finally:
        database.close()


def findings(settings: Settings, schema: Schema | None) -> Iterator[Finding]:
    """What a person should know of the log.

    Raises:
        PredictionLogError: it cannot be reached or read.
    """
    if schema is not None and waits_of(settings, schema) is None:
        error = no_such_class(settings, schema)
        yield Finding(error.what, error.remedy, error.exit_code)
    database = open_database(settings.prediction_log_uri, JOB)
    try:
        if layout_of(database) is not None:
            yield from _rights(database)
            yield from _labels(settings, schema, database)
            yield from _clocks(settings, database)
            yield from _wait(settings, database)
            yield from _other_projects(settings, database)
            yield from _size(settings, database)
            yield from _room(database)
    finally:
        database.close()


def _rights(database: Database) -> Iterator[Finding]:
    file = database.file
    if file is None or (os.access(file, os.W_OK) and may_write_in(file.parent)):
        return
    what = f"The prediction log {file} may not be written by this user: no row can be exported."
    yield Finding(what, "Mend the rights of the file and of its folder, or run as its owner.")


def _labels(settings: Settings, schema: Schema | None, database: Database) -> Iterator[Finding]:
    model = settings.model_name
    classes = () if schema is None else tuple(map(str, schema.classes))
    yesterday = datetime.now(UTC) - A_DAY
    with database.reading() as connection:
        stray = stray_labels(connection, model, classes, long_before=yesterday)
        things = ids_with_other_features(connection, model)
    if things:
        what = (
            f"{things:,} prediction ids came again with other features: only their first rows are"
            " logged."
        )
        yield Finding(what, "Send an id of each prediction, not of the thing that it is about.")
    if stray.unknown:
        what = (
            f"{stray.unknown:,} labels are for predictions that are not in the log;"
            f" {stray.unknown_for_long:,} of them came more than a day ago."
        )
        remedy = "Compare the ids that are sent to /predict and to /labels; see docs/labels.md."
        yield Finding(what, remedy)
    if schema is not None and stray.new_class:
        named = [f"{text!r} ({count:,})" for text, count in stray.new_class.items()]
        what = f"Labels of no class that production knows: {first_few(named, CLASSES_NAMED)}."
        remedy = (
            f"`{settings.command} monitor --export-labelled DIR` writes such rows as files for"
            f" `{settings.register_command} --train-from`; if they are mistakes, send the"
            " right labels."
        )
        yield Finding(what, remedy)
    if stray.changed_after_export:
        what = f"{stray.changed_after_export:,} labels changed after their rows had been exported."
        remedy = "With a larger LABEL_WAIT_DAYS fewer labels change after the export."
        yield Finding(what, remedy)


def _clocks(settings: Settings, database: Database) -> Iterator[Finding]:
    tomorrow = datetime.now(UTC) + A_DAY
    with database.reading() as connection:
        of_later = later_than(connection, settings.model_name, tomorrow)
    if of_later.predictions:
        what = f"{of_later.predictions:,} predictions are from more than a day in the future."
        remedy = "Mend the service's clock; they are exported when their time has come."
        yield Finding(what, remedy)
    if of_later.labels:
        what = f"{of_later.labels:,} labels have a label_time more than a day in the future."
        remedy = "A correction counts only with a later label_time: mend the clock that sends them."
        yield Finding(what, remedy)


def _wait(settings: Settings, database: Database) -> Iterator[Finding]:
    """Whether rows wait long enough for their labels."""
    wait = settings.label_wait_days
    if settings.label_if_silent is not None and not wait:
        what = (
            f"LABEL_IF_SILENT={settings.label_if_silent} labels each prediction as soon as it is"
            " made: LABEL_WAIT_DAYS is 0."
        )
        yield Finding(what, "Set LABEL_WAIT_DAYS to the days after which silence is an answer.")
    with database.reading() as connection:
        delays = newest_delays(connection, settings.model_name)
    in_days = labels_in_days(delays)
    if in_days is not None and is_too_short(wait, in_days):
        what = (
            f"95 % of the last {how_many(delays.size, 'label')} came within"
            f" {how_many(in_days, 'day')}, and LABEL_WAIT_DAYS={wait:g} is shorter:"
            f" {WHY_TO_WAIT}."
        )
        yield Finding(what, f"Set LABEL_WAIT_DAYS={in_days} or more.")


def _other_projects(settings: Settings, database: Database) -> Iterator[Finding]:
    with database.reading() as connection:
        others = other_exporters(connection, settings.model_name, owner_of(settings))
    if others:
        what = (
            f"Rows of {settings.model_name!r} are exported from this log by another project too:"
            f" {first_few(others, OWNERS_NAMED)}."
        )
        yield Finding(what, "Projects that share a log each need a MODEL_NAME of their own.")


def _size(settings: Settings, database: Database) -> Iterator[Finding]:
    if settings.prediction_retention_days is not None:
        return
    if database.file is not None:
        size = database.file.stat().st_size
    else:
        with database.reading() as connection:
            size = size_on_a_server(connection)
    if size > LARGE:
        what = (
            f"The prediction log {database.shown} holds {size / (1 << 30):.0f} GB,"
            " and nothing is ever removed."
        )
        yield Finding(what, "Set PREDICTION_RETENTION_DAYS.")


def _room(database: Database) -> Iterator[Finding]:
    if database.file is None:
        return
    free = shutil.disk_usage(database.file.parent).free
    if free < ROOM:
        what = (
            f"The disk of the prediction log {database.file} has {free / (1 << 20):.1f} MB left:"
            " answers and labels cannot be logged once it is full."
        )
        yield Finding(what, "Free some space, or move the log: PREDICTION_LOG_URI.")
