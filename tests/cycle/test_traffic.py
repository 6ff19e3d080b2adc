"""Realised scores, coverage and drift of traffic, against numbers computed here."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import orjson
import pytest
from sklearn.metrics import f1_score, roc_auc_score

from retraining import settings
from retraining.cycle.drift import Sketch
from retraining.cycle.traffic import Traffic, first_moment, read_traffic
from retraining.cycle.traffic_drift import BLOCKS, blocks_of, drift_since, judge_traffic
from retraining.prediction_log.connection import JOB, open_database
from retraining.prediction_log.layout import ensure_layout
from retraining.prediction_log.traffic import WindowRow
from retraining.records import Column, Schema
from retraining.statistics import CategoryBins, number_bins
from tests.prediction_log.material import MODEL, NOON, append, asked, label

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from retraining.prediction_log.connection import Database

SCHEMA = Schema((Column("x", "number"),), "target", "integer", (0, 1), positive_class=1)
LAST_DAY = NOON + timedelta(days=9, hours=2)
A_WEEK_AND_MORE = 10


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = open_database(f"sqlite:///{tmp_path}/log.db", JOB)
    ensure_layout(made)
    yield made
    made.close()


def seen(
    database: Database, metric: str = "accuracy", days: int = 30, schema: Schema | None = SCHEMA
) -> Traffic:
    since = first_moment(days, LAST_DAY)
    with database.reading() as connection:
        return read_traffic(connection, MODEL, schema, metric, since=since, now=LAST_DAY)


def ten_days(database: Database) -> tuple[np.ndarray[Any, Any], ...]:
    """Thirty rows a day, twenty of them labelled the next day.

    Truth, predicted, scores of the labelled ones.
    """
    random = np.random.default_rng(3)
    told = []
    for day in range(A_WEEK_AND_MORE):
        scores = random.random(30)
        predicted = (scores > 0.5).astype(int)
        truth = np.where(random.random(30) < 0.8, predicted, 1 - predicted)
        ids = [f"{day}-{row}" for row in range(30)]
        at = NOON + timedelta(days=day)
        pairs = [[1 - one, one] for one in scores]
        version = 1 if day < 5 else 2
        texts = list(map(str, predicted))
        append(
            database,
            asked(*ids, at=at, predictions=texts, probabilities=pairs, model_version=version),
        )
        came = dict(zip(ids[:20], map(str, truth[:20]), strict=True))
        label(database, came, received=at + timedelta(days=1))
        told.append((truth[:20], predicted[:20], scores[:20]))
    return tuple(np.concatenate(part) for part in zip(*told, strict=True))


def test_scores_are_those_of_the_labelled_rows_whatever_the_metric_reads(
    database: Database,
) -> None:
    truth, predicted, scores = ten_days(database)
    expected = {
        "accuracy": float((truth == predicted).mean()),
        "f1": float(f1_score(truth, predicted)),
        "roc_auc": float(roc_auc_score(truth, scores)),
    }
    for metric, value in expected.items():
        realised = seen(database, metric).whole.realised
        assert realised is not None
        assert realised.rows == 200
        assert realised.value == pytest.approx(value)
        assert realised.interval is not None, "ten days are blocks enough"
        assert realised.interval[0] < value < realised.interval[1]


@pytest.mark.parametrize("metric", ["accuracy", "f1", "roc_auc", "average_precision"])
def test_without_a_version_in_production_rows_are_counted_and_not_scored(
    database: Database, metric: str
) -> None:
    assert seen(database, metric, schema=None).whole.predictions == 0
    ten_days(database)
    traffic = seen(database, metric, schema=None)
    assert (traffic.whole.predictions, traffic.whole.labelled) == (300, 0)
    assert traffic.whole.realised is None


def test_versions_and_days_add_up_to_the_whole(database: Database) -> None:
    truth, predicted, _ = ten_days(database)
    traffic = seen(database)
    assert (traffic.whole.predictions, traffic.whole.labelled) == (300, 200)
    assert [share.predictions for share in traffic.by_version.values()] == [150, 150]
    second = traffic.by_version[2].realised
    assert second is not None
    assert second.value == pytest.approx(float((truth == predicted)[100:].mean()))
    assert [day.whole.labelled for day in traffic.days] == [20] * A_WEEK_AND_MORE
    assert traffic.days[0].date == date(2026, 3, 10)
    first = traffic.days[0].whole.realised
    assert first is not None
    assert first.interval is None, "one hour has no blocks"
    assert first.value == pytest.approx(float((truth == predicted)[:20].mean()))


def test_coverage_is_told_by_age_and_so_is_when_labels_are_in(database: Database) -> None:
    ten_days(database)
    traffic = seen(database)
    assert [one.age_days for one in traffic.coverage] == list(range(10))
    assert {(one.predictions, one.labelled) for one in traffic.coverage} == {(30, 20)}
    assert traffic.labels_in_days == 2, "labels came after one whole day"


def test_scores_are_told_apart_by_how_long_labels_took(database: Database) -> None:
    """Frauds first: of the labels that came at once all say that the answer was wrong."""
    append(database, asked(*(f"{row}" for row in range(30)), at=NOON))
    for rows, text, days in ((range(10), "0", 0), (range(10, 20), "1", 2), (range(20, 25), "1", 3)):
        label(database, {str(row): text for row in rows}, received=NOON + timedelta(days=days))
    found = seen(database).by_label_age
    told = [(one.from_days, one.to_days, one.realised.value, one.realised.rows) for one in found]
    assert told == [(0, 0, 0.0, 10), (2, 3, 1.0, 15)]


def test_days_are_utc_and_today_is_one_of_them(database: Database) -> None:
    ten_days(database)
    assert seen(database, days=1).whole.predictions == 30
    assert seen(database, days=3).whole.predictions == 90


def test_a_label_of_no_known_class_is_no_label(database: Database) -> None:
    append(database, asked("a", "b", at=LAST_DAY - timedelta(hours=1)))
    label(database, {"a": "1", "b": "sold"}, received=LAST_DAY)
    whole = seen(database).whole
    assert (whole.predictions, whole.labelled) == (2, 1)
    assert whole.realised is not None
    assert whole.realised.value == 1.0


def test_without_labels_nothing_is_scored(database: Database) -> None:
    append(database, asked("a", at=LAST_DAY))
    for metric in ("accuracy", "roc_auc"):
        traffic = seen(database, metric)
        assert traffic.whole.realised is None
        assert traffic.labels_in_days is None


# --- drift ----------------------------------------------------------------------------------------


def reference() -> Sketch:
    """Twelve blocks of a hundred rows: `x` normal, answers half and half."""
    values = np.random.default_rng(1).normal(size=1200)
    bins = number_bins(values)
    blocks = np.repeat(np.arange(12), 100)
    from retraining.statistics import number_histograms

    answers = CategoryBins(("0", "1"))
    half = np.tile([50, 50, 0, 0], (12, 1))
    histograms = {"x": number_histograms(values, bins, blocks, 12), "predicted label": half}
    return Sketch({"x": bins, "predicted label": answers}, histograms)


def window(requests: int, rows: int, moved: float = 0.0, version: int = 1) -> list[WindowRow]:
    random = np.random.default_rng(2)
    found = []
    for request in range(requests):
        at = NOON + timedelta(minutes=request)
        for row in range(rows):
            features = orjson.dumps({"x": random.normal() + moved}).decode()
            found.append(WindowRow(at, f"r{request}", version, features, str(row % 2)))
    return found


def judged(rows: list[WindowRow]) -> Any:
    return judge_traffic(reference(), SCHEMA, 1, rows, threshold=0.1)


def test_the_same_kind_of_rows_is_no_drift() -> None:
    found = judged(window(60, 10))
    assert found.detected is False
    assert found.material is False
    assert {one.name for one in found.features} == {"x", "predicted label"}


def test_inputs_that_moved_are_material_and_come_first() -> None:
    found = judged(window(60, 10, moved=1.0))
    assert found.material is True
    assert found.features[0].name == "x"
    assert found.features[0].material
    assert found.features[1].detected is False, "the answers stayed"


def test_few_requests_are_reported_and_not_judged() -> None:
    found = judged(window(7, 100, moved=3.0))
    assert found.detected is None
    assert found.material is None
    assert found.features[0].psi > 1
    assert found.features[0].detected is None


def test_answers_of_another_version_are_not_held_against_this_one() -> None:
    found = judged(window(60, 10, version=2))
    assert [one.name for one in found.features] == ["x"]


def test_a_request_is_never_in_two_blocks() -> None:
    rows = window(30, 7)
    blocks = blocks_of(rows)
    by_request: dict[str, set[int]] = {}
    for row, block in zip(rows, blocks, strict=True):
        by_request.setdefault(row.request_id, set()).add(int(block))
    assert all(len(found) == 1 for found in by_request.values())
    assert np.unique(blocks).size == BLOCKS
    assert np.all(np.diff(blocks) >= 0)


def test_the_first_moment_is_a_midnight() -> None:
    assert first_moment(1, LAST_DAY) == datetime(2026, 3, 19, tzinfo=NOON.tzinfo)


# --- since the last cycle -------------------------------------------------------------------------


def test_a_trigger_looks_at_what_was_asked_since_the_last_cycle(tmp_path: Path) -> None:
    (tmp_path / "predictions").mkdir()
    made = open_database(f"sqlite:///{tmp_path}/predictions/predictions.db", JOB)
    ensure_layout(made)
    random = np.random.default_rng(5)
    for request in range(100):
        moved = 3.0 if request < 90 else 0.0
        values = (random.normal(size=10) + moved).tolist()
        ids = [f"{request}-{row}" for row in range(10)]
        answers = [str(row % 2) for row in range(10)]
        at = NOON + timedelta(minutes=request)
        append(made, asked(*ids, at=at, features={"x": values}, predictions=answers))
    made.close()
    chosen = settings.load(tmp_path, {"DRIFT_WINDOW_HOURS": "0"})
    sketches = SimpleNamespace(sketches=lambda _: reference().to_json())
    model = cast("Any", SimpleNamespace(registry=sketches, version=None, schema=SCHEMA, number=1))
    every = drift_since(chosen, model, None)
    young = drift_since(chosen, model, NOON + timedelta(minutes=89))
    assert every is not None
    assert every.material
    assert young is not None
    assert young.material is False
    assert drift_since(chosen, model, NOON + timedelta(hours=3)) is None
