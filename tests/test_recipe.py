"""The shipped recipe on the tables that people have: every type of column and label, tiny,
lopsided, half empty.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, f1_score

from retraining.trainer import check_recipe, load_recipe
from train_classification_model import FEW_ROWS, MOST_CATEGORIES, floats, train_model

if TYPE_CHECKING:
    from pathlib import Path

LABELS = {
    "integers": [0, 1],
    "integers that are no codes": [7, -3],
    "booleans": [False, True],
    "strings": ["no", "yes"],
    "four classes": ["a", "b", "c", "d"],
    "ten classes": list(range(10)),
}


def mixed(rows: int, seed: int = 0) -> pd.DataFrame:
    """Numbers, booleans as 0/1, strings, holes everywhere, a constant and two empty columns."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "number": rng.normal(size=rows),
            "flag": rng.integers(0, 2, rows).astype(float),
            "city": pd.Series(rng.choice(["north", "south", "east"], rows), dtype="str"),
            "constant": 1.0,
            "no number": np.nan,
            "no word": pd.Series([None] * rows, dtype="str"),
        }
    )
    for position, name in enumerate(["number", "flag", "city"]):
        table.loc[table.index % 7 == position, name] = np.nan
    return table


def labels_for(table: pd.DataFrame, classes: list[object], seed: int = 1) -> pd.Series:
    chosen = np.random.default_rng(seed).integers(0, len(classes), len(table))
    chosen[: len(classes)] = range(len(classes))
    return pd.Series([classes[k] for k in chosen])


@pytest.mark.parametrize("rows", [40, 700])
@pytest.mark.parametrize("kind", LABELS)
def test_labels_come_back_as_they_were_given(kind: str, rows: int) -> None:
    table = mixed(rows)
    y = labels_for(table, LABELS[kind])
    estimator = train_model(table, y)
    answers = estimator.predict(table).tolist()
    assert {(type(label), label) for label in answers} <= {
        (type(label), label) for label in LABELS[kind]
    }
    assert estimator.classes_.tolist() == sorted(LABELS[kind])
    assert estimator.predict_proba(table).shape == (rows, len(LABELS[kind]))


def test_the_recipe_passes_its_own_contract(pytestconfig: pytest.Config) -> None:
    recipe = load_recipe(pytestconfig.rootpath / "train_classification_model.py")
    table = mixed(300)
    assert (
        check_recipe(recipe, table, labels_for(table, ["no", "yes"]), needs_probabilities=True)
        == ()
    )


def test_it_learns_from_each_kind_of_column() -> None:
    table = mixed(2_000)
    for name, told in {
        "number": table["number"] > 0,
        "flag": table["flag"] > 0,
        "city": table["city"] == "south",
    }.items():
        estimator = train_model(table[:1_000], told[:1_000])
        assert accuracy_score(told[1_000:], estimator.predict(table[1_000:])) > 0.98, name


def test_a_served_row_gets_the_same_answer_whatever_types_the_server_sends() -> None:
    table = mixed(200)
    estimator = train_model(table, table["number"] > 0)
    expected = estimator.predict_proba(table)
    objects = table.astype(object).where(table.notna(), None)
    booleans = objects.assign(
        flag=[None if flag is None else bool(flag) for flag in objects["flag"]]
    )
    sent = {
        "objects with None": objects,
        "booleans with None": booleans,
        "nullable types": table.convert_dtypes(),
        "categories": table.assign(city=table["city"].astype("category")),
        "columns in another order, one too many": table[list(table)[::-1]].assign(unknown=1),
    }
    for what, rows in sent.items():
        assert np.array_equal(estimator.predict_proba(rows), expected), what
        assert np.array_equal(estimator.predict_proba(rows.head(1)), expected[:1]), what


def test_few_rows_and_many_are_answered_alike_and_no_value_is_encoded_twice() -> None:
    table = mixed(2 * FEW_ROWS)
    estimator = train_model(table, labels_for(table, ["no", "yes", "perhaps"]))
    assert estimator[-1]._preprocessor is None, "boosting's own encoder takes longer than its trees"
    table.loc[::5, "city"] = "never seen"
    together = estimator.predict_proba(table)
    apart = [estimator.predict_proba(table[start : start + 250]) for start in range(0, 2000, 250)]
    assert np.array_equal(np.concatenate(apart), together)
    assert estimator[-1].labels_of(together).tolist() == estimator.predict(table).tolist()


def test_columns_that_are_in_no_table_yet_are_made_the_same_numbers() -> None:
    table = mixed(200)
    first = train_model(table, table["number"] > 0)[0]
    table.loc[::5, "city"] = "never seen"
    words = table["city"].astype(object).where(table["city"].notna(), None).tolist()
    numbers = {name: floats(table[name]) for name in first.numbers}
    made = first.transform_columns({**numbers, "city": words, "unknown": numbers})
    assert np.isnan(made).any()
    assert np.array_equal(made, first.transform(table), equal_nan=True)


