"""`monitor` as it is typed: in words, as JSON, without a log, and with wrong days."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from retraining.commands.traffic_seen import size_of_psi
from retraining.prediction_log.connection import JOB, open_database
from retraining.prediction_log.layout import ensure_layout
from tests.prediction_log.material import append, asked, label
from tests.projects import Project

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from retraining.prediction_log.connection import Database


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Project:
    return Project.with_first_model(tmp_path_factory.mktemp("monitored") / "project", empty_store)


@pytest.fixture
def database(project: Project) -> Iterator[Database]:
    """The project's log, with twenty rows of this hour, five of them labelled."""
    made = open_database(f"sqlite:///{project.folder}/predictions/predictions.db", JOB)
    ensure_layout(made)
    ids = [f"p{row}" for row in range(20)]
    now = datetime.now(UTC)
    append(made, asked(*ids, at=now - timedelta(seconds=5)))
    came = {"p0": "0", "p1": "1", "p2": "1", "p3": "1", "p4": "1"}
    label(made, came, received=now)
    yield made
    made.close()


def test_without_a_log_it_says_so(project: Project) -> None:
    told = project.start("monitor", "--json").expect(0).json
    assert (told["predictions"], told["realised"], told["drift"]["detected"]) == (0, None, None)
    assert "no prediction log yet" in project.start("monitor").expect(0).out


def test_days_that_are_none_are_refused(project: Project) -> None:
    for days in ("0", "-3", "4000"):
        assert f"--days {days}" in project.start("monitor", "--days", days).expect(2).error[0]


def test_it_tells_rows_labels_score_and_drift(project: Project, database: Database) -> None:
    told = project.start("monitor", "--json").expect(0).json
    assert (told["predictions"], told["labelled"]) == (20, 5)
    assert told["realised"] == {"value": 0.8, "interval": None, "rows": 5}
    assert told["by_version"][0]["version"] == 1
    assert [day["labelled"] for day in told["days"]] == [5]
    assert (told["drift"]["window_rows"], told["drift"]["reference_version"]) == (20, 1)
    assert told["drift"]["detected"] is None, "one request is not judged"
    said = project.start("monitor").expect(0).out
    for words in ("20 in the last 30 days", "5 (25%)", "accuracy 0.8000", "too few requests"):
        assert words in said


def test_a_store_that_was_moved_away_is_said_and_no_labels_are_denied(
    project: Project, database: Database, tmp_path: Path
) -> None:
    moved = project.copied(tmp_path / "moved")
    (moved.folder / "mlflow_server").rename(tmp_path / "elsewhere")
    for words in (["monitor"], ["monitor", "--alert", "-q"]):
        what, _, remedy = moved.start(*words).expect(3).error
        assert "mlflow.db, a file that is not there" in what
        assert remedy.startswith("Bring it back")
    shutil.rmtree(moved.folder / ".retraining")
    what = moved.start("monitor").expect(3).error[0]
    assert "a file that is not there" in what, "logged predictions tell that there was a store"


def test_a_project_that_registered_nothing_yet_needs_no_store(tmp_path: Path) -> None:
    fresh = Project.made(tmp_path / "fresh")
    assert "no prediction log yet" in fresh.start("monitor").expect(0).out


def test_no_file_is_named_by_a_dash(project: Project) -> None:
    assert "--html -" in project.start("monitor", "--html", "-").expect(2).error[0]


@pytest.mark.parametrize(
    ("psi", "words"), [(-0.01, "little"), (0.1, "moderate"), (0.25, "moderate"), (0.3, "large")]
)
def test_psi_in_words(psi: float, words: str) -> None:
    assert size_of_psi(psi) == words


def test_a_wait_that_is_shorter_than_most_labels_take_is_told(
    project: Project, database: Database
) -> None:
    assert "is shorter" not in project.start("monitor").expect(0).out
    late = {f"p{row}": "1" for row in range(5, 20)}
    label(database, late, received=datetime.now(UTC) + timedelta(days=6))
    said = " ".join(project.start("monitor").expect(0).out.split())
    assert "95 % of these came within 7 days LABEL_WAIT_DAYS=0 is shorter" in said
    project.configure(LABEL_WAIT_DAYS="7")
    assert "is shorter" not in project.start("monitor").expect(0).out
