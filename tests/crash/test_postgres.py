"""The registry on a real PostgreSQL, written directly and through a server that proxies artifacts:
whole cycles, and a database that goes away under them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.crash.trials import on_postgres

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.crash.forked import ForkedProject
    from tests.crash.trials import Stage, StoreName

pytestmark = pytest.mark.postgres

THROUGH_A_SERVER = pytest.param(
    "server on postgresql", marks=(pytest.mark.server, pytest.mark.slow)
)
STORES = ("postgresql", THROUGH_A_SERVER)
HOLDER = {"promote": 2, "reject": 1, "roll back": 1, "keep": 1}  # of the alias, afterwards
EVENTS = (  # before and after the commit, and how a start that promotes then ends
    ("stop", "after_commit", 69),
    ("restart", "after_scoring", 0),
    ("end connections", "after_version_creation", 0),
)


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize(
    "name",
    [
        "promote",
        "roll back",
        pytest.param("reject", marks=pytest.mark.slow),
        pytest.param("keep", marks=pytest.mark.slow),
    ],
)
def test_a_whole_cycle_leaves_archive_and_registry_as_its_ending_says(
    stages_on: Callable[[StoreName, str], Stage], store: StoreName, name: str
) -> None:
    stage = stages_on(store, name)
    told = stage.project.cycle()
    assert told["ending"] == stage.scenario.ending
    assert told["production_version"] == HOLDER[name]
    assert stage.project.registry()["aliases"]["production"] == HOLDER[name]
    assert (told["files"]["archived"] > 0) == (name == "promote")
    assert stage.scenario.broken(stage.project, stage.delivered) == []


@pytest.mark.parametrize("store", STORES)
def test_a_database_that_goes_away_under_a_start_is_told_and_nothing_is_lost(
    stages_on: Callable[[StoreName, str], Stage], store: StoreName
) -> None:
    stage = stages_on(store, "promote")
    found = {event: stage.database_at(place, event, {code}) for event, place, code in EVENTS}
    assert {event: wrong for event, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize("store", STORES)
def test_a_start_while_the_database_is_down_ends_69_and_the_next_one_goes_on(
    stages_on: Callable[[StoreName, str], Stage], store: StoreName
) -> None:
    def down(project: ForkedProject) -> Iterator[None]:
        database = on_postgres(project)
        database.have("stop")
        yield
        database.server.start()

    stage = stages_on(store, "promote")
    assert stage.meanwhile(down, {69}) == []
