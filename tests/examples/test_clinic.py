"""The simulated clinic: rows drawn from the model that it names, and a recipe that finds it."""

from __future__ import annotations

import csv
import hashlib
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from retraining.trainer import check_recipe, load_recipe, train
from tests.examples.quick_recipe import without_the_slowest_models

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "diabetes"
CLINIC = SimpleNamespace(**runpy.run_path(str(FOLDER / "data_simulator.py"), run_name="clinic"))
COLUMNS = [
    "Pregnancies",
    "Glucose",
    "BloodPressure",
    "SkinThickness",
    "Insulin",
    "BMI",
    "DiabetesPedigreeFunction",
    "Age",
    "Outcome",
]


def records(rows: int, seed: int = 0, guideline: str = "old") -> tuple[pd.DataFrame, pd.Series]:
    table = CLINIC.simulate(rows, seed, guideline)
    return table.drop(columns="Outcome").astype(float), table["Outcome"]


@pytest.fixture
def quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The recipe without the slowest families, for what does not depend on them."""
    monkeypatch.setitem(sys.modules, "xgboost", None)
    text = (FOLDER / "train_classification_model.py").read_text(encoding="utf-8")
    (tmp_path / "recipe.py").write_text(without_the_slowest_models(text), encoding="utf-8")
    return tmp_path / "recipe.py"


def test_the_table_looks_like_the_real_one() -> None:
    table = CLINIC.simulate(20_000, 0, "old")
    assert list(table) == COLUMNS
    assert table["Outcome"].mean() == pytest.approx(0.35, abs=0.03)
    means = {
        "Pregnancies": 3.8,
        "Age": 33.2,
        "BMI": 32.0,
        "Glucose": 120.9,
        "DiabetesPedigreeFunction": 0.47,
    }
    assert {name: table[name].mean() for name in means} == pytest.approx(means, rel=0.1)
    assert (table["Insulin"] == 0).mean() == pytest.approx(0.49, abs=0.02)
    assert (table["Age"] > 0).all()


@pytest.mark.parametrize("guideline", CLINIC.RISK)
def test_outcomes_are_drawn_from_the_model_that_is_named(guideline: str) -> None:
    """A logistic regression on whole records must find the weights again, within its own standard
    error.
    """
    rng = np.random.default_rng(0)
    whole = CLINIC.patients(40_000, rng)
    ill = rng.random(40_000) < CLINIC.probability_of_illness(whole, guideline)
    names = list(CLINIC.USUAL)
    standard = pd.DataFrame(
        {name: (whole[name] - mean) / deviation for name, (mean, deviation) in CLINIC.USUAL.items()}
    )
    found = LogisticRegression(C=np.inf, max_iter=1_000).fit(standard, ill).coef_[0]
    assert dict(zip(names, found, strict=True)) == pytest.approx(
        {name: CLINIC.RISK[guideline].get(name, 0) for name in names}, abs=0.1
    )


def test_the_same_seed_writes_the_same_plain_csv_and_another_seed_other_patients(
    tmp_path: Path,
) -> None:
    digests = []
    for folder, seed in (("a", "3"), ("b", "3"), ("c", "4")):
        CLINIC.main(
            ["--into", str(tmp_path / folder), "--rows", "100", "--files", "7", "--seed", seed]
        )
        paths = sorted((tmp_path / folder).iterdir())
        assert len(paths) == 7
        digests.append([hashlib.sha256(path.read_bytes()).hexdigest() for path in paths])
        with paths[0].open(newline="", encoding="utf-8") as file:
            header, *rows = csv.reader(file, strict=True)
        assert header == COLUMNS
        assert {len(row) for row in rows} == {len(COLUMNS)}
    assert digests[0] == digests[1]
    assert not set(digests[0]) & set(digests[2])


def test_the_search_leaves_its_table_and_learns_the_old_guideline_only(quick: Path) -> None:
    estimator = train(load_recipe(quick), *records(750), needs_probabilities=True).estimator
    table = pd.DataFrame(estimator.cv_results_)
    assert len(table) == 4
    assert table["mean_test_score"].max() == estimator.best_score_
    scores = {}
    for guideline in ("old", "new"):
        X, y = records(3_000, seed=9, guideline=guideline)
        scores[guideline] = roc_auc_score(y, estimator.predict_proba(X)[:, 1])
    assert scores["old"] > 0.85
    assert scores["new"] < 0.75


def test_the_recipe_keeps_its_contract(quick: Path) -> None:
    assert check_recipe(load_recipe(quick), *records(300), needs_probabilities=True) == ()


def test_the_whole_search_runs_over_all_families() -> None:
    recipe = load_recipe(FOLDER / "train_classification_model.py")
    estimator = train(recipe, *records(200), needs_probabilities=True).estimator
    families = {type(model).__name__ for model in estimator.cv_results_["param_model"]}
    assert families >= {
        "GradientBoostingClassifier",
        "RandomForestClassifier",
        "HistGradientBoostingClassifier",
    }
