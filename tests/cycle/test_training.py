"""Training: what the recipe is handed, and what its version carries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from retraining.cycle.training import lost_before, train_challenger
from retraining.cycle.training_set import attempt_key, freeze_test_set, trace_lineage
from retraining.errors import RecipeError

if TYPE_CHECKING:
    from retraining.cycle.opening import Cycle
    from retraining.cycle.training import Challenger
    from tests.cycle.desk import Desk


def trained(cycle: Cycle) -> Challenger:
    lineage = trace_lineage(cycle)
    return train_challenger(cycle, lineage, freeze_test_set(cycle, lineage), "it was asked for")


def test_the_challenger_is_registered_pending_with_all_that_belongs_to_it(desk: Desk) -> None:
    desk.deliver(4)
    with desk.opened() as cycle:
        challenger = trained(cycle)
    assert challenger.version == 2
    version = desk.version(2)
    assert (version.status, version.previous) == ("pending", 1)
    assert version.reason == "trained because: it was asked for"
    assert version.parent_run_id == cycle.run_id
    manifest = desk.registry.manifest(version)
    assert manifest.champion == 1
    assert manifest.training_rows == sum(file.rows for file in manifest.files) - sum(
        stop - start
        for file in manifest.held_out
        for start, stop in file.reserved
        if file.sha256 in {learned.sha256 for learned in manifest.files}
    )
    assert desk.registry.sketches(version)
    assert desk.aliases == {"production": 1}, "nothing is moved by training"


def test_a_dry_run_trains_and_registers_nothing(desk: Desk) -> None:
    desk.deliver(4)
    with desk.opened(desk.dry_job()) as cycle:
        challenger = trained(cycle)
    assert challenger.version is None
    assert len(challenger.answers.truth)
    assert [version.number for version in desk.registry.versions()] == [1]


def test_of_too_many_rows_the_last_are_learned(desk: Desk) -> None:
    desk.deliver(4)
    with desk.opened(MAX_TRAINING_ROWS="100") as cycle:
        manifest = trained(cycle).manifest
    assert manifest.sampled
    assert 98 <= manifest.training_rows <= 100


def test_an_attempt_that_lost_is_remembered_and_a_pending_one_is_not(desk: Desk) -> None:
    desk.deliver(4)
    assert desk.cycle(RETRAIN_WHEN="always", MIN_IMPROVEMENT="1").ending == "rejected"
    with desk.opened(force=True) as cycle:
        loser = lost_before(cycle, attempt_key(cycle, trace_lineage(cycle)))
        assert loser is not None
        assert loser.number == 2
        assert lost_before(cycle, "another attempt") is None


def test_a_recipe_that_raises_is_named_and_leaves_no_version(desk: Desk) -> None:
    recipe = desk.project.folder / "train_classification_model.py"
    recipe.write_text("def train_model(X_train, y_train):\n    raise ValueError('too few')\n")
    desk.deliver(4)
    with pytest.raises(RecipeError, match="too few"), desk.opened() as cycle:
        trained(cycle)
    assert [version.number for version in desk.registry.versions()] == [1]


@pytest.mark.parametrize(
    ("settings", "needed"),
    [
        ({}, False),
        ({"METRIC": "roc_auc", "RETRAIN_THRESHOLD": "0.7"}, True),
        ({"MIN_MODEL_ROC_AUC": "0.6"}, True),
    ],
)
def test_probabilities_are_asked_for_where_metric_or_floor_takes_them(
    desk: Desk, settings: Any, needed: bool
) -> None:
    assert desk.job(**settings).settings.needs_probabilities is needed
