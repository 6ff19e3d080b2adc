"""How a version comes into being: model and manifest first, then one call that creates it with all
its tags.
"""

from __future__ import annotations

import hashlib
import json
from operator import methodcaller
from typing import TYPE_CHECKING

from mlflow.entities import LoggedModelOutput
from mlflow.models import Model
from mlflow.utils.mlflow_tags import MLFLOW_MODEL_VERSIONS

from retraining.errors import RecipeError
from retraining.kill_points import kill_point
from retraining.model_registry import texts
from retraining.model_registry.artifacts import folder_digest
from retraining.model_registry.estimators import save_estimator
from retraining.model_registry.failures import already_exists
from retraining.model_registry.names import (
    CALIBRATION,
    CYCLE_ID,
    MANIFEST,
    RECIPE,
    SEARCH,
    SKETCHES,
    VERSION_TAGS,
    tags_of,
)
from retraining.model_registry.runs import TRAINING, in_milliseconds
from retraining.model_registry.search_table import search_table
from retraining.serialisation import manifest_to_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlflow import MlflowClient
    from mlflow.entities import LoggedModel
    from mlflow.entities.model_registry import ModelVersion

    from retraining.model_registry.registered_model import RegisteredModel
    from retraining.model_registry.runs import Runs
    from retraining.model_registry.store import Store
    from retraining.model_registry.stored_versions import StoredVersions
    from retraining.records import Candidate, Manifest, Marks, Version


