"""A service notes which version it answers with, and `check` names one that lags."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retraining.commands.service_checks import services_that_lag
from tests.serving.services import Broken, move_alias, register, running, until

if TYPE_CHECKING:
    from retraining.settings import Settings


def told(settings: Settings, holder: int) -> list[str]:
    return [problem.what for problem in services_that_lag(settings, holder)]


def test_check_names_a_service_that_answers_with_another_version(own_probes: Settings) -> None:
    assert told(own_probes, 1) == [], "no log was made yet"
    with running(own_probes) as service:
        assert until(lambda: "v1" in "".join(told(own_probes, 9)))
        assert told(own_probes, 1) == []
        move_alias(own_probes, 2)
        assert until(lambda: service.predict(1).json["model"]["version"] == 2)
        assert until(lambda: told(own_probes, 2) == []), "it tells at once, not half a minute later"

        broken = register(own_probes, Broken(3))
        move_alias(own_probes, broken)
        assert until(lambda: service.ask("GET", "/health").json["status"] == "degraded")
        [lagging] = told(own_probes, broken)
        assert "answered with v2" in lagging
        assert f"v{broken} holds the alias 'production'" in lagging
    assert told(own_probes, broken) == [], "who ended well is not missed"


def test_check_names_a_service_without_a_version(own_probes: Settings) -> None:
    move_alias(own_probes, None)
    with running(own_probes):
        assert until(lambda: told(own_probes, 1) != [])
        assert "had no version to answer with" in told(own_probes, 1)[0]
