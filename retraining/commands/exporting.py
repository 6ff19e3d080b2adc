"""What `monitor` writes for others: traffic and its reference as CSV, and rows whose label
production does not know yet.
"""

from __future__ import annotations

import csv
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from typing import TYPE_CHECKING, Any

import orjson

from retraining.cycle.copies import archived_files
from retraining.cycle.drift import own_name
from retraining.datasets.columns import label_text
from retraining.errors import NoProductionModelError, UsageError
from retraining.folders.disks import write_whole
from retraining.prediction_log.reading import reading_if_there
from retraining.prediction_log.ready import rows_of_other_classes
from retraining.prediction_log.traffic import whole_answers
from retraining.sources.predictions.files import SUFFIX, file_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from retraining.model_registry.production import Model
    from retraining.prediction_log.ready import ReadyRow
    from retraining.prediction_log.traffic import WholeAnswer
    from retraining.project import Project
    from retraining.records import LabelKind, RowRange, Schema
    from retraining.settings import Settings

PREDICTIONS, REFERENCE = "predictions.csv", "reference.csv"
MOST_REFERENCE_ROWS = 20_000  # of all learned files, as many of each


@dataclass(frozen=True)
class Labelled:
    """Rows whose label is of a new class: written in so many files, and those that no column of
    labels can hold.
    """

    rows: int
    files: int
    unreadable: int


def export_traffic(
    project: Project, production: Model | None, since: datetime, folder: Path
) -> str:
    """Write `predictions.csv` and `reference.csv`; what was written, in words.

    Args:
        project: whose log and archive.
        production: the version that the reference is of.
        since: from when on.
        folder: made where it is not there.

    Raises:
        NoProductionModelError: no version of this job holds the alias.
        UsageError: the folder cannot be written.
        PredictionLogError: the log cannot be reached or read.
    """
    model = _needed(production, project.settings)
    with _writing_into(folder, "--export"):
        answered = _export_predictions(project.settings, model.schema, since, folder / PREDICTIONS)
        learned = _export_reference(project, model, folder / REFERENCE)
    return (
        f"Wrote {answered:,} rows to {folder / PREDICTIONS}, and {learned:,} that v{model.number} "
        f"learned to {folder / REFERENCE}."
    )


def _export_predictions(settings: Settings, schema: Schema, since: datetime, path: Path) -> int:
    """One row a prediction; a label that did not come is an empty cell."""
    classes = [label_text(label) for label in schema.classes]
    own = ["prediction_id", "request_time", "model_version", "prediction"]
    own += [f"probability {label}" for label in classes]
    head = [*schema.names, schema.target, *(own_name(name, schema) for name in own)]
    aside = path.with_name(f".{path.name}.tmp")
    count = 0
    with aside.open("w", newline="", encoding="utf-8") as stream:
        write = csv.writer(stream).writerow
        write(head)
        with reading_if_there(settings) as connection:
            if connection is not None:
                for one in whole_answers(connection, settings.model_name, since):
                    write(_cells(one, schema, classes))
                    count += 1
    aside.replace(path)
    return count


def _cells(one: WholeAnswer, schema: Schema, classes: list[str]) -> list[Any]:
    features = orjson.loads(one.features)
    cells = [features.get(name) for name in schema.names]
    cells += [one.label, one.prediction_id, one.request_time.isoformat(), one.version]
    return [*cells, one.prediction, *_probabilities(one, classes)]


def _probabilities(one: WholeAnswer, classes: list[str]) -> list[float | None]:
    if not (one.classes and one.probabilities):
        return [None] * len(classes)
    answered = [label_text(label) for label in orjson.loads(one.classes)]
    by_class = dict(zip(answered, orjson.loads(one.probabilities), strict=True))
    return [by_class.get(label) for label in classes]


def _export_reference(project: Project, model: Model, path: Path) -> int:
    """Rows that the version learned, of every file of the archive that is there."""
    files = archived_files(project)
    there = [(files[digest], ranges) for digest, ranges in model.learned.items() if digest in files]
    each = -(-MOST_REFERENCE_ROWS // max(1, len(there)))
    parts = [(file, _first_rows(ranges, each)) for file, ranges in there]
    features, labels = project.tables.features_and_labels(parts, model.schema)
    features[model.schema.target] = labels
    write_whole(path, features.to_csv(index=False))
    return len(features)


def _first_rows(ranges: tuple[RowRange, ...], count: int) -> list[RowRange]:
    """The ranges, cut off after so many rows."""
    first: list[RowRange] = []
    for start, stop in ranges:
        end = min(stop, start + count)
        if end > start:
            first.append((start, end))
        count -= end - start
    return first


def export_labelled(project: Project, production: Model | None, folder: Path) -> Labelled:
    """Write the rows whose label is no class of production as files for
    `register_first_model.py --train-from`.

    Nothing is marked in the log: once a version knows the class, they are exported like any other.

    Raises:
        NoProductionModelError: no version of this job holds the alias.
        UsageError: the folder cannot be written.
        PredictionLogError: the log cannot be reached or read.
    """
    settings, schema = project.settings, _needed(production, project.settings).schema
    classes = [label_text(label) for label in schema.classes]
    rows = files = unreadable = 0
    with _writing_into(folder, "--export-labelled"), reading_if_there(settings) as connection:
        if connection is None:
            return Labelled(0, 0, 0)
        found = rows_of_other_classes(connection, settings.model_name, classes)
        while some := list(islice(found, settings.predictions_rows_per_file)):
            fitting = [row for row in some if _is_readable(row, schema.label_kind)]
            unreadable += len(some) - len(fitting)
            if fitting:
                content = file_of(fitting, schema)
                name = f"labelled-{files:04d}-{sha256(content).hexdigest()[:8]}.{SUFFIX}"
                write_whole(folder / name, content)
                rows, files = rows + len(fitting), files + 1
    return Labelled(rows, files, unreadable)


def _is_readable(row: ReadyRow, kind: LabelKind) -> bool:
    """Whether the label can stand in a column of that kind; of booleans there is no third class."""
    if kind == "integer":
        return row.label.removeprefix("-").isdecimal()
    return kind == "string"


def labelled_in_words(labelled: Labelled, folder: Path, command: str) -> str:
    """What was written, and how to go on."""
    left = ""
    if labelled.unreadable:
        left = f" {labelled.unreadable:,} labels cannot be read as this target's."
    if not labelled.files:
        return f"No logged row has a label of a new class that could be written.{left}"
    return (
        f"Wrote {labelled.rows:,} rows in {labelled.files} files to {folder}.{left} "
        f"`{command} --train-from {folder}` makes a version that knows these classes."
    )


def _needed(production: Model | None, settings: Settings) -> Model:
    if production is None:
        raise NoProductionModelError(
            f"No version of this job holds the alias {settings.production_alias!r}, so nobody knows"
            " the columns.",
            remedy="Register a model and give it the alias: `register_first_model.py --set-alias`.",
        )
    return production


@contextmanager
def _writing_into(folder: Path, flag: str) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise UsageError(
            f"{flag} {folder}: {error.strerror or error}.",
            remedy="Name a folder that may be written to, on a disk with room.",
        ) from error
