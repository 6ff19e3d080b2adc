"""An estimator as a plain MLflow model: saved with an explicit signature, loaded from a folder
whose digest was checked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import mlflow.pyfunc
import mlflow.sklearn
import numpy as np
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, DataType
from mlflow.types import Schema as MlflowSchema

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd

    from retraining.records import Schema

_COLUMN_TYPES = {"number": DataType.double, "boolean": DataType.boolean, "string": DataType.string}
_LABEL_TYPES = {"integer": DataType.long, "boolean": DataType.boolean, "string": DataType.string}


def signature(schema: Schema) -> ModelSignature:
    """The schema as MLflow enforces it: any value may be missing, and numbers are doubles (it takes
    neither long for double nor back).
    """
    inputs = [
        ColSpec(_COLUMN_TYPES[column.kind], column.name, required=False)
        for column in schema.columns
    ]
    return ModelSignature(
        MlflowSchema(inputs), MlflowSchema([ColSpec(_LABEL_TYPES[schema.label_kind])])
    )


def save_estimator(
    estimator: Any, schema: Schema, pip_requirements: Sequence[str], model: Model, folder: Path
) -> None:
    """Write an MLflow model; nothing is inferred, which would take seconds and load it."""
    mlflow.sklearn.save_model(
        estimator,
        str(folder),
        mlflow_model=model,
        signature=signature(schema),
        pip_requirements=list(pip_requirements),
        serialization_format="cloudpickle",
    )


def load_estimator(folder: Path) -> Any:
    """The estimator in a folder.

    One that is not scikit-learn's is wrapped so that it has `predict`.
    """
    uri = folder.as_uri()  # a plain path would be unquoted
    if "sklearn" in Model.load(str(folder)).flavors:
        return mlflow.sklearn.load_model(uri)
    return AnyModel(mlflow.pyfunc.load_model(uri))


class AnyModel:
    """A model of another flavour behind the one method that scoring needs.

    `predict` returns one label a row.
    """

    def __init__(self, model: mlflow.pyfunc.PyFuncModel) -> None:
        self._model = model

    def predict(self, X: pd.DataFrame) -> np.ndarray[Any, Any]:
        """Labels of the rows, whose numbers are given the types that the model's signature
        wants.
        """
        wanted = self._model.metadata.get_input_schema()
        inputs = () if wanted is None else wanted.inputs
        numbers = [one for one in inputs if one.name in X and one.type in _NUMBERS]
        typed = X.astype({one.name: one.type.to_numpy() for one in numbers})
        return np.asarray(self._model.predict(typed)).reshape(len(X), -1)[:, 0]


_NUMBERS = (DataType.integer, DataType.long, DataType.float, DataType.double)
