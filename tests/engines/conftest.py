"""Projects for engines."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from tests.fleets import Maker, ready_project

if TYPE_CHECKING:
    from pathlib import Path

    from tests.projects import Project


@pytest.fixture(scope="session")
def ready(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Project:
    """A project with version 1 in production, whose last start ended well."""
    return ready_project(tmp_path_factory.mktemp("engines") / "ready", empty_store)


@pytest.fixture
def make(tmp_path: Path, ready: Project) -> Maker:
    """Makes copies of it with files that open the gate, or too few."""
    return Maker(ready, tmp_path)


@pytest.fixture
def unused_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port
