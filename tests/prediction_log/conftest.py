"""A log on each database that it may lie in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from retraining.prediction_log.connection import JOB, open_database
from retraining.prediction_log.layout import ensure_layout

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from retraining.prediction_log.connection import Database

BOTH = ("sqlite", pytest.param("postgresql", marks=pytest.mark.postgres))


@pytest.fixture(params=BOTH)
def uri(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a log that nobody made yet."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/predictions/predictions.db"
        return
    yield request.getfixturevalue("postgres").new_database()


@pytest.fixture
def database(uri: str) -> Iterator[Database]:
    """An empty log."""
    made = open_database(uri, JOB)
    ensure_layout(made)
    yield made
    made.close()
