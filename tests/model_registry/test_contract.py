"""Every registry passes the same checks."""

from collections.abc import Callable
from pathlib import Path

import pytest

from retraining.model_registry.interface import Registry
from retraining.model_registry.memory import MemoryRegistry
from retraining.model_registry.mlflow_registry import MlflowRegistry
from retraining.settings import Settings
from tests.model_registry.contract import CHECKS
from tests.model_registry.samples import project

each_check = pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)


@each_check
def test_in_memory(check: Callable[[Registry], None]) -> None:
    check(MemoryRegistry())


@each_check
def test_on_a_sqlite_store(check: Callable[[Registry], None], on_sqlite: Settings) -> None:
    check(MlflowRegistry(on_sqlite))


@each_check
@pytest.mark.server
def test_on_a_server(
    check: Callable[[Registry], None], proxying_server: str, tmp_path: Path
) -> None:
    names = {"MODEL_NAME": check.__name__, "MLFLOW_EXPERIMENT_NAME": "shared by all of them"}
    check(MlflowRegistry(project(tmp_path, proxying_server, **names)))
