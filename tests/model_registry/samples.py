"""Small projects, estimators and records for the registry's tests."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.tree import DecisionTreeClassifier

from retraining import settings
from retraining.records import (
    Batch,
    BatchFile,
    Candidate,
    Column,
    CycleRecord,
    EndingName,
    Manifest,
    Marks,
    Outcome,
    Schema,
    Score,
)

if TYPE_CHECKING:
    from pathlib import Path

    from retraining.model_registry.interface import Registry
    from retraining.settings import Settings

STARTED = datetime(2026, 11, 20, 2, 17, tzinfo=UTC)
ROWS = pd.DataFrame(
    {
        "speed": [1.0, 2.0, 3.0, 4.0],
        "rain": [True, False, True, False],
        "road": ["a", "b", "a", "b"],
    }
)
FILE = BatchFile("Straße 1.csv", "ab" * 32, 4, ((0, 1),))
RECIPE = "def train_model(X_train, y_train):\n    return ...\n"


def project(folder: Path, uri: str = "", **more: str) -> Settings:
    """Settings of a project in `folder`, on its own sqlite store where no other is named."""
    folder.mkdir(parents=True, exist_ok=True)
    return settings.load(folder, {"MLFLOW_TRACKING_URI": uri, **more})


def project_on(empty_store: Path, folder: Path) -> Settings:
    """A project in `folder` with a copy of an empty sqlite store."""
    settings = project(folder)
    database = settings.project / "mlflow_server" / "backend_db"
    database.mkdir(parents=True)
    shutil.copy(empty_store, database / "mlflow.db")
    return settings


def estimator(labels: list[Any]) -> Any:
    """A tree that answers the labels for `ROWS`."""
    columns = ColumnTransformer(
        [("words", OneHotEncoder(handle_unknown="ignore"), ["road"])], remainder="passthrough"
    )
    return make_pipeline(columns, DecisionTreeClassifier(random_state=0)).fit(ROWS, labels)


def schema(kind: str = "integer", labels: tuple[Any, ...] = (0, 1)) -> Schema:
    columns = (
        Column("speed", "number"),
        Column("rain", "boolean"),
        Column("road", "string", ("a", "b")),
    )
    return Schema(columns, "target", kind, labels, labels[1])  # type: ignore[arg-type]


def candidate(
    cycle_id: str = "cycle-1",
    labels: tuple[Any, ...] = (0, 1, 0, 1),
    kind: str = "integer",
    **more: Any,
) -> Candidate:
    classes = tuple(sorted(set(labels)))
    manifest = Manifest(
        (FILE,), (FILE,), (FILE.sha256,), schema(kind, classes), "cd" * 32, cycle_id
    )
    content: dict[str, Any] = {
        "estimator": estimator(list(labels)),
        "manifest": manifest,
        "recipe_text": RECIPE,
        "pip_requirements": ("scikit-learn", "cloudpickle", "pandas"),
        "marks": Marks(status="pending", reason="it looked good"),
        "sketches": {"speed": [1, 2]},
        "calibration": {"why_not": "too few rows"},
    }
    return Candidate(**{**content, **more})


def record(
    run_id: str, number: int = 1, ending: EndingName = "kept", cycle_id: str = "cycle-1"
) -> CycleRecord:
    outcome = Outcome(ending, "production is good enough", number=number, started=STARTED)
    batch = Batch(number, (FILE,))
    score = Score("accuracy", 0.9, 400, (0.85, 0.95))
    return CycleRecord(
        number, cycle_id, run_id, STARTED, outcome, "deciding", (FILE.sha256,), batch, score
    )


def end(registry: Registry, run_id: str, **more: Any) -> CycleRecord:
    """End a cycle as `record` tells it; the record."""
    ended = replace(record(run_id), **more)
    name = f"2026-11-20T02:17:00Z {ended.ending}"
    registry.end_cycle(
        ended, name=name, status="FINISHED", metrics={"accuracy/production_on_new": 0.9}
    )
    return ended
