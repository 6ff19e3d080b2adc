"""A model tried where nothing of the project can be imported, by a process of its own that loads it
as whoever serves it will.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from mlflow.models import Model

from retraining.errors import DamagedModelError
from retraining.model_registry.estimators import save_estimator

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from retraining.records import Schema

SECONDS_AT_MOST = 300
MARK = "answers: "
# -I: no folder of the caller's, no PYTHONPATH, no packages of the user's own
PROGRAM = f"""
import json, sys
import mlflow.sklearn, numpy, pandas
model = mlflow.sklearn.load_model(sys.argv[1])
labels = model.predict(pandas.read_pickle(sys.argv[2]))
print({MARK!r} + json.dumps([str(label) for label in numpy.asarray(labels).ravel()]))
"""
REMEDY = (
    "Let the estimator hold all that it needs: no open file, no module that only this project has."
)


def try_in_a_clean_process(
    estimator: Any, schema: Schema, pip_requirements: Sequence[str], rows: pd.DataFrame
) -> None:
    """Save a model aside, load it in a process that knows nothing of the project, and compare its
    answers on some rows.

    Raises:
        DamagedModelError: it cannot be saved, or not be loaded there, or answers otherwise.
    """
    expected = [str(label) for label in np.asarray(estimator.predict(rows)).ravel()]
    with tempfile.TemporaryDirectory() as aside:
        folder, table = Path(aside) / "model", Path(aside) / "rows.pkl"
        try:
            save_estimator(estimator, schema, pip_requirements, Model(), folder)
        except OSError:
            raise
        except Exception as error:
            raise DamagedModelError(
                f"The estimator cannot be saved: {type(error).__name__}: {error}.", remedy=REMEDY
            ) from error
        rows.to_pickle(table)
        done = subprocess.run(
            [sys.executable, "-I", "-c", PROGRAM, str(folder), str(table)],
            cwd=aside,
            env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS_AT_MOST,
            check=False,
        )
    answers = next((line for line in done.stdout.splitlines() if line.startswith(MARK)), None)
    if answers is None:
        said = (done.stderr.strip() or f"it ended with {done.returncode}").splitlines()[-1]
        raise DamagedModelError(
            f"The estimator cannot be loaded where this project is not: {said}.", remedy=REMEDY
        )
    if json.loads(answers.removeprefix(MARK)) != expected:
        raise DamagedModelError(
            "The estimator gives other answers after it was saved and loaded again.", remedy=REMEDY
        )
