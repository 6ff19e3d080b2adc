"""The example with many rows: its README, typed, and that parts make the very model of one
table.
"""

from __future__ import annotations

import json
import os
import re
import runpy
import shlex
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from retraining.trainer import check_recipe, load_recipe, train, train_in_parts
from tests.projects import ORCHESTRATOR, REGISTER, Project

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "large"
PLANT = SimpleNamespace(**runpy.run_path(str(FOLDER / "generate.py"), run_name="plant"))
SMALLER = 20  # times fewer rows than the README asks for


def rows(count: int, seed: int = 1, rule: str = "old") -> tuple[pd.DataFrame, pd.Series]:
    """Some rows, typed as the job hands them to a recipe."""
    table = PLANT.rows_of(count, np.random.default_rng(seed), rule).to_pandas()
    words = dict.fromkeys(("plant", "line", "shift"), "object")
    X = table.drop(columns="target").astype(words).astype(dict.fromkeys(words, "str"))
    return X, table["target"]


def typed(project: Project, line: str) -> None:
    """Obey a line of the README on a copy of the example, with fewer rows."""
    line = line.replace("examples/large", str(project.folder))
    line = re.sub(r"--rows (\d+)", lambda found: f"--rows {int(found[1]) // SMALLER}", line)
    words = shlex.split(line)
    start = words.index(".venv/bin/python")
    environment = dict(word.split("=", 1) for word in words[:start])
    script, *arguments = words[start + 1 :]
    if script.endswith("generate.py"):
        assert PLANT.main(arguments) == 0
        return
    at = arguments.index("--project")
    del arguments[at : at + 2]
    asked = [*arguments, "--json"] if script == ORCHESTRATOR else arguments
    environment |= {"MAX_TRAINING_MEMORY": "4M"} if environment else {}
    done = project.start(*asked, script=script, **environment).expect(0)
    if script == ORCHESTRATOR:
        (project.folder / "cycle.json").write_text(done.out)


def test_the_readme_typed_ends_with_a_promoted_model_that_learned_in_parts(
    tmp_path: Path, empty_store: Path
) -> None:
    assert (FOLDER / ".env").is_file()  # ignored by git unless it was added by force
    project = Project(tmp_path / "large")
    shutil.copytree(FOLDER, project.folder, ignore=shutil.ignore_patterns("*.parquet"))
    project.take_store(empty_store)
    section = (FOLDER / "README.md").read_text().partition("## From nothing")[2]
    block = re.search(r"^```\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    assert block is not None
    scripts = [line for line in block[1].splitlines() if line]
    assert sum(REGISTER in line for line in scripts) == 1
    for line in scripts:
        typed(project, line)
    cycle = json.loads((project.folder / "cycle.json").read_text())
    assert cycle["ending"] == "promoted"
    assert cycle["scores"]["production_on_new"] < 0.6
    assert cycle["scores"]["challenger_on_test"] > 0.8
    logs = sorted((project.folder / ".retraining" / "logs").glob("*.log"), key=os.path.getmtime)
    assert "the rows are learned in parts" in logs[-1].read_text()


def test_the_recipe_keeps_its_contract_both_ways() -> None:
    recipe = load_recipe(FOLDER / "train_classification_model.py")
    assert check_recipe(recipe, *rows(600), needs_probabilities=True) == ()
    words = {0: "good", 1: "poor"}
    X, y = rows(600)
    assert check_recipe(recipe, X, y.map(words)) == ()
    three = pd.Series(np.arange(600) % 3, name="target")
    assert check_recipe(recipe, X, three, needs_probabilities=True) == ()


def same_model(count: int, monkeypatch: pytest.MonkeyPatch, rows_of_a_part: int) -> None:
    recipe = load_recipe(FOLDER / "train_classification_model.py")
    monkeypatch.setattr(recipe.module, "ROWS_OF_A_PART", rows_of_a_part)
    X, y = rows(count)
    whole = train(recipe, X, y).estimator
    starts = range(0, count, rows_of_a_part)
    parts = [
        lambda here=slice(start, start + rows_of_a_part): (
            X[here].reset_index(drop=True),
            y[here].reset_index(drop=True),
        )
        for start in starts
    ]
    parted = train_in_parts(recipe, parts, frozenset({0, 1}), rows=count).estimator
    fresh, labels = rows(20_000, seed=2)
    assert np.array_equal(whole.predict_proba(fresh), parted.predict_proba(fresh))
    assert (parted.predict(fresh) == labels).mean() > 0.8


def test_parts_make_the_very_model_of_one_table(monkeypatch: pytest.MonkeyPatch) -> None:
    same_model(20_000, monkeypatch, 3_000)


@pytest.mark.soak
def test_a_million_rows_in_parts_make_the_very_model_of_one_table(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    same_model(1_000_000, monkeypatch, 262_144)


def test_the_same_arguments_give_the_same_rows(tmp_path: Path) -> None:
    for name in ("one", "two"):
        PLANT.main([str(tmp_path / name), "--rows", "3000", "--files", "3", "--seed", "7"])
    files = [sorted((tmp_path / name).iterdir()) for name in ("one", "two")]
    assert [path.read_bytes() for path in files[0]] == [path.read_bytes() for path in files[1]]
    table = pd.concat(map(pd.read_parquet, files[0]))
    assert len(table) == 3000
    assert table.isna().any().sum() == 15


def test_no_two_files_have_a_row_in_common(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PLANT.main.__globals__, "GROUP", 100)
    for rows, rule in ((400, "old"), (600, "old"), (600, "new")):
        folder = tmp_path / f"{rows}-{rule}"
        PLANT.main([str(folder), "--rows", str(rows), "--files", "2", "--rule", rule])
    table = pd.concat(map(pd.read_parquet, tmp_path.rglob("*.parquet")))
    assert len(table) == 1600
    assert not table.drop(columns="target").duplicated().any()
