"""A retraining script as tutorials write it, to measure against:
`python -m bench.tutorial FOLDER forest|recipe`.

It reads every file with pandas, copies used and new data into a temporary folder, asks the
production model through pyfunc, splits at random, fits, logs the model as it comes, evaluates,
moves the alias if the score is better, and moves the files. FOLDER holds `new_data/`, `used_data/`
and a registered model `tutorial` with the alias `production` (`prepare` makes it).
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlflow
import pandas as pd
from mlflow import MlflowClient
from sklearn.compose import make_column_transformer
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import accuracy_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import train_classification_model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NAME, ALIAS, TARGET = "tutorial", "production", "target"
NAME_OF = f"models:/{NAME}/{{version}}"
seconds: dict[str, float] = {}
cpu_seconds: dict[str, float] = {}


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Add a step's time to the tables."""
    start, cpu = time.perf_counter(), time.process_time()
    yield
    seconds[name] = time.perf_counter() - start
    cpu_seconds[name] = time.process_time() - cpu


def read(folder: Path) -> pd.DataFrame:
    """Every file of a folder in one table."""
    return pd.concat(
        [pd.read_csv(path) for path in sorted(folder.glob("*.csv"))], ignore_index=True
    )


def forest(X: pd.DataFrame, y: pd.Series) -> Any:
    """A random forest on dense one-hot columns."""
    words = [name for name in X.columns if not pd.api.types.is_numeric_dtype(X[name])]
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    one_hot = make_column_transformer((encoder, words), remainder="passthrough")
    return make_pipeline(one_hot, RandomForestClassifier(random_state=0, n_jobs=-1)).fit(X, y)


FITS: dict[str, Callable[[pd.DataFrame, pd.Series], Any]] = {
    "forest": forest,
    "recipe": train_classification_model.train_model,
    "none": lambda X, y: DummyClassifier().fit(X, y),
}


def connect(folder: Path) -> MlflowClient:
    """The folder's own sqlite store."""
    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    if mlflow.get_experiment_by_name(NAME) is None:
        mlflow.create_experiment(NAME, artifact_location=(folder / "artifacts").as_uri())
    mlflow.set_experiment(NAME)
    return MlflowClient()


def prepare(folder: Path) -> None:
    """Register a first model that knows nothing."""
    client = connect(folder)
    table = read(folder / "new_data").head(100)
    client.set_registered_model_alias(
        NAME, ALIAS, register(FITS["none"](table.drop(columns=TARGET), table[TARGET]), table)
    )


def register(model: Any, table: pd.DataFrame) -> int:
    """Log and register as a tutorial does: signature from the data, requirements found by
    MLflow.
    """
    example = table.drop(columns=TARGET).head(5)
    signature = mlflow.models.infer_signature(example, model.predict(example))
    info = mlflow.sklearn.log_model(
        model,
        name="model",
        signature=signature,
        registered_model_name=NAME,
        serialization_format="cloudpickle",
    )
    return int(info.registered_model_version)


def cycle(folder: Path, fit: str) -> dict[str, Any]:
    """Monitor, retrain, compare, promote, archive; what came of it."""
    with stage("open"):
        client = connect(folder)
    with stage("read new"):
        new = read(folder / "new_data")
    with mlflow.start_run():
        with stage("monitor"):
            production = mlflow.pyfunc.load_model(f"models:/{NAME}@{ALIAS}")
            mlflow.log_metric(
                "accuracy_on_new",
                accuracy_score(new[TARGET], production.predict(new.drop(columns=TARGET))),
            )
        with stage("copy and read"), tempfile.TemporaryDirectory() as together:
            for source in ("used_data", "new_data"):
                for path in (folder / source).glob("*.csv"):
                    shutil.copy(path, together)
            table = read(Path(together))
        train, test = train_test_split(table, test_size=0.2, random_state=0, stratify=table[TARGET])
        with stage("fit"):
            model = FITS[fit](train.drop(columns=TARGET), train[TARGET])
        with stage("register"):
            version = register(model, train)
        with stage("compare"):
            X, y = test.drop(columns=TARGET), test[TARGET]
            before, after = (accuracy_score(y, one.predict(X)) for one in (production, model))
            mlflow.log_metrics({"before": before, "after": after})
        with stage("evaluate"):
            quiet = {"log_model_explainability": False}  # it cannot explain columns of words
            for one in (NAME_OF.format(version=version), f"models:/{NAME}@{ALIAS}"):
                mlflow.models.evaluate(
                    one, test, targets=TARGET, model_type="classifier", evaluator_config=quiet
                )
        if after > before:
            client.set_registered_model_alias(NAME, ALIAS, version)
            with stage("move"):
                for path in (folder / "new_data").glob("*.csv"):
                    shutil.move(path, folder / "used_data" / path.name)
    return {"accuracy": after, "rows": len(train), "seconds": seconds, "cpu_seconds": cpu_seconds}


if __name__ == "__main__":
    where = Path(sys.argv[1]).resolve()
    if sys.argv[2] == "prepare":
        prepare(where)
    else:
        print(json.dumps(cycle(where, sys.argv[2])))
