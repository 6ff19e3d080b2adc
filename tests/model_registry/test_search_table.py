"""What a recipe's search leaves, as a table; and what is no table."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.tree import DecisionTreeClassifier

from retraining.model_registry.search_table import search_table


def test_a_search_over_families_becomes_a_line_for_each_candidate_the_best_first() -> None:
    X = np.random.default_rng(0).normal(size=(90, 2))
    families = [
        {"model": [DecisionTreeClassifier(max_depth=1)], "model__min_samples_leaf": [1, 40]},
        {"model": [LogisticRegression()]},
    ]
    search = GridSearchCV(Pipeline([("model", LogisticRegression())]), families, cv=3).fit(
        X, X[:, 0] + X[:, 1] > 0
    )
    lines = list(csv.DictReader(io.StringIO(search_table(search.cv_results_) or "")))
    assert [line["rank_test_score"] for line in lines] == sorted(
        str(rank) for rank in search.cv_results_["rank_test_score"]
    )
    assert float(lines[0]["mean_test_score"]) == search.best_score_
    assert (lines[0]["param_model"], lines[0]["param_model__min_samples_leaf"]) == (
        "LogisticRegression()",
        "",
    )
    assert {line["param_model__min_samples_leaf"] for line in lines} == {"", "1", "40"}
    assert list(lines[0])[:3] == ["rank_test_score", "mean_test_score", "std_test_score"]


@pytest.mark.parametrize(
    "results", [None, {}, [], 7, "cv", {"mean": [1], "rank": [1, 2]}, {"mean": 0.5}, [("only",)]]
)
def test_anything_else_is_no_table(results: object) -> None:
    assert search_table(results) is None


def test_ranks_are_numbers_and_cells_are_one_line() -> None:
    columns = {
        "params": [{}] * 11,
        "note": ["two\n lines"] * 11,
        "rank_test_score": list(range(11, 0, -1)),
    }
    lines = (search_table(columns) or "").splitlines()
    assert lines[0] == "rank_test_score,note"
    assert lines[1] == "1,two lines"
    assert lines[11] == "11,two lines"
