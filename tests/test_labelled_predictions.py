"""A project with a prediction log, from outside: the gate, the cycle, and what the commands tell of
it.
"""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from retraining.prediction_log.appending import append_all
from retraining.prediction_log.connection import JOB, open_database
from retraining.prediction_log.labels import GivenLabel, take_labels
from retraining.prediction_log.layout import ensure_layout
from retraining.prediction_log.rows import AnsweredRequest
from tests.projects import table
from tests.test_architecture import packages_loaded_by

if TYPE_CHECKING:
    from tests.projects import Project

MODEL = "classifier"


@pytest.fixture
def logged(registered: Project) -> Project:
    """Ninety labelled predictions, which fill three files of thirty."""
    registered.configure(PREDICTIONS_ROWS_PER_FILE="30")
    log(registered, "a", rows=90, seed=41)
    return registered


def log(project: Project, prefix: str, *, rows: int, seed: int, labelled: bool = True) -> None:
    """Write rows of the project's kind into its log, as the service does."""
    records = list(csv.DictReader(io.StringIO(table(rows, seed=seed))))
    labels = [record.pop("target") for record in records]
    ids = [f"{prefix}-{number:03d}" for number in range(rows)]
    columns = {name: [_value(record[name]) for record in records] for name in records[0]}
    database = open_database(f"sqlite:///{project.folder}/predictions/predictions.db", JOB)
    ensure_layout(database)
    now = datetime.now(UTC)
    request = AnsweredRequest(f"r-{prefix}", now, 1, ids, True, columns, labels)
    with database.writing() as connection:
        append_all(connection, MODEL, [request])
    if labelled:
        given = [GivenLabel(i, text, True) for i, text in zip(ids, labels, strict=True)]
        take_labels(database, MODEL, given, now)
    database.close()


def _value(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text or None


def test_a_cycle_judges_what_was_predicted_and_labelled(logged: Project) -> None:
    told = logged.cycle("--force")
    assert told["new_rows"] == 90
    assert "export from the prediction log" in told["seconds"]
    files = logged.names("new_data") | logged.names("used_data")
    assert sum(name.startswith("predictions-") for name in files) == 3
    shown = logged.start("explain").expect(0).out
    assert "90 rows in 3 of the files are labelled predictions" in " ".join(shown.split())


def test_a_closed_gate_asks_the_log_by_the_standard_library_alone(logged: Project) -> None:
    logged.configure(MIN_NEW_FILES="50")
    assert logged.cycle()["ending"] == "too_few_files"
    log(logged, "waits", rows=20, seed=42)
    assert packages_loaded_by(logged, "-q") == "0 []"
    log(logged, "fills", rows=20, seed=43)
    assert "sqlalchemy" in packages_loaded_by(logged, "-q"), "thirty of the forty fill a file"
    assert packages_loaded_by(logged, "-q") == "0 []"


def test_a_dry_run_exports_nothing_and_says_so_while_there_is_something(logged: Project) -> None:
    words = "the prediction log may have new rows, which a cycle exports first"
    assert words in logged.start("run", "--dry-run").expect(0).err
    assert words in logged.start("run", "--dry-run", "--force").expect(0).err
    assert not logged.names("new_data")
    logged.configure(MIN_NEW_FILES="50")
    logged.cycle()
    assert words not in logged.start("run", "--dry-run").expect(0).err


def test_status_counts_the_log_and_check_is_content(logged: Project) -> None:
    log(logged, "silent", rows=10, seed=44, labelled=False)
    logged.configure(MIN_NEW_FILES="50")
    logged.cycle()
    told = logged.start("status", "--json").expect(0).json["predictions"]
    assert told == {"logged": 100, "labelled": 90, "exported": 90}
    assert "100 logged, 90 labelled, 90 exported" in logged.start("status").expect(0).out
    assert not logged.start("check", "--json").json["problems"]


def test_a_log_that_is_damaged_keeps_the_files_at_hand_from_nobody(logged: Project) -> None:
    logged.cycle("--force")
    for path in (logged.folder / "predictions").iterdir():
        path.write_bytes(b"no database")
    logged.deliver(*(table(40, seed=50 + k) for k in range(3)))
    done = logged.start("run", "--json").expect(69)
    assert done.json["new_rows"] == 120
    assert "predictions.db is no sqlite database" in done.err


def test_forgotten_predictions_are_gone_and_their_file_is_named(logged: Project) -> None:
    logged.configure(MIN_NEW_FILES="50")
    logged.cycle()
    told = logged.start("forget", "--json", "--prediction", "a-001", "nobody").expect(0).json
    assert told["unknown"] == ["nobody"]
    assert told["forgotten"]["a-001"].startswith("predictions-00000001-")
    assert logged.start("status", "--json").json["predictions"]["logged"] == 89
    assert logged.start("forget", "--prediction", "a-002", "--", "x.csv").code == 2
