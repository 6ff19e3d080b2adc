"""Labelled predictions become files, each row in one, whatever is killed when.

And what `check` says of the log.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest

from retraining.datasets.typed_reading import read_typed
from retraining.errors import SettingsError
from retraining.folders.local_state import sha256_of
from retraining.prediction_log.connection import JOB, open_database
from retraining.prediction_log.layout import ensure_layout
from retraining.records import Column, DataFile, Schema
from retraining.settings import load
from retraining.sources import predictions, sources_of
from retraining.sources.predictions import looking
from retraining.sources.predictions.files import file_of
from tests.prediction_log.material import append, asked, label, logged

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from retraining.prediction_log.connection import Database
    from retraining.settings import Settings

SCHEMA = Schema(
    (Column("x", "number"), Column("city", "string"), Column("ok", "boolean")),
    target="target",
    label_kind="integer",
    classes=(0, 1),
    ignored=("record_id",),
)
BOTH = ("sqlite", pytest.param("postgresql", marks=pytest.mark.postgres))
PLACES = (
    "predictions_after_aside",
    "predictions_after_claim",
    "predictions_after_rename",
    "predictions_after_delivered",
)
HASTE = {"PREDICTIONS_ROWS_PER_FILE": "4", "PREDICTIONS_FILE_WAIT_HOURS": "0"}
NOW = datetime(2026, 3, 20, tzinfo=UTC)


@pytest.fixture(params=BOTH)
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """A project with a log and empty folders."""
    for name in ("new_data", "used_data", "predictions"):
        (tmp_path / name).mkdir()
    uri = f"sqlite:///{tmp_path}/predictions/predictions.db"
    if request.param == "postgresql":
        uri = request.getfixturevalue("postgres").new_database()
    return load(tmp_path, {**HASTE, "PREDICTION_LOG_URI": uri})


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    made = open_database(settings.prediction_log_uri, JOB)
    ensure_layout(made)
    yield made
    made.close()


def fetch(settings: Settings, schema: Schema | None = SCHEMA) -> tuple[str, ...]:
    return predictions.open_source(settings).fetch(schema, lambda: NOW).files


def rows_in_files(settings: Settings) -> Counter[str]:
    found: Counter[str] = Counter()
    for path in settings.new_data_dir.glob("predictions-*.parquet"):
        found.update(pq.read_table(path).column("prediction_id").to_pylist())
    return found


def ten_labelled(database: Database) -> list[str]:
    ids = [f"id-{k}" for k in range(10)]
    append(database, asked(*ids))
    label(database, {name: str(k % 2) for k, name in enumerate(ids)})
    return ids


def test_files_hold_the_rows_with_the_types_of_the_schema_and_are_read_as_such(
    settings: Settings, database: Database
) -> None:
    features = {
        "x": [1, None, 0.1], "city": ["", "NA", "a,\"b\r\nŽ ☃"], "ok": [True, None, False],
        "record_id": ["r1", None, 7],
    }  # fmt: skip
    append(database, asked("a", "b", "c", features=features))
    label(database, {"a": "1", "b": "0", "c": "1"})
    (name,) = fetch(settings)
    table = pq.read_table(settings.new_data_dir / name).to_pydict()
    assert table == {
        "record_id": ["r1", None, "7"],
        "x": [1.0, None, 0.1],
        "city": [None, "NA", 'a,"b\r\nŽ ☃'],
        "ok": [True, None, False],
        "prediction_id": ["a", "b", "c"],
        "target": [1, 0, 1],
    }
    path = settings.new_data_dir / name
    file = DataFile(name, sha256_of(path), path)
    facts = read_typed(file, SCHEMA, settings, lambda batch: None)
    assert (facts.rows, facts.labelled_rows) == (3, 3)


def test_what_an_older_version_lacked_or_held_otherwise_is_missing(
    settings: Settings, database: Database
) -> None:
    features = {"x": ["seven"], "old": [1]}
    append(database, asked("a", features=features))
    label(database, {"a": "1"})
    (name,) = fetch(settings)
    table = pq.read_table(settings.new_data_dir / name).to_pydict()
    assert (table["x"], table["city"], table["ok"]) == ([None], [None], [None])
    assert "old" not in table


def test_full_files_leave_then_the_rest_and_nothing_twice(
    settings: Settings, database: Database
) -> None:
    ids = ten_labelled(database)
    names = fetch(settings)
    assert [pq.read_table(settings.new_data_dir / n).num_rows for n in names] == [4, 4, 2]
    assert rows_in_files(settings) == Counter(ids)
    assert fetch(settings) == ()
    assert {row.exported_in for row in logged(database).values()} == set(names)


@pytest.mark.parametrize("place", PLACES)
def test_an_export_that_was_killed_anywhere_is_finished_by_the_next(
    settings: Settings, database: Database, place: str
) -> None:
    ids = ten_labelled(database)
    database.close()
    child = os.fork()
    if child == 0:
        from retraining import kill_points

        kill_points.kill_at(f"{place}:2")
        try:
            fetch(settings)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -9
    fetch(settings)
    assert rows_in_files(settings) == Counter(ids)
    assert not list(settings.new_data_dir.glob(".*"))


def test_a_file_that_was_claimed_and_lost_gives_its_rows_back(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = ten_labelled(database)
    from retraining.sources.outbox import Outbox

    monkeypatch.setattr(Outbox, "publish", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        fetch(settings)
    monkeypatch.undo()
    for path in settings.new_data_dir.glob(".predictions-*"):
        path.unlink()  # the disk lost it
    fetch(settings)
    assert rows_in_files(settings) == Counter(ids)


def test_without_a_schema_nothing_leaves_and_what_silence_means_must_be_a_class(
    settings: Settings, database: Database
) -> None:
    ten_labelled(database)
    assert fetch(settings, None) == ()
    with pytest.raises(SettingsError, match="LABEL_IF_SILENT"):
        fetch(settings._replace(label_if_silent="good"))
    assert rows_in_files(settings) == Counter()


def test_the_job_looks_for_a_log_only_where_there_is_one(tmp_path: Path) -> None:
    assert sources_of(load(tmp_path, {})) == ()
    (tmp_path / "predictions").mkdir()
    (tmp_path / "predictions" / "predictions.db").touch()
    assert [source.name for source in sources_of(load(tmp_path, {}))] == ["the prediction log"]


def test_check_tells_what_cannot_become_a_file(settings: Settings, database: Database) -> None:
    assert list(looking.findings(settings, SCHEMA)) == []
    long_ago = datetime.now(UTC) - timedelta(days=3)
    ten_labelled(database)
    fetch(settings)
    label(database, {"stranger": "1", "id-1": "0"}, received=long_ago + timedelta(days=1))
    label(database, {"another": "1"}, received=datetime.now(UTC))
    append(database, asked("odd"), asked("id-1", features={"x": [99.0]}))
    label(database, {"odd": "spam"}, received=long_ago)
    told = "\n".join(finding.what for finding in looking.findings(settings, SCHEMA))
    assert "1 prediction ids came again with other features" in told
    assert "2 labels are for predictions that are not in the log; 1 of them came more" in told
    assert "'spam' (1)" in told
    assert "1 labels changed after" in told
    counts = looking.counts(settings, SCHEMA)
    assert counts is not None
    assert (counts.logged, counts.labelled, counts.exported) == (11, 10, 10)


def test_check_names_a_large_log_of_which_nothing_is_removed(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(database, asked("a"))
    monkeypatch.setattr(looking, "LARGE", 100)
    [large] = looking.findings(settings, SCHEMA)
    assert "nothing is ever removed" in large.what
    assert large.remedy == "Set PREDICTION_RETENTION_DAYS."
    kept_for_a_year = settings._replace(prediction_retention_days=365)
    assert list(looking.findings(kept_for_a_year, SCHEMA)) == []


def test_check_tells_what_a_clock_that_is_ahead_wrote(
    settings: Settings, database: Database
) -> None:
    ahead = datetime.now(UTC) + timedelta(days=2)
    append(database, asked("a", at=ahead), asked("b", "c"))
    label(database, {"b": "1"}, when=ahead)
    told = [finding.what for finding in looking.findings(settings, SCHEMA)]
    assert told == [
        "1 predictions are from more than a day in the future.",
        "1 labels have a label_time more than a day in the future.",
    ]


def test_check_warns_while_the_wait_is_shorter_than_most_labels_take(
    settings: Settings, database: Database
) -> None:
    ten_labelled(database)
    then = datetime.now(UTC) - timedelta(days=20)
    late = [f"late-{number}" for number in range(10)]
    append(database, *(replace(asked(name), request_time=then) for name in late))
    label(database, dict.fromkeys(late, "1"), received=then + timedelta(days=6, hours=3))

    def warned(days: float) -> str:
        waiting = settings._replace(label_wait_days=days)
        return "\n".join(" ".join(finding[:2]) for finding in looking.findings(waiting, SCHEMA))

    assert "95 % of the last 20 labels came within 7 days, and LABEL_WAIT_DAYS=0.5" in warned(0.5)
    assert "Set LABEL_WAIT_DAYS=7 or more." in warned(6)
    assert "95 %" not in warned(7)


def test_check_warns_of_silence_that_is_a_label_at_once(
    settings: Settings, database: Database
) -> None:
    del database
    silent = settings._replace(label_if_silent="0")
    assert "as soon as it is made" in next(iter(looking.findings(silent, SCHEMA))).what
    assert list(looking.findings(silent._replace(label_wait_days=30.0), SCHEMA)) == []


def test_check_tells_of_two_projects_that_export_the_rows_of_one_model(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    elsewhere = settings._replace(project=tmp_path / "elsewhere")
    for number, one in enumerate((settings, elsewhere)):
        append(database, asked(*(f"{number}-{k}" for k in range(4))))
        label(database, {f"{number}-{k}": "1" for k in range(4)})
        assert len(fetch(one)) == 1
    assert list(looking.findings(elsewhere, SCHEMA)) == [], "for all we know it was moved there"
    [told] = looking.findings(settings, SCHEMA)
    assert str(elsewhere.project) in told.what
    assert "MODEL_NAME" in told.remedy


def test_check_tells_of_a_disk_that_is_nearly_full(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "ROOM", 1 << 60)  # more than any disk has
    told = [finding.what for finding in looking.findings(settings, SCHEMA)]
    if database.is_sqlite:
        assert ["MB left" in what for what in told] == [True], told
    else:
        assert told == []


def test_a_boolean_label_keeps_its_kind(tmp_path: Path) -> None:
    from retraining.prediction_log.ready import ReadyRow

    row = ReadyRow("a", "r", 0, NOW, 1, json.dumps({"x": 1}), "True", NOW)
    schema = replace(SCHEMA, label_kind="boolean", classes=(False, True))
    (tmp_path / "f.parquet").write_bytes(file_of([row], schema))
    assert pq.read_table(tmp_path / "f.parquet").column("target").to_pylist() == [True]
