"""One forking process a session, and projects in memory where there is room for them: nothing here
is about the disk's speed.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.crash.forked import ForkedProject, Zygote
from tests.crash.scenarios import SCENARIOS
from tests.crash.trials import Stage, projects_on

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.crash.trials import StoreName


@pytest.fixture(scope="session")
def in_memory() -> Iterator[Path]:
    """A folder on a memory disk, else in the usual place."""
    memory = Path("/dev/shm")
    place = (
        memory
        if memory.is_dir()
        and os.access(memory, os.W_OK)
        and shutil.disk_usage(memory).free > 1 << 30
        else None
    )
    folder = Path(tempfile.mkdtemp(prefix="retraining-crash-", dir=place))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def zygote(in_memory: Path) -> Iterator[Zygote]:
    forking = Zygote(in_memory / "zygote")
    yield forking
    forking.close()


@pytest.fixture
def forked(in_memory: Path, zygote: Zygote) -> Iterator[ForkedProject]:
    """A new project whose starts are forked."""
    folder = Path(tempfile.mkdtemp(dir=in_memory)) / "project"
    yield ForkedProject.at(folder, zygote)
    shutil.rmtree(folder.parent)


@pytest.fixture(scope="session")
def stages_on(
    in_memory: Path, zygote: Zygote, request: pytest.FixtureRequest
) -> Iterator[Callable[[StoreName, str], Stage]]:
    """The eve of a scenario by its name, on one kind of store.

    Each is prepared once a session, and put back for every test that asks.
    """
    makers: dict[str, Callable[[], ForkedProject]] = {}
    made: dict[tuple[str, str], Stage] = {}

    def stage(store: StoreName, name: str) -> Stage:
        if store not in makers:
            server = request.getfixturevalue("postgres") if "postgres" in store else None
            place = in_memory / f"stages on {store}"
            makers[store] = scope.enter_context(projects_on(store, place, zygote, server))
        if (store, name) not in made:
            made[store, name] = Stage.set_for(SCENARIOS[name], makers[store]())
        return made[store, name].put_back()

    with ExitStack() as scope:
        yield stage


@pytest.fixture(scope="session")
def stages(stages_on: Callable[[StoreName, str], Stage]) -> Callable[[str], Stage]:
    """The same on a sqlite file."""
    return partial(stages_on, "sqlite")
