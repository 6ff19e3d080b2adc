"""Whether a project's start will need the packages: a look at its gate. Standard library only."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from retraining.cycle.gate import ask_the_gate
from retraining.cycle.job import Job
from retraining.errors import RetrainingError
from retraining.settings import load
from retraining.sources import sources_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

# Beginnings of names that packages read while they load; these are too late for a loaded one.
READ_WHILE_LOADING = (
    "ARROW_", "BLIS_", "GIT_", "GOMP_", "GOTO_", "JOBLIB_", "KMP_", "LOKY_", "MKL_", "MLFLOW_",
    "MPL", "NPY_", "NUMEXPR_", "NUMPY_", "OMP_", "OPENBLAS_", "OTEL_", "PANDAS_", "SCIPY_",
    "SKLEARN_", "SQLALCHEMY_", "TZ",
)  # fmt: skip
READ_WHEN_USED = ("MLFLOW_TRACKING_", "MLFLOW_HTTP_REQUEST_", "MLFLOW_S3_")


def wants_packages(project: Path, env_file: Path | None, *, force: bool = False) -> bool:
    """Whether a start on the project would pass its gate, and may use packages that are loaded.

    It only looks; by `force` every gate is passed. Where something is wrong the answer is no: the
    start itself meets it and says so.
    """
    try:
        settings = load(project, os.environ, env_file)
        if any(_read_while_loading(settings.passed_on)):
            return False  # it loads packages of its own, after these names are set
        job = Job.open(settings, read_only=True)
        if force or sources_of(settings) or not job.state.is_clean:
            return True
        return ask_the_gate(job).decision.act
    except (RetrainingError, OSError):
        return False


def _read_while_loading(names: Iterable[str]) -> Iterable[str]:
    """Those of the names that a package reads while it loads."""
    return (
        name
        for name in names
        if name.startswith(READ_WHILE_LOADING) and not name.startswith(READ_WHEN_USED)
    )
