"""The registry on MLflow: `Registry` of `interface.py` over a local database or a tracking
server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from retraining.model_registry.connection import PATIENCE, Connection
from retraining.model_registry.cycles import Cycles
from retraining.model_registry.registered_model import RegisteredModel
from retraining.model_registry.registration import Registration
from retraining.model_registry.runs import Runs, now
from retraining.model_registry.store import Store
from retraining.model_registry.stored_versions import StoredVersions

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from retraining.settings import Settings


class MlflowRegistry:
    """Versions, aliases, marks and cycle records in the store that `MLFLOW_TRACKING_URI` names.

    Opened at the first question.

    Each part answers the verbs that it is about; all of them share one store.

    Args:
        settings: the project's settings.
        clock: the time, aware.
        patience: seconds that this object may spend waiting on MLflow, over all calls.
        scratch: a folder for private copies; by default one that cycles share and sweep.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Callable[[], datetime] = now,
        patience: float = PATIENCE,
        scratch: Path | None = None,
    ) -> None:
        connection = Connection(settings.mlflow_tracking_uri, patience=patience)
        store = Store(settings, connection, clock, scratch)
        runs = Runs(store)
        registered = RegisteredModel(store)
        stored = StoredVersions(store, runs, registered)
        registration = Registration(store, runs, registered, stored)
        cycles = Cycles(store, runs)

        self.facts = registered.facts
        self.version = registered.version
        self.versions = registered.versions
        self.mark = registered.mark
        self.set_alias = registered.set_alias
        self.drop_alias = registered.drop_alias
        self.hold = registered.hold
        self.lift_hold = registered.lift_hold
        self.withdraw = registered.withdraw
        self.note_move = registered.note_move
        self.leave = registered.leave

        self.models_of_this_job = registered.models_of_this_job
        self.manifest = stored.manifest
        self.model = stored.model
        self.model_of_another = stored.model_of_another
        self.recipe = stored.recipe
        self.requirements = stored.requirements
        self.sketches = stored.sketches
        self.calibration = stored.calibration
        self.run_in_bin = stored.run_in_bin
        self.model_in_bin = stored.model_in_bin
        self.metrics = stored.metrics

        self.register = registration.register
        self.adopt = registration.adopt
        self.log_model_metrics = registration.log_model_metrics

        self.cycle_records = cycles.cycle_records
        self.cycle_record = cycles.cycle_record
        self.open_runs = cycles.open_runs
        self.read_text = cycles.read_text
        self.run_url = cycles.run_url
        self.end_abandoned_runs = cycles.end_abandoned_runs
        self.begin_cycle = cycles.begin_cycle
        self.log_stage = cycles.log_stage
        self.end_cycle = cycles.end_cycle
        self.save_files = runs.save_files
