"""What a recipe is handed, whole or in parts, and when it is neither."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from retraining.cycle import learning
from retraining.cycle.learning import InParts, OneTable, rows_to_learn
from retraining.cycle.training_set import trace_lineage
from retraining.errors import TrainingMemoryError
from retraining.ledger import ranges_outside
from retraining.trainer import load_recipe
from tests.cycle.desk import RECIPE

if TYPE_CHECKING:
    from pathlib import Path

    from retraining.cycle.learning import Learned
    from retraining.cycle.opening import Cycle
    from tests.cycle.desk import Desk

IN_PARTS = (
    RECIPE
    + """
import json, pandas
from pathlib import Path

def train_model_in_parts(parts):
    read = [part() for part in parts]
    told = {"parts": len(parts), "rows": sum(len(y) for _, y in read)}
    Path(__file__).with_name("told.json").write_text(json.dumps(told))
    return train_model(*(pandas.concat(each, ignore_index=True) for each in zip(*read)))
"""
)
TINY = "1K"


@pytest.fixture
def recipe(desk: Desk) -> Path:
    """The project's recipe, which learns in parts too."""
    path = desk.project.folder / "train_classification_model.py"
    path.write_text(IN_PARTS)
    return path


def learned(cycle: Cycle, recipe: Path) -> Learned:
    lineage = trace_lineage(cycle)
    parts = [
        (
            replace(lineage.files[file.sha256], rows=file.rows),
            ranges_outside(file.rows, file.reserved),
        )
        for file in lineage.learned
    ]
    return rows_to_learn(
        cycle.job, load_recipe(recipe), parts, cycle.production.schema, lineage.shares
    )


@pytest.mark.parametrize("limit", [{}, {"MAX_TRAINING_ROWS": "100"}, {"TRAIN_WINDOW": "1+1"}])
def test_parts_hold_the_very_rows_of_the_table(
    desk: Desk, recipe: Path, limit: dict[str, str]
) -> None:
    desk.deliver(4)
    with desk.opened(**limit) as cycle:
        table = learned(cycle, recipe)
    with desk.opened(MAX_TRAINING_MEMORY=TINY, **limit) as cycle:
        parts = learned(cycle, recipe)
        assert isinstance(table, OneTable)
        assert isinstance(parts, InParts)
        X = pd.concat([part()[0] for part in parts.parts], ignore_index=True)
        y = pd.concat([part()[1] for part in parts.parts], ignore_index=True)
    pd.testing.assert_frame_equal(X, table.X)
    pd.testing.assert_series_equal(y, table.y)
    assert (parts.rows, parts.sampled) == (table.rows, table.sampled)
    assert parts.schema == table.schema
    assert parts.labels == set(table.y)


def test_a_cycle_in_parts_ends_as_one_with_a_table_does(
    desk: Desk, recipe: Path, tmp_path: Path
) -> None:
    desk.deliver(6, turned=True)
    other = desk.copied(tmp_path / "other")
    asked = {"RETRAIN_WHEN": "always", "MIN_IMPROVEMENT": "-1"}
    whole = desk.cycle(**asked)
    assert not recipe.with_name("told.json").exists()
    parted = other.cycle(MAX_TRAINING_MEMORY=TINY, **asked)
    assert parted.comparison == whole.comparison
    assert parted.ending == whole.ending == "promoted"
    manifests = [one.registry.manifest(one.version(2)) for one in (desk, other)]
    assert [manifest.in_parts for manifest in manifests] == [False, True]
    told = json.loads((other.project.folder / "told.json").read_text())
    assert told["rows"] == manifests[0].training_rows == manifests[1].training_rows


def test_a_recipe_without_parts_ends_the_start_before_any_training(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learning, "train", lambda *_, **__: pytest.fail("it was trained"))
    names = desk.deliver(4)
    with pytest.raises(TrainingMemoryError) as raised:
        desk.cycle(RETRAIN_WHEN="always", MAX_TRAINING_MEMORY=TINY)
    assert raised.value.exit_code == 3
    what, unchanged, remedy = raised.value.lines()
    assert "would take some" in what
    assert "allows 1.0 kB" in what
    assert "Nothing was changed" in unchanged
    for way in ("MAX_TRAINING_ROWS", "TRAIN_WINDOW", "train_model_in_parts"):
        assert way in remedy
    assert desk.project.names("new_data") == set(names)
    assert [version.number for version in desk.registry.versions()] == [1]
