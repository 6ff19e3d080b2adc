"""What a version carries: read only when its digest is the one that was registered."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import weakref
from contextlib import contextmanager
from operator import methodcaller
from typing import TYPE_CHECKING, Any

from retraining.errors import DamagedModelError, StoreError
from retraining.model_registry.artifact_roots import root_problem
from retraining.model_registry.artifacts import folder_digest
from retraining.model_registry.estimators import AnyModel, load_estimator
from retraining.model_registry.names import CALIBRATION, MANIFEST, RECIPE, SKETCHES
from retraining.model_registry.packages import what_differs
from retraining.serialisation import manifest_from_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from retraining.model_registry.registered_model import RegisteredModel
    from retraining.model_registry.runs import Runs
    from retraining.model_registry.store import Store
    from retraining.records import Manifest, Version

RESTORE = "Restore the files from a backup."


class StoredVersions:
    """The part of `Registry` that reads a version's manifest, estimator and drift reference."""

    def __init__(self, store: Store, runs: Runs, registered: RegisteredModel) -> None:
        self._store = store
        self._runs = runs
        self._registered = registered
        # asking whether another version is sound must not ask that of a third
        self._looks_for_a_way_out = False

    def manifest(self, version: Version) -> Manifest:
        """What a version was made from.

        Raises `DamagedModelError` where its digest is not the one registered.
        """
        content, where = self._read_beside(version, MANIFEST)
        if content is None:
            raise self.damaged(
                version, f"{MANIFEST} of version {version.number} is missing {where}."
            )
        if hashlib.sha256(content).hexdigest() != version.manifest_sha256:
            raise self.damaged(
                version,
                f"{MANIFEST} of version {version.number} {where} is not the one that was"
                " registered.",
            )
        return manifest_from_json(json.loads(content))

    def damaged(self, version: Version, what: str) -> DamagedModelError:
        """The error for a version that must not be used: where its files are out of reach it is
        told so, else the ways out.
        """
        experiment = self._store.known_experiment()
        elsewhere = None if experiment is None else root_problem(experiment, self._store.settings)
        return elsewhere or DamagedModelError(what, remedy=self._way_out(version))

    def _way_out(self, version: Version) -> str:
        """Advice that can be followed: it names another version only where that one was loaded just
        now.
        """
        if self._looks_for_a_way_out:
            return RESTORE
        self._looks_for_a_way_out = True
        try:
            sound = next(filter(self._is_sound, self._others(version)), None)
        finally:
            self._looks_for_a_way_out = False
        if sound is not None:
            back = f"`python pipeline_orchestrator.py rollback --to {sound.number}`"
            return f"Restore the files from a backup, or go back to another version: {back}."
        archive = shlex.quote(
            os.path.relpath(self._store.settings.used_data_dir, self._store.settings.project)
        )
        begin_anew = f"python register_first_model.py --train-from {archive} --set-alias"
        return (
            "Restore the files from a backup; no other version can be loaded. "
            f"Without a backup, `{begin_anew}` begins anew from the archive."
        )

    def _others(self, version: Version) -> list[Version]:
        """Versions of ours that served: the one that this one replaced, then the others, newest
        first.
        """
        before = version.previous
        served = [
            other
            for other in self._registered.versions()
            if other.is_ours
            and other.number != version.number
            and (other.status in ("approved", "rolled_back") or other.number == before)
        ]
        return sorted(served, key=lambda other: (other.number != before, -other.number))

    def _is_sound(self, version: Version) -> bool:
        try:
            self.manifest(version)
            self.model(version)
        except DamagedModelError:
            return False
        return True

    def recipe(self, version: Version) -> str | None:
        """The text of the recipe that made a version; None where it was trained elsewhere."""
        content, _ = self._read_beside(version, RECIPE)
        return None if content is None else content.decode()

    def requirements(self, version: Version) -> str:
        """The packages that a version was made with, as a `requirements.txt`.

        Empty where its model names none.
        """
        content = self._store.artifacts.read(self.location(version), "requirements.txt")
        return "" if content is None else content.decode()

    def sketches(self, version: Version) -> Mapping[str, Any] | None:
        """The drift reference that the version carries."""
        content, _ = self._read_beside(version, SKETCHES)
        return None if content is None else json.loads(content)

    def calibration(self, version: Version) -> Mapping[str, Any] | None:
        """What turns the version's probabilities into an estimated score.

        None where it carries nothing.
        """
        content, _ = self._read_beside(version, CALIBRATION)
        return None if content is None else json.loads(content)

    def metrics(self, version: Version) -> Mapping[str, float]:
        """The metrics that a version was registered with: those of its run."""
        run = self._runs.run(version.run_id) if version.run_id else None
        return {} if run is None else dict(run.data.metrics)

    def run_in_bin(self, version: Version) -> str | None:
        """The id of the run that holds a version's manifest, where a person deleted it: until
        `mlflow gc` it can be restored.
        """
        run = self._runs.run(version.manifest_run or version.run_id)
        is_deleted = run is not None and run.info.lifecycle_stage == "deleted"
        return version.manifest_run or version.run_id if is_deleted else None

    def model_in_bin(self, version: Version) -> str | None:
        """The id of a version's logged model, where a person deleted it: MLflow still loads the
        version, until `mlflow gc` takes its files.
        """
        model_id = version.logged_model
        if model_id is None or not self._store.connection.holds_a_store():
            return None
        if self._store.look(methodcaller("get_logged_model", model_id)) is not None:
            return None
        is_still_there = self._store.artifacts.read(self.location(version), "MLmodel") is not None
        return model_id if is_still_there else None

    def _read_beside(self, version: Version, name: str) -> tuple[bytes | None, str]:
        """An artifact of the run that holds a version's manifest, and where it was looked for."""
        run = self._runs.run(version.manifest_run or version.run_id)
        if run is None:
            return None, "with its run"
        return (
            self._store.artifacts.read(run.info.artifact_uri, name),
            f"in {run.info.artifact_uri}",
        )

    def model(self, version: Version) -> Any:
        """A version's estimator, loaded from a private copy whose digest is the one registered.

        Raises:
            DamagedModelError: files are missing, are not those that were registered, or cannot be
                loaded here.
        """
        location = self.location(version)
        with self.copy_of(version, location) as copy:
            if folder_digest(copy) != version.model_sha256:
                raise self.damaged(
                    version,
                    f"The model files of version {version.number} in {location} are not those that"
                    " were registered.",
                )
            return self._load(version, copy)

    def model_of_another(self, version: Version) -> Any:
        """The estimator of a version that somebody else registered: no digest is known of it yet.

        Raises:
            DamagedModelError: files are missing, or cannot be loaded here.
        """
        with self.copy_of(version, self.location(version)) as copy:
            return self._load(version, copy)

    @contextmanager
    def copy_of(self, version: Version, location: str) -> Iterator[Path]:
        """A private copy: what is checked is what is loaded, and loading writes nothing into the
        store.
        """
        with self._store.artifacts.folder() as folder:
            self._store.artifacts.copy(location, folder)
            if not any(folder.iterdir()):
                raise self.damaged(
                    version,
                    f"The model files of version {version.number} are missing from {location}.",
                )
            yield folder

    def _load(self, version: Version, checked: Path) -> Any:
        try:
            estimator = load_estimator(checked)
            if isinstance(estimator, AnyModel):  # other flavours may read their files later
                lasting = self._store.artifacts.lasting_folder()
                shutil.copytree(checked, lasting, dirs_exist_ok=True)
                estimator = load_estimator(lasting)
                weakref.finalize(estimator, shutil.rmtree, lasting, ignore_errors=True)
        except Exception as error:
            if isinstance(error, OSError) and str(error.filename).startswith(str(checked.parent)):
                raise  # this machine's disk refused a private copy, which was whole a moment ago
            what = (
                f"Version {version.number} cannot be loaded here ({type(error).__name__}: {error})"
            )
            made_with = what_differs(checked)
            if made_with:
                raise DamagedModelError(
                    f"{what}; it was made with {made_with}.",
                    remedy=(
                        "Install those versions beside this job, or train anew with those here: "
                        "`python register_first_model.py --train-from used_data --set-alias`."
                    ),
                ) from error
            raise self.damaged(version, f"{what}.") from error
        return estimator

    def location(self, version: Version) -> str:
        """Where a version's model files are.

        Raises `StoreError` where the version is not there any more.
        """
        location = self._store.look(
            lambda mlflow: mlflow.get_model_version_download_uri(
                self._store.model_name, str(version.number)
            )
        )
        if location is None:
            raise StoreError(
                f"Version {version.number} of {self._store.model_name!r} is not in the registry any"
                " more.",
                remedy=(
                    "Give the alias to a version that is there, in the UI or by `python"
                    " pipeline_orchestrator.py rollback --to N`."
                ),
            )
        return str(location)
