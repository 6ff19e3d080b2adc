"""Model + rows -> predictions, coded so that any metric can be taken of them.

Loads no model and reads no file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from retraining.errors import DamagedModelError
from retraining.machine import threads_for
from retraining.phrases import first_few
from retraining.statistics import Predictions

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from retraining.records import Label, Schema

    Codes = NDArray[np.integer[Any]]
    Chunk = tuple[pd.DataFrame, Codes, Codes]

ROWS_PER_CHUNK = 100_000


def coding(schema: Schema) -> tuple[Label, ...]:
    """The classes in the order of their codes 0, 1, ...: of two classes the positive one is 1, as
    scikit-learn's scorers take it.
    """
    classes = schema.classes
    if len(classes) == 2 and schema.positive_class == classes[0]:
        return (classes[1], classes[0])
    return classes


def coded(positions: Codes, schema: Schema) -> Codes:
    """Labels as tables hold them, positions (n,) in the schema's classes, as codes (n,) in the
    order of `coding`.
    """
    order = coding(schema)
    code_at = [order.index(label) for label in schema.classes]
    codes: Codes = np.asarray(code_at, dtype=_smallest_type(order))[positions]
    return codes


def predict(
    estimator: Any,
    chunks: Iterable[Chunk],
    schema: Schema,
    *,
    with_probabilities: bool,
    name: str = "The model",
) -> Predictions:
    """Predict chunk by chunk, so that memory holds one chunk of features at a time.

    Args:
        estimator: a fitted scikit-learn compatible estimator.
        chunks: features (n rows), codes of the true labels (n,), block of each row (n,).
        schema: of the version that predicts; its classes are the codes.
        with_probabilities: whether the metric needs `predict_proba`.
        name: what an error calls the estimator.

    Raises:
        DamagedModelError: the estimator raised, or predicted a class that is not in the schema.
    """
    order = coding(schema)
    truth: list[Codes] = []
    predicted: list[Codes] = []
    blocks: list[Codes] = []
    probabilities: list[NDArray[np.float64]] = []
    for features, labels, block in chunks:
        if not len(features):
            continue
        truth.append(labels)
        blocks.append(block)
        try:
            with threads_for(len(features)):
                predicted.append(_codes(estimator.predict(features), order))
                if with_probabilities:
                    probabilities.append(_probabilities(estimator, features, order))
        except Exception as error:
            raise _could_not_predict(name, error) from error
    return Predictions(
        truth=_joined(truth),
        predicted=_joined(predicted),
        probabilities=np.concatenate(probabilities) if probabilities else None,
        blocks=_joined(blocks),
        class_count=len(order),
    )


def _could_not_predict(name: str, error: Exception) -> DamagedModelError:
    return DamagedModelError(
        f"{name} could not predict rows of the schema: {type(error).__name__}: {error}.",
        remedy=(
            "Look at the version's run in the MLflow UI; if it is production, `python"
            " pipeline_orchestrator.py rollback`, or give the alias to another version there."
        ),
    )


def _smallest_type(order: Sequence[Label]) -> type[np.integer[Any]]:
    """What holds a code: answers on test rows are kept by the million."""
    return np.int16 if len(order) < 2**15 else np.int32


def _joined(parts: list[Codes]) -> Codes:
    """One array of all parts; these are let go, so that the next ones find room."""
    joined = np.concatenate(parts) if parts else np.empty(0, dtype=np.int16)
    parts.clear()
    return joined


def _codes(labels: Any, order: Sequence[Label]) -> Codes:
    kind = type(order[0])
    code = {label: number for number, label in enumerate(order)}
    values, inverse = np.unique(np.asarray(labels).ravel(), return_inverse=True)
    known = [code.get(kind(value.item() if hasattr(value, "item") else value)) for value in values]
    if None in known:
        strange = [
            repr(value) for value, number in zip(values, known, strict=True) if number is None
        ]
        raise ValueError(
            f"it predicts {first_few(strange, 3)}, which is none of the classes "
            f"{first_few(map(repr, order), 10)}"
        )
    return np.asarray(known, dtype=_smallest_type(order))[inverse]


def _probabilities(
    estimator: Any, features: pd.DataFrame, order: Sequence[Label]
) -> NDArray[np.float64]:
    given = np.asarray(estimator.predict_proba(features), dtype=np.float64)
    columns = _codes(np.asarray(estimator.classes_), order)
    full = np.zeros((len(given), len(order)))
    full[:, columns] = given
    return full
