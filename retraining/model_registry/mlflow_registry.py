"""The registry on MLflow: `Registry` of `interface.py` over a local database or a tracking server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retraining.model_registry.connection import PATIENCE, Connection
from retraining.model_registry.cycles import CycleRuns
from retraining.model_registry.registration import Registration
from retraining.model_registry.runs import now

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from retraining.settings import Settings


class MlflowRegistry(CycleRuns, Registration):
    """Versions, aliases, tags and cycle records in the store that `MLFLOW_TRACKING_URI` names; opened at the first question.

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
        super().__init__(settings, connection, clock, scratch)
