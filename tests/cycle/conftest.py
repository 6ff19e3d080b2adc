"""A desk for each test: version 1 in production on a registry in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cycle.desk import Desk

if TYPE_CHECKING:
    from pathlib import Path

ALWAYS = {"RETRAIN_WHEN": "always", "PROMOTE_WHEN": "unless_worse"}


@pytest.fixture(scope="session")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return Desk.made(tmp_path_factory.mktemp("pattern") / "project")


@pytest.fixture
def desk(pattern: Desk, tmp_path: Path) -> Desk:
    """Version 1 of twelve files serves; nothing waits."""
    return pattern.copied(tmp_path / "project")


@pytest.fixture
def promoted(desk: Desk) -> Desk:
    """Version 2 replaced version 1, and is on probation."""
    desk.deliver(4, seed=2)
    assert desk.cycle(**ALWAYS).ending == "promoted"
    return desk


@pytest.fixture
def waiting(desk: Desk) -> Desk:
    """Version 2 won, and waits for a person."""
    desk.deliver(4, seed=2)
    assert (
        desk.cycle(RETRAIN_WHEN="always", PROMOTE_WHEN="manual", MIN_IMPROVEMENT="-1").ending
        == "awaiting_approval"
    )
    return desk