class Registration:
    """The part of `Registry` that creates and adopts versions."""

    def __init__(
        self, store: Store, runs: Runs, registered: RegisteredModel, stored: StoredVersions
    ) -> None:
        self._store = store
        self._runs = runs
        self._registered = registered
        self._stored = stored

    def register(self, candidate: Candidate, *, parent: str, run_name: str) -> int:
        """Log the model on a nested run and create its version with all its tags in one call.

        The version's number.
        """
        manifest = json.dumps(manifest_to_json(candidate.manifest), indent=1)
        run_id = self._runs.create_nested(parent, run_name, TRAINING)
        self._runs.log(
            run_id,
            texts.metrics(candidate.metrics, in_milliseconds(self._store.clock())),
            texts.params(candidate.params),
        )
        self._runs.save_files(run_id, _files_of(candidate, manifest))
        model = self._create_logged_model(run_id)
        own_tags = {
            VERSION_TAGS["cycle_id"]: candidate.manifest.cycle_id,
            VERSION_TAGS["logged_model"]: model.model_id,
            VERSION_TAGS["model_sha256"]: self._upload_model(candidate, model),
            VERSION_TAGS["manifest_sha256"]: _sha256(manifest),
        }
        kill_point("after_upload")
        number = self._create_version(
            model, run_id, parent, texts.version_tags({**tags_of(candidate.marks), **own_tags})
        )
        self._runs.end(run_id, "FINISHED")
        return number

    def _create_logged_model(self, run_id: str) -> LoggedModel:
        experiment = self._store.own_experiment().experiment_id

        def find(mlflow: MlflowClient) -> LoggedModel | None:
            return next(
                iter(
                    mlflow.search_logged_models(
                        [experiment], filter_string=f"source_run_id = '{run_id}'", max_results=1
                    )
                ),
                None,
            )

        return self._store.connection.create(
            lambda mlflow: mlflow.create_logged_model(
                experiment,
                name=self._store.model_name,
                source_run_id=run_id,
                model_type="classifier",
            ),
            find,
        )

    def _upload_model(self, candidate: Candidate, model: LoggedModel) -> str:
        """Save the model aside, digest it, and copy it to its place: a copy that went wrong will
        not match.
        """
        ids = {
            "run_id": model.source_run_id,
            "model_uuid": model.model_id,
            "model_id": model.model_id,
        }
        with self._store.artifacts.folder() as folder:
            try:
                about = Model(artifact_path=model.artifact_location, **ids)
                save_estimator(
                    candidate.estimator,
                    candidate.manifest.schema,
                    candidate.pip_requirements,
                    about,
                    folder,
                )
            except OSError:
                raise
            except Exception as error:
                raise RecipeError(
                    f"The trained estimator cannot be saved ({type(error).__name__}: {error}).",
                    remedy=(
                        "Let train_model return an estimator that cloudpickle can save: no open"
                        " file, lock or connection in it."
                    ),
                ) from error
            self._store.artifacts.upload(model.artifact_location, folder)
            return folder_digest(folder)

    def _create_version(
        self, model: LoggedModel, run_id: str, parent: str, tags: Mapping[str, str]
    ) -> int:
        def make(mlflow: MlflowClient) -> ModelVersion:
            return mlflow.create_model_version(
                self._store.model_name,
                model.artifact_location,
                run_id,
                tags=tags,
                await_creation_for=0,
                model_id=model.model_id,
            )

        def find(mlflow: MlflowClient) -> ModelVersion | None:
            return next(iter(self._registered.find(mlflow, {CYCLE_ID: tags[CYCLE_ID]})), None)

        self._store.connection.ask(
            lambda mlflow: mlflow.finalize_logged_model(model.model_id, "READY")
        )
        for made_in in (run_id, parent):  # the cycle's own page leads to the version too
            self._store.connection.ask(
                methodcaller("log_outputs", made_in, [LoggedModelOutput(model.model_id, step=0)])
            )
        self._store.connection.ask(self._make_registered_model)
        number = int(self._store.connection.create(make, find).version)
        # a server marks the model itself: the UI shows the version beside it
        if not self._store.connection.is_server:
            versions = json.dumps([{"name": self._store.model_name, "version": number}])
            self._store.connection.ask(
                lambda mlflow: mlflow.set_logged_model_tags(
                    model.model_id, {MLFLOW_MODEL_VERSIONS: versions}
                )
            )
        return number

    def _make_registered_model(self, mlflow: MlflowClient) -> None:
        try:
            mlflow.create_registered_model(
                self._store.model_name, description=texts.how_to_read(self._store.settings)
            )
        except Exception as error:
            if not already_exists(error):
                raise

    def adopt(self, version: Version, manifest: Manifest, marks: Marks) -> None:
        """Put a manifest on a version that somebody else registered.

        The last tag makes it one of ours.
        """
        with self._stored.copy_of(version, self._stored.location(version)) as copy:
            digest = folder_digest(copy)
        run_id = version.run_id
        # registered without a run, or the run is gone
        if not run_id or self._runs.run(run_id) is None:
            run_id = self._runs.create(
                f"adopted v{version.number}", TRAINING, manifest.cycle_id, self._store.clock()
            )
            self._runs.end(run_id, "FINISHED")
        text = json.dumps(manifest_to_json(manifest), indent=1)
        self._runs.save_files(run_id, {MANIFEST: text})
        own_tags = {
            VERSION_TAGS["cycle_id"]: manifest.cycle_id,
            VERSION_TAGS["manifest_run"]: run_id,
            VERSION_TAGS["model_sha256"]: digest,
            VERSION_TAGS["manifest_sha256"]: _sha256(text),
        }
        self._registered.tag_version(version.number, {**tags_of(marks), **own_tags})

    def log_model_metrics(self, version: int, metrics: Mapping[str, float]) -> None:
        """Put bare metrics on the version's logged model, for the Models page.

        An adopted version may have none.
        """
        facts = self._registered.version(version)
        model_id = facts.logged_model if facts is not None else None
        if facts is not None and model_id is not None:
            self._runs.log(
                facts.run_id,
                texts.metrics(metrics, in_milliseconds(self._store.clock()), model_id=model_id),
            )


def _files_of(candidate: Candidate, manifest: str) -> dict[str, str]:
    files = {MANIFEST: manifest, RECIPE: candidate.recipe_text}
    if candidate.sketches is not None:
        files[SKETCHES] = json.dumps(candidate.sketches, indent=1, default=str)
    if candidate.calibration is not None:
        files[CALIBRATION] = json.dumps(candidate.calibration)
    table = search_table(candidate.search_results)
    return files if table is None else {**files, SEARCH: table}


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
