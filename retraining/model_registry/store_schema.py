"""Whether a database holds the tables of another MLflow than the one installed here, and what to do about it."""

from __future__ import annotations

import re
from pathlib import Path

import mlflow

from retraining.errors import NOTHING_CHANGED, OtherMlflowError

# MLflow says the first of a store whose tables are all there, alembic the second where it set out to add some
_FOUND = re.compile(
    r"Detected out-of-date database schema \(found version (\w+)"
    r"|Can't locate revision identified by '(\w+)'"
)


def schema_problem(error: BaseException, shown: str) -> OtherMlflowError | None:
    """The error for a store of another MLflow; None where `error` says nothing of that. `shown` is the store without credentials."""
    found = _FOUND.search(str(error))
    if found is None:
        return None
    revision = found[1] or found[2]
    here = f"the {mlflow.__version__} installed here"
    if revision in _revisions_known_here():
        return OtherMlflowError(
            f"The MLflow store {shown} was made by an older MLflow than {here} (schema {revision}).",
            unchanged=NOTHING_CHANGED,
            remedy="Back the database up, then run `mlflow db upgrade` on it: older versions of MLflow "
            "cannot open it afterwards.",
        )
    return OtherMlflowError(
        f"The MLflow store {shown} was opened by a newer MLflow than {here}: its schema {revision} is not known to this one.",
        unchanged=NOTHING_CHANGED,
        remedy="Install the MLflow that opened it last beside this job, or restore the database's backup from before; "
        "`mlflow db upgrade` does not go back.",
    )


def _revisions_known_here() -> frozenset[str]:
    """The migrations that MLflow ships; the name of each file begins with its revision."""
    folder = Path(mlflow.__file__).parent / "store" / "db_migrations" / "versions"
    return frozenset(path.name.partition("_")[0] for path in folder.glob("*_*.py"))
