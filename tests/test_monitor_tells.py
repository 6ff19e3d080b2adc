"""What `monitor` writes where it is asked to: alerts once a spell, and files for other tools and
for a new class.
"""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
import sqlalchemy as sa

from retraining.prediction_log.connection import JOB, open_database
from retraining.prediction_log.layout import ensure_layout
from retraining.prediction_log.tables import predictions
from tests.prediction_log.material import append, asked, label
from tests.projects import Project

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from retraining.prediction_log.connection import Database

NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Project:
    made = Project.with_first_model(tmp_path_factory.mktemp("telling") / "project", empty_store)
    made.configure(DRIFT_WINDOW_HOURS="0", METRICS_TEXTFILE="retraining.prom")
    return made


@pytest.fixture
def database(project: Project) -> Iterator[Database]:
    made = open_database(f"sqlite:///{project.folder}/predictions/predictions.db", JOB)
    ensure_layout(made)
    with made.writing() as connection:
        connection.execute(sa.delete(predictions))
    yield made
    made.close()


def features(project: Project, rows: int) -> dict[str, list[Any]]:
    """Rows of the archive, as a request would bring them."""
    files = sorted((project.folder / "used_data").glob("*.csv"))
    data = pd.concat([pd.read_csv(path) for path in files]).drop(columns="target")
    return data.sample(rows, replace=True, random_state=1).to_dict("list")


def answer(database: Database, columns: dict[str, list[Any]], minutes_ago: float = 1) -> None:
    """Twenty requests of the same kind of rows."""
    rows = len(next(iter(columns.values()))) // 20
    for number in range(20):
        part = {
            name: values[number * rows : (number + 1) * rows] for name, values in columns.items()
        }
        at = NOW - timedelta(minutes=minutes_ago, seconds=20 - number)
        ids = [f"{at.timestamp()}-{row}" for row in range(rows)]
        answers = [str(row % 2) for row in range(rows)]
        sure = [[0.01, 0.99] if one == "1" else [0.99, 0.01] for one in answers]
        append(
            database,
            asked(*ids, at=at, features=part, predictions=answers, probabilities=sure),
        )


def alert_lines(project: Project) -> list[dict[str, Any]]:
    path = project.folder / ".retraining" / "alerts.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return [one for one in map(json.loads, lines) if one["kind"] == "data_drift"]


def gauge(project: Project, kind: str) -> str:
    text = (project.folder / "retraining.prom").read_text()
    (line,) = [one for one in text.splitlines() if f'kind="{kind}"' in one]
    return line.split()[-1]


def test_alerts_are_told_once_a_spell_and_exit_4_lasts_as_long_as_it(
    project: Project, database: Database
) -> None:
    calm = features(project, 400)
    answer(database, calm, minutes_ago=60)
    assert project.start("monitor", "--alert", "--json").expect(0).json["alerts"] == []
    assert alert_lines(project) == []
    number = next(name for name, values in calm.items() if isinstance(values[0], float))
    answer(database, {**calm, number: [one + 1000 for one in calm[number]]}, minutes_ago=30)
    window = {"DRIFT_DETECTION_WINDOW": "400"}
    told = project.start("monitor", "--alert", "--json", **window).expect(4).json
    assert [one["kind"] for one in told["alerts"]] == ["data_drift"]
    (line,) = alert_lines(project)
    assert line["action_required"] == line["try"]
    assert number in line["what"]
    assert gauge(project, "data_drift") == "1.0"
    assert gauge(project, "concept_drift") == "0.0"
    project.start("monitor", "--alert", "-q", **window).expect(4)
    assert len(alert_lines(project)) == 1, "the same spell"
    answer(database, calm, minutes_ago=10)
    told = project.start("monitor", "--alert", "--json", **window)
    assert (told.code, told.json["alerts"]) == (0, [])
    assert gauge(project, "data_drift") == "0.0"
    answer(database, {**calm, number: [one + 1000 for one in calm[number]]}, minutes_ago=5)
    project.start("monitor", "--alert", "-q", **window).expect(4)
    assert len(alert_lines(project)) == 2, "a spell of its own"


def test_without_the_word_nothing_is_told(project: Project, database: Database) -> None:
    before = alert_lines(project)
    calm = features(project, 400)
    answer(database, {name: values[:1] * 400 for name, values in calm.items()})
    project.start("monitor", "--json").expect(0)
    assert alert_lines(project) == before


def test_traffic_and_its_reference_are_written_for_other_tools(
    project: Project, database: Database, tmp_path: Path
) -> None:
    columns = features(project, 40)
    answer(database, columns)
    label(database, {f"{(NOW - timedelta(minutes=1, seconds=20)).timestamp()}-0": "0"})
    said = project.start("monitor", "--export", str(tmp_path / "out")).expect(0).out
    assert "40 rows" in said
    with (tmp_path / "out" / "predictions.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 40
    assert [row["target"] for row in rows].count("0") == 1
    assert [row["prediction"] for row in rows] == ["0", "1"] * 20
    assert [row["probability 1"] for row in rows] == ["0.01", "0.99"] * 20
    name = next(iter(columns))
    assert [row[name] for row in rows] == [str(one) for one in columns[name]]
    reference = pd.read_csv(tmp_path / "out" / "reference.csv")
    assert set(reference.columns) == {*columns, "target"}
    archived = sum(len(pd.read_csv(one)) for one in (project.folder / "used_data").glob("*.csv"))
    assert 0.5 * archived < len(reference) < archived, "what was reserved was not learned"


def test_rows_of_a_new_class_become_files_that_a_first_model_can_learn(
    project: Project, database: Database, tmp_path: Path
) -> None:
    answer(database, features(project, 40))
    first = (NOW - timedelta(minutes=1, seconds=20)).timestamp()
    second = (NOW - timedelta(minutes=1, seconds=19)).timestamp()
    given = {f"{first}-0": "7", f"{first}-1": "1", f"{second}-0": "seven"}
    label(database, given, classes=["1"])
    flag = ("monitor", "--export-labelled", str(tmp_path / "out"))
    said = project.start(*flag).expect(0).out
    assert "Wrote 1 rows in 1 files" in said
    assert "1 labels cannot be read" in said
    (path,) = (tmp_path / "out").iterdir()
    table = pd.read_parquet(path)
    assert table["target"].tolist() == [7]
    assert table["prediction_id"].tolist() == [f"{first}-0"]
