"""A service whose registry and log lie on a real PostgreSQL, directly or through a server."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from tests.mlflow_servers import mlflow_server
from tests.serving.services import move_alias, running, until, with_probes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from retraining.settings import Settings
    from tests.postgres import Postgres
    from tests.serving.services import Running

pytestmark = pytest.mark.postgres


@pytest.fixture(
    params=[
        "postgresql",
        pytest.param("server on postgresql", marks=(pytest.mark.server, pytest.mark.slow)),
    ]
)
def probes(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    postgres: Postgres,
    new_postgres_store: Callable[[], str],
) -> Iterator[Settings]:
    """Two probes; registry and log are two databases of one PostgreSQL."""
    store = new_postgres_store()
    with contextlib.ExitStack() as scope:
        if request.param != "postgresql":
            store = scope.enter_context(mlflow_server(tmp_path, store, tmp_path / "artifacts"))
        log = postgres.new_database()
        more = {"MLFLOW_TRACKING_URI": store, "PREDICTION_LOG_URI": log}
        yield with_probes(tmp_path / "project", **more)


def serves(service: Running, version: int, *, logged: bool) -> bool:
    """Whether this version answers, and its answer is in the log."""
    reply = service.predict(1)
    assert reply.status == 200, reply.body
    return (reply.headers["x-model-version"], reply.json["logged"]) == (str(version), logged)


def test_the_alias_is_followed_and_answers_go_on_while_the_database_is_down(
    probes: Settings, postgres: Postgres
) -> None:
    with running(probes) as service:
        assert until(lambda: serves(service, 1, logged=True))
        move_alias(probes, 2)
        assert until(lambda: serves(service, 2, logged=True))
        postgres.stop()
        try:
            assert until(lambda: serves(service, 2, logged=False))
            assert until(lambda: service.ask("GET", "/health").json["store"]["ok"] is False)
            assert service.ask("GET", "/health").json["status"] == "degraded"
        finally:
            postgres.start()
        move_alias(probes, 1)
        assert until(lambda: serves(service, 1, logged=True))
