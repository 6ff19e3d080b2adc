"""What `/openapi.json` says holds: requests made from it, good and bad, get answers that it
describes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import content_type_conformance, status_code_conformance

from retraining.settings import load
from tests.projects import Project
from tests.serving.services import running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.serving.services import Running

STARTS_PROCESSES = ("/mlops/api/retrain/trigger", "/mlops/api/monitoring/")
CHECKS: list[Any] = [not_a_server_error, status_code_conformance, content_type_conformance]
bounded = hypothesis_settings(
    max_examples=15, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("described") / "project"
    project = Project.with_first_model(folder, empty_store)
    with running(load(project.folder)) as it:
        yield it


@pytest.mark.parametrize("mode", GenerationMode)
def test_requests_made_from_the_description_get_answers_that_it_describes(
    service: Running, mode: GenerationMode
) -> None:
    address = f"http://127.0.0.1:{service.port}"
    described = schemathesis.openapi.from_url(f"{address}/openapi.json")
    asked = []
    for found in described.get_all_operations():
        operation = found.ok()
        has_a_wrong_form = bool(operation.body)
        if mode is GenerationMode.NEGATIVE and not has_a_wrong_form:
            continue
        if not operation.path.startswith(STARTS_PROCESSES):
            ask(operation, mode, address)
            asked.append(operation.path)
    assert {"/predict", "/invocations", "/labels", "/ingest/batch"} <= set(asked)


def ask(operation: Any, mode: GenerationMode, address: str) -> None:
    @bounded
    @given(case=operation.as_strategy(generation_mode=mode))
    def one(case: Any) -> None:
        case.call_and_validate(base_url=address, checks=CHECKS, timeout=120)

    one()
