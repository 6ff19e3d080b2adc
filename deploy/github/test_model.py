"""Is the version behind an alias fit to serve?

Copy this file beside your project's workflow and change what you need.

`PROJECT=/srv/churn MODEL_ALIAS=challenger pytest test_model.py` asks about the version that waits
for approval. It uses MLflow and pandas alone: what passes here loads anywhere.

PROJECT: the project's folder. MODEL_ALIAS: `production` by default. FLOORS: metrics that must be
    reached, as JSON; accuracy over 0.5
by default.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import mlflow
import pandas as pd
import pytest
from sklearn.metrics import get_scorer

PROJECT = Path(os.environ["PROJECT"])
ALIAS = os.environ.get("MODEL_ALIAS", "production")
FLOORS = json.loads(os.environ.get("FLOORS", '{"accuracy": 0.5}'))
STORE = os.environ.get("MLFLOW_TRACKING_URI") or (
    f"sqlite:///{PROJECT.resolve()}/mlflow_server/backend_db/mlflow.db"
)
MODEL = f"models:/{os.environ.get('MODEL_NAME', 'classifier')}@{ALIAS}"
TARGET = os.environ.get("TARGET_COLUMN", "target")


@pytest.fixture(scope="session")
def model() -> mlflow.pyfunc.PyFuncModel:
    mlflow.set_tracking_uri(STORE)
    return mlflow.pyfunc.load_model(MODEL)


@pytest.fixture(scope="session")
def rows(model: mlflow.pyfunc.PyFuncModel) -> pd.DataFrame:
    """The newest data files, with the label, their numbers typed as the signature says."""
    files = sorted((PROJECT / "used_data").glob("*.csv"), key=lambda file: file.stat().st_mtime)
    read = pd.concat([pd.read_csv(file) for file in files[-5:]], ignore_index=True)
    types = {one.name: one.type.to_pandas() for one in model.metadata.get_input_schema().inputs}
    numbers = {name: kind for name, kind in types.items() if kind == "float64" and name in read}
    return read.astype(numbers)


def test_it_answers_every_row_with_a_known_class(
    model: mlflow.pyfunc.PyFuncModel, rows: pd.DataFrame
) -> None:
    answers = model.predict(rows.drop(columns=TARGET))
    assert len(answers) == len(rows)
    assert set(answers) <= set(rows[TARGET])


@pytest.mark.parametrize("metric", sorted(FLOORS))
def test_it_reaches_its_floor(rows: pd.DataFrame, metric: str) -> None:
    estimator = mlflow.sklearn.load_model(MODEL)
    score = get_scorer(metric)(estimator, rows.drop(columns=TARGET), rows[TARGET])
    assert score >= FLOORS[metric], f"{metric} is {score:.3f}"


def test_it_refuses_words_where_numbers_belong(
    model: mlflow.pyfunc.PyFuncModel, rows: pd.DataFrame
) -> None:
    numbers = rows.drop(columns=TARGET).select_dtypes("number").columns
    if not len(numbers):
        pytest.skip("the model has no number column")
    broken = rows.drop(columns=TARGET).astype({numbers[0]: object})
    broken[numbers[0]] = "not a number"
    with pytest.raises(mlflow.exceptions.MlflowException):
        model.predict(broken)


def test_it_loads_in_a_process_of_its_own(rows: pd.DataFrame, tmp_path: Path) -> None:
    rows.drop(columns=TARGET).head(3).to_pickle(tmp_path / "rows.pkl")
    program = (
        "import sys, mlflow, pandas; mlflow.set_tracking_uri(sys.argv[1]); "
        "print(len(mlflow.pyfunc.load_model(sys.argv[2]).predict(pandas.read_pickle(sys.argv[3]))))"
    )
    words = [sys.executable, "-c", program, STORE, MODEL, str(tmp_path / "rows.pkl")]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == "3"
