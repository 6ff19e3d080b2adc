"""The RETRAIN_THRESHOLD that a registration suggests, and where it says that it comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from retraining.records import Score
from retraining.registering.baseline import Baseline
from retraining.registering.thresholds import suggested_threshold, threshold_source
from retraining.statistics import Predictions
from tests.projects import Project

if TYPE_CHECKING:
    from pathlib import Path


def baseline(score: Score, *, rare: int | None = None) -> Baseline:
    """A score on two blocks of rows, `rare` of them of class 1, else half of them."""
    truth = np.zeros(score.rows, dtype=np.int64)
    truth[: score.rows // 2 if rare is None else rare] = 1
    blocks = np.arange(score.rows) % 2
    return Baseline(score, 2, Predictions(truth, truth, None, blocks, 2))


def threshold(score: Score, *, greater_is_better: bool = True, rare: int | None = None) -> float:
    return suggested_threshold(baseline(score, rare=rare), greater_is_better=greater_is_better)


def test_without_an_interval_by_blocks_it_still_lies_below_the_score() -> None:
    assert threshold(Score("accuracy", 0.9, 90, None)) == 0.83
    assert threshold(Score("accuracy", 0.9994, 1000)) == 0.99
    assert threshold(Score("accuracy", 0.9, 90, (0.84, 0.96))) == 0.84
    assert threshold(Score("error_rate", 0.1, 90, None), greater_is_better=False) == 0.17


def test_a_rare_class_makes_a_score_by_classes_as_uncertain_as_it_is() -> None:
    rare = Score("balanced_accuracy", 0.898, 1000)
    assert threshold(rare, rare=5) == 0.76  # five frauds: one more or less is 0.1
    source = threshold_source(baseline(rare, rare=5), greater_is_better=True)
    assert "share of 20 independent rows: 1,000 rows count as so few" in source
    assert threshold(Score("accuracy", 0.898, 1000), rare=5) == 0.87


def test_classes_of_one_size_leave_every_row_its_worth() -> None:
    even = Score("balanced_accuracy", 0.9, 90)
    assert threshold(even) == 0.83
    assert threshold_source(baseline(even), greater_is_better=True).endswith("90 independent rows")


def test_it_never_lies_below_what_a_share_can_be() -> None:
    assert threshold(Score("f1", 0.1, 100), rare=1) == 0


def test_after_metric_was_changed_the_missing_setting_is_told_with_a_value(
    registered: Project,
) -> None:
    del registered.settings["RETRAIN_THRESHOLD"]
    registered.configure(METRIC="f1")
    for command in ("check", "run"):
        what = registered.start(command).expect(2).error[0]
        assert "METRIC is f1 (only accuracy has a default); the registration of v1 suggests 0." in (
            what
        )
    (registered.folder / ".retraining" / "suggested_thresholds.json").unlink()
    what = registered.start("check").expect(2).error[0]
    assert "register_first_model.py suggests one" in what
    assert "or take threshold out of RETRAIN_WHEN" in what


def test_a_registration_that_suggests_none_says_what_to_do_without(
    tmp_path: Path, empty_store: Path
) -> None:
    project = Project.made(tmp_path / "project")
    project.settings.pop("RETRAIN_THRESHOLD", None)
    project.configure(METRIC="f1")
    for place in range(6):
        rows = [f"{(row * 7 + place) % 13},{int(row == place)}" for row in range(40)]
        project.deliver("\n".join(["load,target", *rows]) + "\n", to="used_data", age=7200)
    project.take_store(empty_store)
    asked_for = "`run` and `check` ask for one: the worst f1 that you accept"
    assert f"no f1 falls below 0. {asked_for}" in project.register().out
    assert "RETRAIN_THRESHOLD: required" in project.start("check").expect(2).error[0]
    project.configure(RETRAIN_WHEN="drop,adaptive")
    project.start("check").expect(0)
