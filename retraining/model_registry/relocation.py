"""Points the artifact addresses of our experiment to where the project is now, after it was moved.

MLflow keeps an absolute address with each experiment, run, model and version, and has no call that
changes one: so the rows are changed in the database itself, in one transaction. Rows of other
experiments and of other registered models stay as they are.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from mlflow.store.db.utils import create_sqlalchemy_engine
from mlflow.store.model_registry.dbmodels.models import SqlModelVersion
from mlflow.store.tracking.dbmodels.models import SqlExperiment, SqlLoggedModel, SqlRun
from sqlalchemy import func, literal, or_, select, update

from retraining.errors import ArtifactsElsewhereError, UsageError
from retraining.model_registry.artifact_roots import has_artifacts_here, same_root_here
from retraining.model_registry.artifacts import local_folder
from retraining.model_registry.failures import translated
from retraining.model_registry.names import MANIFEST
from retraining.model_registry.own_experiment import store_of
from retraining.model_registry.registered_model import RegisteredModel
from retraining.model_registry.runs import Runs

if TYPE_CHECKING:
    from sqlalchemy import Column, ColumnElement
    from sqlalchemy import Connection as Database

    from retraining.model_registry.store import Store
    from retraining.records import Version
    from retraining.settings import Settings


@dataclass(frozen=True)
class Relocation:
    """The folder that addresses begin with, the one they are to begin with (both URIs), and how
    many there are of each kind.
    """

    experiment: str
    old: str
    new: str
    runs: int = 0
    models: int = 0
    versions: int = 0


class _Addresses(NamedTuple):
    """A column of addresses, and which of its table's rows are ours."""

    column: Column[str]
    ours: ColumnElement[bool]


def plan_relocation(settings: Settings) -> Relocation | None:
    """What is to be pointed from where to where.

    None where all addresses are of this place, or nothing is kept yet.

    Raises:
        UsageError: the store is behind a server, which lets nobody change an address.
        ArtifactsElsewhereError: the files are not here.
    """
    if settings.mlflow_tracking_uri.startswith("http"):
        raise UsageError(
            "A server lets nobody change where artifacts are.",
            remedy=(
                "Stop the server, set MLFLOW_TRACKING_URI to its database for this one command, and"
                " start it again."
            ),
        )
    return _Project(store_of(settings)).plan()


def carry_out(settings: Settings, planned: Relocation) -> None:
    """Change the addresses, all or none of them.

    Raises:
        StoreError: the database refused.
    """
    engine = create_sqlalchemy_engine(settings.mlflow_tracking_uri)
    try:
        with engine.begin() as database:
            for addresses in _all_addresses(settings, _number_of(database, planned.experiment)):
                _change(database, addresses, planned)
    except Exception as error:
        raise translated(error, settings.mlflow_tracking_uri) from error
    finally:
        engine.dispose()


class _Project:
    """The project's experiment and versions, as the store knows them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._settings = store.settings
        self._runs = Runs(store)
        self._registered = RegisteredModel(store)

    def plan(self) -> Relocation | None:
        experiment = self._store.known_experiment()
        if experiment is None:
            return None
        old = str(experiment.artifact_location).rstrip("/")
        new = same_root_here(old, self._settings)
        if old == new:
            return None
        wanted = Relocation(experiment.name, old, new)
        self._check_that_the_files_are_here(wanted)
        return self._counted(wanted, int(experiment.experiment_id))

    def _check_that_the_files_are_here(self, planned: Relocation) -> None:
        """The manifest of the version that serves must be in the new place, byte for byte."""
        holder = self._registered.facts().aliases.get(self._settings.production_alias)
        version = None if holder is None else self._registered.version(holder)
        here = has_artifacts_here(planned.old, self._settings)
        if here and (version is None or not version.is_ours or self._is_here(version, planned)):
            return
        missing = "there are none" if version is None else f"those of v{version.number} are not"
        raise ArtifactsElsewhereError(
            f"The artifacts of the experiment {planned.experiment!r} are not in"
            f" {local_folder(planned.new)}: {missing} there.",
            remedy=(
                f"Copy them there from {local_folder(planned.old) or planned.old} or from a backup,"
                " then relocate."
            ),
        )

    def _is_here(self, version: Version, planned: Relocation) -> bool:
        run = self._runs.run(version.manifest_run or version.run_id)
        if run is None or not run.info.artifact_uri.startswith(f"{planned.old}/"):
            return True  # kept elsewhere: no address of it is changed
        folder = local_folder(planned.new + run.info.artifact_uri.removeprefix(planned.old))
        path = None if folder is None else folder / MANIFEST
        if path is None or not path.is_file():
            return False
        return hashlib.sha256(path.read_bytes()).hexdigest() == version.manifest_sha256

    def _counted(self, planned: Relocation, experiment: int) -> Relocation:
        engine = create_sqlalchemy_engine(self._settings.mlflow_tracking_uri)
        try:
            with engine.connect() as database:
                _, runs, models, versions, _ = (
                    _count(database, addresses, planned.old)
                    for addresses in _all_addresses(self._settings, experiment)
                )
        finally:
            engine.dispose()
        return Relocation(planned.experiment, planned.old, planned.new, runs, models, versions)


def _all_addresses(settings: Settings, experiment: int) -> tuple[_Addresses, ...]:
    """Every column that holds an address of ours."""
    experiments, runs = SqlExperiment.__table__.c, SqlRun.__table__.c
    models, versions = SqlLoggedModel.__table__.c, SqlModelVersion.__table__.c
    of_our_model = versions.name == settings.model_name
    return (
        _Addresses(experiments.artifact_location, experiments.experiment_id == experiment),
        _Addresses(runs.artifact_uri, runs.experiment_id == experiment),
        _Addresses(models.artifact_location, models.experiment_id == experiment),
        _Addresses(versions.source, of_our_model),
        _Addresses(versions.storage_location, of_our_model),
    )


def _number_of(database: Database, experiment: str) -> int:
    number = select(SqlExperiment.experiment_id).where(SqlExperiment.name == experiment)
    return int(database.execute(number).scalar_one())


def _begins_with(addresses: _Addresses, old: str) -> ColumnElement[bool]:
    inside = addresses.column.startswith(f"{old}/", autoescape=True)
    return addresses.ours & or_(addresses.column == old, inside)


def _count(database: Database, addresses: _Addresses, old: str) -> int:
    counted = select(func.count()).where(_begins_with(addresses, old))
    return int(database.execute(counted).scalar_one())


def _change(database: Database, addresses: _Addresses, planned: Relocation) -> None:
    rest = func.substr(addresses.column, len(planned.old) + 1)
    changed = update(addresses.column.table).where(_begins_with(addresses, planned.old))
    database.execute(changed.values({addresses.column.key: literal(planned.new) + rest}))
