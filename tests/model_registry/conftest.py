"""A sqlite store that is made once and copied, and one real server that proxies its artifacts."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from retraining.model_registry.connection import Connection
from tests.mlflow_servers import mlflow_server
from tests.model_registry.samples import project_on

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from retraining.settings import Settings


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sqlite store without experiments: making one takes seconds, copying it none."""
    file = tmp_path_factory.mktemp("empty") / "mlflow.db"
    Connection(f"sqlite:///{file}").ask(lambda _: None)
    return file


@pytest.fixture
def on_sqlite(tmp_path: Path, empty_store: Path) -> Settings:
    """A project with an empty sqlite store, in a folder whose name needs quoting."""
    return project_on(empty_store, tmp_path / "ein Projekt für uns")


@pytest.fixture(scope="session")
def proxying_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server as `mlflow server` starts it by default: artifacts go through it."""
    folder = tmp_path_factory.mktemp("server")
    with mlflow_server(folder, f"sqlite:///{folder}/store.db", folder / "artifacts") as url:
        yield url
    shutil.rmtree(folder, ignore_errors=True)
