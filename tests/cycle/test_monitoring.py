"""Monitoring: production's score on new files, drift, and what the triggers are told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pytest

from retraining.cycle.monitoring import monitor
from retraining.errors import DamagedModelError
from tests.cycle.conftest import ALWAYS

if TYPE_CHECKING:
    from tests.cycle.desk import Desk


def test_production_is_scored_on_every_labelled_row_of_the_files(desk: Desk) -> None:
    desk.deliver(3)
    with desk.opened() as cycle:
        found = monitor(cycle)
    assert found.health.served.rows == 120
    assert found.health.served.value is not None
    assert found.health.served.value > 0.8
    assert found.served.blocks >= 10


def test_a_version_that_predicts_no_row_is_named_with_the_ways_back(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk.registry, "model", lambda _version: "no estimator")
    desk.deliver(3)
    with pytest.raises(DamagedModelError, match="v1 could not predict rows") as error:
        desk.cycle()
    assert "rollback" in error.value.remedy
    assert "give the alias to another version" in error.value.remedy


def test_a_concept_that_turned_shows_in_the_score_not_in_the_inputs(desk: Desk) -> None:
    desk.deliver(4, turned=True, rows=100)
    with desk.opened() as cycle:
        found = monitor(cycle)
    assert found.health.served.value is not None
    assert found.health.served.value < 0.7
    drifted = {one.name for one in found.health.drift.features if one.detected}
    assert not drifted & {"speed", "load", "city"}


def test_a_drop_is_judged_against_the_version_s_own_record(desk: Desk) -> None:
    desk.deliver(4, seed=2)
    with desk.opened() as cycle:
        drop = monitor(cycle).health.drop
    assert (
        drop.reason == "v1 has no earlier score to compare with: its record begins with this batch"
    )
    assert desk.cycle().ending == "kept"
    desk.deliver(4, seed=3, turned=True, rows=100)
    with desk.opened() as cycle:
        drop = monitor(cycle).health.drop
    assert drop.act
    assert "against its own record on 1 batch: significantly worse" in drop.reason


def test_a_batch_of_copies_alone_begins_no_record(desk: Desk) -> None:
    for place, path in enumerate(sorted(desk.project.folder.glob("used_data/*.csv"))):
        head, *rows = path.read_text().splitlines()
        desk.project.put(f"again-{place}.csv", "\n".join([head, *reversed(rows)]) + "\n")
    with desk.opened() as cycle:
        drop = monitor(cycle).health.drop
    assert drop.reason == "there is no new row to score production on"
    assert desk.cycle().new_rows == 0
    desk.deliver(4, seed=3)
    with desk.opened() as cycle:
        drop = monitor(cycle).health.drop
    assert "its record begins with this batch" in drop.reason


def test_a_batch_of_one_class_has_no_area_under_the_curve_to_judge_a_drop_by(desk: Desk) -> None:
    desk.deliver(4, seed=2)
    for path in desk.project.folder.glob("new_data/*.csv"):
        table = pd.read_csv(path)
        table[table["target"] == 1].to_csv(path, index=False)
    with desk.opened(METRIC="roc_auc", RETRAIN_THRESHOLD="0.7") as cycle:
        drop = monitor(cycle).health.drop
    assert drop.reason == "the drop could not be judged on these rows"


def test_the_last_training_is_the_last_registration_or_attempt(desk: Desk) -> None:
    desk.deliver(4, seed=2)
    with desk.opened() as cycle:
        first = monitor(cycle).health.last_training
    assert desk.cycle(**ALWAYS).challenger_version == 2
    desk.deliver(4, seed=3)
    with desk.opened() as cycle:
        second = monitor(cycle).health.last_training
    assert first is not None
    assert second is not None
    assert second > first
