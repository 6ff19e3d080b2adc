"""The registry on MLflow: `Registry` of `interface.py` over a local database or a tracking server."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from retraining.model_registry.connection import PATIENCE, Connection
from retraining.model_registry.cycles import CycleRuns
from retraining.model_registry.registration import Registration

if TYPE_CHECKING:
    from collections.abc import Callable

    from retraining.settings import Settings


def _now() -> datetime:
    return datetime.now(UTC)


class MlflowRegistry(CycleRuns, Registration):
    """Versions, aliases, tags and cycle records in the store that `MLFLOW_TRACKING_URI` names; opened at the first question.

    Args:
        settings: the project's settings.
        clock: the time, aware.
        patience: seconds that this object may spend waiting on MLflow, over all calls.
    """

    def __init__(self, settings: Settings, *, clock: Callable[[], datetime] = _now, patience: float = PATIENCE) -> None:
        super().__init__(settings, Connection(settings.mlflow_tracking_uri, patience=patience), clock)