def test_a_category_never_seen_counts_with_the_rare_ones_and_a_missing_value_stays_missing() -> (
    None
):
    rows = 3_000
    rng = np.random.default_rng(0)
    common = rng.choice([f"common {k}" for k in range(MOST_CATEGORIES)], rows)
    rare = np.array([f"rare {k}" for k in range(rows)])
    table = pd.DataFrame(
        {"word": pd.Series(np.where(np.arange(rows) % 3 == 0, rare, common), dtype="str")}
    )
    table.loc[table.index % 10 == 1, "word"] = np.nan
    y = table["word"].str.split().str[0].fillna("missing")
    estimator = train_model(table, y)
    assert estimator.predict(pd.DataFrame({"word": ["never seen", None, common[0]]})).tolist() == [
        "rare",
        "missing",
        "common",
    ]
    assert estimator[-1].is_categorical_.tolist() == [True]


def test_a_column_of_names_that_never_repeat_does_no_harm() -> None:
    table = mixed(2_000)
    noisy = table["number"].gt(0) ^ (np.random.default_rng(0).random(2_000) < 0.1)
    named = table.assign(name=[f"person {k}" for k in range(2_000)]).astype({"name": "str"})
    scores = [
        accuracy_score(noisy[1_000:], train_model(t[:1_000], noisy[:1_000]).predict(t[1_000:]))
        for t in (table, named)
    ]
    assert scores[1] > scores[0] - 0.02


def test_a_column_with_a_handful_of_values_in_many_rows_is_survived() -> None:
    """Boosting bins by a sample of 200,000 rows, in which such a column can be empty."""
    table = pd.DataFrame(
        {"number": np.random.default_rng(0).normal(size=250_000), "hardly any": np.nan}
    )
    table.loc[:3, "hardly any"] = 1.0
    train_model(table, table["number"] > 0)


@pytest.mark.parametrize("rows", [20, 21, 39, 50])
def test_a_tiny_table_with_one_row_of_a_class_is_learned(rows: int) -> None:
    table = mixed(rows)
    estimator = train_model(table, pd.Series(["common"] * (rows - 1) + ["rare"]))
    assert set(estimator.predict(table)) <= {"common", "rare"}


def test_twenty_rows_are_enough_to_learn_an_obvious_rule() -> None:
    table = pd.DataFrame({"x": np.arange(20.0)})
    assert train_model(table, table["x"] > 9).predict(table).tolist() == [False] * 10 + [True] * 10


@pytest.mark.parametrize("columns", [["number"], ["city"], ["number", "flag"], ["city", "no word"]])
def test_one_kind_of_column_is_enough(columns: list[str]) -> None:
    table = mixed(100)[columns]
    train_model(table, labels_for(table, [0, 1])).predict(table)


def test_the_same_rows_give_the_same_model() -> None:
    table = mixed(500)
    y = labels_for(table, [0, 1])
    first, second = (train_model(table, y).predict_proba(table) for _ in range(2))
    assert np.array_equal(first, second)


def test_the_tables_it_is_given_stay_as_they_are() -> None:
    table = mixed(100)
    y = labels_for(table, [0, 1])
    before = table.copy(), y.copy()
    train_model(table, y).predict(table)
    pd.testing.assert_frame_equal(table, before[0])
    pd.testing.assert_series_equal(y, before[1])


@pytest.mark.parametrize(
    ("counts", "favours"),
    [
        ({"a": 50, "b": 50}, [1, 1]),
        ({"a": 90, "b": 10}, [1, 1]),
        ({"a": 95, "b": 5}, [1, 2]),
        ({"a": 975, "b": 25}, [1, 4]),
        ({"a": 999, "b": 1}, [1, 5]),
        ({"a": 98, "b": 98, "c": 98, "d": 6}, [1, 1, 1, 2.5]),
    ],
)
def test_only_a_very_rare_class_is_favoured(counts: dict[str, int], favours: list[float]) -> None:
    y = pd.Series([label for label, count in counts.items() for _ in range(count)])
    assert train_model(mixed(len(y)), y)[-1].favour_ == pytest.approx(favours)


def test_a_rare_class_is_found_at_little_cost_in_accuracy_and_none_in_probabilities() -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(20_000, 4)), columns=list("abcd"))
    rare = pd.Series(
        np.where(table["a"] + table["b"] + rng.logistic(size=20_000) > 4, "rare", "usual")
    )
    estimator = train_model(table[:10_000], rare[:10_000])
    truth, probabilities = rare[10_000:], estimator.predict_proba(table[10_000:])
    favoured, likeliest = (
        estimator.predict(table[10_000:]),
        estimator.classes_[probabilities.argmax(axis=1)],
    )
    assert 0.02 < np.mean(truth == "rare") < 0.06
    assert (
        f1_score(truth, favoured, pos_label="rare")
        > f1_score(truth, likeliest, pos_label="rare") + 0.05
    )
    assert accuracy_score(truth, favoured) > accuracy_score(truth, likeliest) - 0.01
    assert probabilities[:, 0].mean() == pytest.approx(np.mean(truth == "rare"), abs=0.005)


def test_it_imports_nothing_of_the_job(pytestconfig: pytest.Config) -> None:
    path: Path = pytestconfig.rootpath / "train_classification_model.py"
    assert "retraining" not in path.read_text(encoding="utf-8")
