"""Whether a database holds the tables of another MLflow than the one installed here, and what to do
about it.
"""

from __future__ import annotations

import re
import shlex
import sys
from functools import cache
from pathlib import Path

import mlflow

from retraining.errors import NOTHING_CHANGED, OtherMlflowError

_REVISION = re.compile(r"^revision(?:: str)? = ['\"](\w+)['\"]", re.MULTILINE)
_FOLLOWS = re.compile(r"^down_revision(?:: str)? = ['\"](\w+)['\"]", re.MULTILINE)


def check_revision(revision: str | None, shown: str) -> None:
    """Refuse a store before MLflow opens it, which would migrate an older one unasked.

    None stands for a store without tables.

    Raises:
        OtherMlflowError: its tables are those of an older MLflow, or of a newer one.
    """
    if revision is not None and revision != _newest_revision():
        raise _of_another(revision, shown)


def _of_another(revision: str, shown: str) -> OtherMlflowError:
    here = f"the {mlflow.__version__} installed here"
    if revision in _migrations():
        return OtherMlflowError(
            f"The MLflow store {shown} was made by an older MLflow than {here} (schema"
            f" {revision}).",
            unchanged=NOTHING_CHANGED,
            remedy=_how_to_upgrade(shown),
        )
    return OtherMlflowError(
        f"The MLflow store {shown} was opened by a newer MLflow than {here}: its schema {revision}"
        " is not known to this one.",
        unchanged=NOTHING_CHANGED,
        remedy=(
            "Install the MLflow that opened it last beside this job, or restore the database's"
            " backup from before; `mlflow db upgrade` does not go back."
        ),
    )


def _how_to_upgrade(shown: str) -> str:
    """The lines for backup and upgrade.

    Afterwards an older MLflow cannot open the store any more.
    """
    upgrade = shlex.join([sys.executable or "python3", "-m", "mlflow", "db", "upgrade", shown])
    file = shown.removeprefix("sqlite:///")
    if file == shown:
        return f"Back the database up, then `{upgrade}`: an older MLflow cannot open it afterwards."
    backup = shlex.join(["sqlite3", file, f".backup {file}.before-upgrade"])
    return (
        f"Stop what uses it, then `{backup}` and `{upgrade}`: an older MLflow cannot open it"
        " afterwards."
    )


def _newest_revision() -> str:
    migrations = _migrations()
    (newest,) = migrations.keys() - set(migrations.values())
    return newest


@cache
def _migrations() -> dict[str, str | None]:
    """Each migration that MLflow ships, with the one that it follows.

    Asking alembic would import all of them.
    """
    folder = Path(mlflow.__file__).parent / "store" / "db_migrations" / "versions"
    texts = [path.read_text(encoding="utf-8") for path in folder.glob("*_*.py")]
    names = [(_REVISION.search(text), _FOLLOWS.search(text)) for text in texts]
    return {own[1]: before[1] if before else None for own, before in names if own}
