"""The challenger on the last logged rows: where it agrees with production, and where it fails."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest

from retraining import settings
from retraining.cycle.comparing import compare_on
from retraining.cycle.on_traffic import fails_on_traffic, try_on_traffic
from retraining.cycle.training import train_challenger
from retraining.cycle.training_set import freeze_test_set, trace_lineage
from retraining.outcomes import TrafficTrial
from retraining.prediction_log.connection import JOB, open_database
from retraining.prediction_log.layout import ensure_layout
from retraining.records import Column, Schema
from tests.prediction_log.material import NOON, append, asked

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from retraining.cycle.job import Job
    from retraining.prediction_log.connection import Database
    from tests.cycle.desk import Desk

SCHEMA = Schema(
    (Column("x", "number"), Column("word", "string", ("a",))), "target", "integer", (0, 1), 1
)


class AtMostTen:
    """Answers 1 from 5 on, and raises where a value is over ten."""

    classes_ = np.array([0, 1])

    def predict(self, rows: Any) -> Any:
        if (rows["x"] > 10).any():
            raise ValueError("over ten")
        return (rows["x"] >= 5).astype(int).to_numpy()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    (tmp_path / "predictions").mkdir()
    made = open_database(f"sqlite:///{tmp_path}/predictions/predictions.db", JOB)
    ensure_layout(made)
    yield made
    made.close()


def job(folder: Path, *, shows_pages: bool = True) -> Job:
    loaded = settings.load(folder, {})
    return cast("Job", SimpleNamespace(settings=loaded, shows_pages=shows_pages))


def log_rows(database: Database, x: list[Any], predictions: list[Any]) -> None:
    words = ["a", None, "never seen"] * len(x)
    features = {"x": x, "word": words[: len(x)]}
    ids = [f"row-{place}" for place in range(len(x))]
    append(database, asked(*ids, at=NOON, features=features, predictions=predictions))


def test_agreement_is_the_share_that_it_answers_as_production_did(
    database: Database, tmp_path: Path
) -> None:
    log_rows(database, [1.0, 6.0, None, 7.0], ["0", "1", "1", "0"])
    assert try_on_traffic(job(tmp_path), AtMostTen(), SCHEMA) == TrafficTrial(4, 0.5, 0)


def test_each_row_on_which_it_fails_is_counted_and_the_others_compared(
    database: Database, tmp_path: Path
) -> None:
    x = [float(value) for value in range(14)]
    log_rows(database, x, ["0"] * 5 + ["1"] * 9)
    trial = try_on_traffic(job(tmp_path), AtMostTen(), SCHEMA)
    assert trial == TrafficTrial(14, 1.0, 3)
    veto = fails_on_traffic(trial)
    assert veto.act
    assert (
        veto.reason
        == "the challenger fails on 3 of the last 14 logged rows, which production answered"
    )


def test_rows_that_nobody_answered_and_values_of_an_older_kind_do_not_count_against_it(
    database: Database, tmp_path: Path
) -> None:
    log_rows(database, ["a word", 6.0], ["0", None])
    assert try_on_traffic(job(tmp_path), AtMostTen(), SCHEMA) == TrafficTrial(1, 1.0, 0)


def test_without_a_log_there_is_nothing_to_try(tmp_path: Path) -> None:
    assert try_on_traffic(job(tmp_path), AtMostTen(), SCHEMA) is None
    assert not fails_on_traffic(None).act


def test_a_replay_is_not_judged_by_the_traffic_of_today(database: Database, tmp_path: Path) -> None:
    log_rows(database, [1.0], ["0"])
    assert try_on_traffic(job(tmp_path, shows_pages=False), AtMostTen(), SCHEMA) is None


def test_a_log_that_cannot_be_read_fails_no_cycle(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "predictions"
    folder.mkdir()
    (folder / "predictions.db").write_bytes(b"no database" * 100)
    assert try_on_traffic(job(tmp_path), AtMostTen(), SCHEMA) is None
    assert "was not tried on traffic" in caplog.text


def test_a_challenger_that_fails_in_traffic_does_not_win(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.deliver(4)
    failed = TrafficTrial(10, 0.9, 1)
    monkeypatch.setattr("retraining.cycle.comparing.try_on_traffic", lambda *_: failed)
    with desk.opened() as cycle:
        lineage = trace_lineage(cycle)
        test_set = freeze_test_set(cycle, lineage)
        challenger = train_challenger(cycle, lineage, test_set, "asked for")
        found = compare_on(cycle, test_set, challenger)
    assert found.traffic == failed
    assert found.veto.act
    assert "1 of the last 10 logged rows" in found.veto.reason
