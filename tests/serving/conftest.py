"""A project of probe models, and a service of it, shared by tests that change neither."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.serving.services import probe_project, running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from retraining.settings import Settings
    from tests.serving.services import Running


@pytest.fixture(scope="module")
def probes(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Settings:
    """Versions 1 and 2 are probes; 1 has the alias."""
    return probe_project(empty_store, tmp_path_factory.mktemp("probes") / "project")


@pytest.fixture(scope="module")
def service(probes: Settings) -> Iterator[Running]:
    """A service of it."""
    with running(probes) as it:
        yield it


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Iterator[Running]:
    """A service of a project of its own, to which a module's tests give tokens."""
    settings = probe_project(empty_store, tmp_path_factory.mktemp("guarded") / "project")
    with running(settings) as it:
        yield it


@pytest.fixture
def own_probes(tmp_path: Path, empty_store: Path) -> Settings:
    """The same for one test, which may change it."""
    return probe_project(empty_store, tmp_path / "project")
