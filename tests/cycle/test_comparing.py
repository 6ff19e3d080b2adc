"""Comparing: both models on the same frozen rows, the level of proof, the floors and the slices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from retraining.cycle.comparing import compare_on, confidence_of_attempt
from retraining.cycle.training import train_challenger
from retraining.cycle.training_set import freeze_test_set, trace_lineage
from tests.cycle.conftest import ALWAYS

if TYPE_CHECKING:
    from retraining.cycle.comparing import Compared
    from tests.cycle.desk import Desk


def compared(desk: Desk, **settings: Any) -> Compared:
    with desk.opened(**settings) as cycle:
        lineage = trace_lineage(cycle)
        test_set = freeze_test_set(cycle, lineage)
        challenger = train_challenger(cycle, lineage, test_set, "asked for")
        return compare_on(cycle, test_set, challenger)


def test_both_answer_every_row_of_the_test_set(desk: Desk) -> None:
    desk.deliver(4)
    found = compared(desk)
    comparison = found.comparison
    assert comparison.rows == len(found.champion.truth) == len(found.challenger.truth)
    assert (found.champion.truth == found.challenger.truth).all()
    assert comparison.champion.value is not None
    assert comparison.improvement == pytest.approx(
        (comparison.challenger.value or 0) - comparison.champion.value
    )
    assert {one.name for one in comparison.per_class} == {0, 1}
    assert sum(one.support for one in comparison.per_class) == comparison.rows


def test_slices_are_the_values_of_the_named_columns(desk: Desk) -> None:
    desk.deliver(4)
    found = compared(desk, SLICE_COLUMNS="city", SLICE_MAX_LOSS="1").comparison
    assert {one.name for one in found.slices} == {"city=north", "city=south"}
    assert sum(one.rows for one in found.slices) == found.rows


def test_only_floors_that_are_set_are_scored(desk: Desk) -> None:
    desk.deliver(4)
    assert set(compared(desk, MIN_MODEL_F1="0.5", MIN_MODEL_ROC_AUC="0.5").floors) == {
        "f1",
        "roc_auc",
    }


def test_under_significant_the_level_rises_with_each_attempt_against_the_same_champion(
    desk: Desk,
) -> None:
    levels = []
    for seed in (2, 3, 4):
        desk.deliver(4, seed=seed)
        with desk.opened(RETRAIN_WHEN="always", PROMOTE_WHEN="significant") as cycle:
            levels.append(confidence_of_attempt(cycle))
        assert desk.cycle().ending == "rejected"
    assert 0.95 < levels[0] < levels[1] < levels[2]


def test_under_other_rules_the_level_is_the_setting_s(desk: Desk) -> None:
    desk.deliver(4)
    with desk.opened(**ALWAYS, CONFIDENCE="0.9") as cycle:
        assert confidence_of_attempt(cycle) == pytest.approx(0.9)
