"""`/docs` in a real browser without internet, `/openapi.json` with examples that work.

And docs/serving.md as it stands.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from retraining.settings import load
from tests.browser import CHROMIUM, chromium
from tests.projects import CLONE, Project
from tests.serving.services import running

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.serving.services import Running

PAGE = (CLONE / "docs/serving.md").read_text()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("described") / "project"
    project = Project.with_first_model(folder, empty_store)
    with running(load(project.folder)) as it:
        yield it


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("line", blocks("sh curl"))
def test_the_lines_of_curl_in_the_page_are_answered(service: Running, line: str) -> None:
    here = line.replace("127.0.0.1:8002", f"127.0.0.1:{service.port}")
    done = subprocess.run(
        ["bash", "-c", f"set -e; {here}"], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout)["predictions"]


def test_the_client_in_the_page_gets_probabilities(service: Running) -> None:
    (client,) = blocks("python tested")
    here = client.replace("127.0.0.1:8002", f"127.0.0.1:{service.port}")
    done = subprocess.run([sys.executable, "-c", here], capture_output=True, text=True, check=True)
    assert re.fullmatch(r"(act|wait) 0\.\d+\n", done.stdout)


def test_every_example_of_rows_is_answered_by_the_version_that_serves(service: Running) -> None:
    described = service.ask("GET", "/openapi.json").json
    content = described["paths"]["/predict"]["post"]["requestBody"]["content"]
    examples = content["application/json"]["examples"]
    assert len(examples) == 5
    for name, example in examples.items():
        assert service.ask("POST", "/predict", example["value"]).status == 200, name


def test_every_route_is_described_with_an_answer(service: Running) -> None:
    paths = service.ask("GET", "/openapi.json").json["paths"]
    bare = [
        f"{method} {path}"
        for path, operations in paths.items()
        for method, operation in operations.items()
        if not _has_an_example(operation)
    ]
    assert bare == []


def test_the_table_of_routes_has_every_route_and_no_other(service: Running) -> None:
    paths = service.ask("GET", "/openapi.json").json["paths"]
    there = {(method.upper(), path) for path, methods in paths.items() for method in methods}
    pages = {("GET", path) for path in ("/", "/docs", "/openapi.json")}
    assert documented_routes() == there | pages
    for method, path in pages:
        assert service.ask(method, path).status == 200, path


def documented_routes() -> set[tuple[str, str]]:
    """Method and path of each row of the table; `<days>` there is `{days}` to the application."""
    _, _, table = PAGE.partition("| route | for |")
    rows = table.partition("\n\n")[0]
    routes = set()
    for first_cell in re.findall(r"^\| (`/.*?|`POST .*?) \|", rows, re.MULTILINE):
        for method, path in re.findall(r"`(?:(POST) )?(/[^`]*)`", first_cell):
            routes.add((method or "GET", re.sub(r"<(\w+)>", r"{\1}", path)))
    return routes


def _has_an_example(operation: dict[str, Any]) -> bool:
    good = [answer for code, answer in operation["responses"].items() if code.startswith("2")]
    answered = any("example" in media for one in good for media in one["content"].values())
    bodies = operation.get("requestBody", {}).get("content", {})
    return answered and (not bodies or '"example' in json.dumps(bodies))


@pytest.mark.browser
@pytest.mark.skipif(
    not CHROMIUM.exists(),
    reason="Debian's package chromium is not installed: /docs is not looked at",
)
def test_the_docs_show_every_route_in_a_browser_without_internet(service: Running) -> None:
    elsewhere: list[str] = []
    home = f"http://127.0.0.1:{service.port}"
    with chromium() as browser:
        page = browser.new_page()
        page.on(
            "request",
            lambda asked: asked.url.startswith((home, "data:")) or elsewhere.append(asked.url),
        )
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(f"{home}/docs")
        page.get_by_text("/mlops/api/retrain/trigger", exact=True).wait_for(timeout=120_000)
        shown = page.inner_text("body")
        for path in ("/predict", "/invocations", "/health"):
            assert path in shown
        page.locator("#operations-default-predict_predict_post").get_by_role("button").first.click()
        page.get_by_role("button", name="Try it out").click()
        page.get_by_role("button", name="Execute").click()
        page.get_by_text('"prediction_ids"').first.wait_for(timeout=120_000)
    assert elsewhere == []
    assert errors == []
