"""One forking process a session, and projects in memory where there is room for them: nothing here
is about the disk's speed.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.crash.forked import ForkedProject, Zygote
from tests.crash.scenarios import SCENARIOS
from tests.crash.trials import Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


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
def stages(in_memory: Path, zygote: Zygote) -> Callable[[str], Stage]:
    """The eve of a scenario by its name.

    Each is prepared once a session, and put back for every test that asks.
    """
    made: dict[str, Stage] = {}

    def stage(name: str) -> Stage:
        if name not in made:
            made[name] = Stage.set_for(SCENARIOS[name], ForkedProject.at(in_memory / name, zygote))
        return made[name].put_back()

    return stage
