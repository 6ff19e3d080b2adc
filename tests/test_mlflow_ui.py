"""MLflow's own pages in a real Chromium, as a person meets them after some cycles.

Screenshots land in build/screenshots/.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from mlflow import MlflowClient

from tests.mlflow_servers import wait_for
from tests.ports import free_port
from tests.projects import CLONE, Project, tables

if TYPE_CHECKING:
    from collections.abc import Iterator

sync_api = pytest.importorskip(
    "playwright.sync_api", reason="Playwright is not installed: MLflow's pages are not looked at"
)

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SCREENSHOTS = CLONE / "build" / "screenshots"
PATIENCE = 60_000  # milliseconds; the machine may be busy

pytestmark = [
    pytest.mark.browser,
    pytest.mark.server,
    pytest.mark.skipif(
        not CHROMIUM.exists(),
        reason="Debian's package chromium is not installed: MLflow's pages are not looked at",
    ),
]


@dataclass(frozen=True)
class Told:
    """A project after three cycles, and what `--json` said of them, by ending."""

    project: Project
    cycles: dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Tab:
    """A browser's tab on the server that `make server` starts."""

    page: Any
    url: str

    def opens(self, path: str, *, until: str) -> None:
        """Go to a page of the UI and wait for a text on it; the UI never falls idle."""
        self.page.goto("about:blank")
        self.page.goto(f"{self.url}/#/{path}", wait_until="commit")
        self.sees(until)

    def sees(self, *texts: str) -> None:
        for text in texts:
            self.page.get_by_text(text).first.wait_for(timeout=PATIENCE)

    def keeps(self, name: str) -> None:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"mlflow-{name}.png")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Told:
    """Version 1 kept, replaced by version 2 as the concept turned, which is kept.

    Version 3 waits for a person.
    """
    project = Project.with_first_model(tmp_path_factory.mktemp("ui") / "project", empty_store)
    cycles = {}
    project.deliver(*tables(3, seed=2))
    cycles["kept"] = project.cycle()
    project.put("broken.csv", "speed,load\n1,2\n")
    project.deliver(*tables(15, seed=3, rows=60, turned=True))
    cycles["promoted"] = project.cycle()
    project.configure(RETRAIN_WHEN="always", PROMOTE_WHEN="manual", PROBATION_BATCHES="0")
    project.deliver(*tables(12, seed=5, rows=60, turned=True))
    cycles["awaiting_approval"] = project.cycle()
    assert [cycle["ending"] for cycle in cycles.values()] == list(cycles), cycles
    return Told(project, cycles)


@pytest.fixture(scope="module")
def server(told: Told, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = free_port()
    command = [
        sys.executable,
        str(CLONE / "mlflow_server" / "start_server.py"),
        "--project",
        str(told.project.folder),
        "--port",
        str(port),
    ]
    with (tmp_path_factory.mktemp("log") / "server.log").open("wb") as log:
        serving = subprocess.Popen(command, cwd="/", env=os.environ.copy(), stdout=log, stderr=log)
        try:
            wait_for(f"http://127.0.0.1:{port}", serving)
            yield f"http://127.0.0.1:{port}"
        finally:
            serving.terminate()
            serving.wait(30)


@pytest.fixture(scope="module")
def tab(server: str) -> Iterator[Tab]:
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        page = chromium.new_page(viewport={"width": 1600, "height": 1100})
        page.set_default_timeout(PATIENCE)
        # MLflow's advertisements, which a person has seen once: a dialog over the models, an
        # assistant over a quarter of the window
        page.add_init_script(
            "try { localStorage.setItem('_mlflow_model_registry_promo_modal_dismissed', 'true') }"
            " catch {}"
        )
        page.goto(f"{server}/#/experiments", wait_until="commit")
        page.get_by_role("button", name="Close").first.click()
        yield Tab(page, server)
        chromium.close()


def run_page(tab: Tab, told: Told, ending: str) -> str:
    """The page that `--json` would have linked, had the cycle run against the server."""
    run_id = told.cycles[ending]["run_id"]
    return f"experiments/{MlflowClient(tab.url).get_run(run_id).info.experiment_id}/runs/{run_id}"


def experiment(tab: Tab) -> str:
    return str(MlflowClient(tab.url).get_experiment_by_name("retraining").experiment_id)


@pytest.mark.slow
def test_the_list_of_runs_has_one_row_a_cycle_that_opens_into_its_stages(
    told: Told, tab: Tab
) -> None:
    tab.opens(f"experiments/{experiment(tab)}/runs", until="timeline")
    names = {cycle["run_id"]: ending for ending, cycle in told.cycles.items()}
    for run_id, ending in names.items():
        link = tab.page.locator(f'a[href*="{run_id}"]').first
        version = {"kept": 1, "promoted": 2, "awaiting_approval": 3}[ending]
        assert link.inner_text().startswith(f"{ending} v{version}, ")
    assert not tab.page.get_by_text("ModelComparison").count(), (
        "stages are folded under their cycle"
    )
    tab.page.locator(f'a[href*="{told.cycles["promoted"]["run_id"]}"]').locator(
        "xpath=ancestor::*[@role='gridcell']//button"
    ).first.click()
    tab.sees("ModelMonitoring", "ModelRetraining", "ModelComparison")
    tab.keeps("runs")


def test_the_page_of_a_cycle_says_what_happened_why_and_by_how_much(told: Told, tab: Tab) -> None:
    tab.opens(run_page(tab, told, "promoted"), until="v2 replaces v1 in production")
    tab.keeps("cycle")
    tab.page.get_by_text("Show more").first.click()
    table = tab.page.locator("table", has_text="challenger v2").first
    scores = told.cycles["promoted"]["scores"]
    for score in scores.values():
        assert f"{100 * score:.1f} %" in table.inner_text()
    tab.sees(
        "Verdict:",
        "MIN_IMPROVEMENT=0",
        "To undo it:",
        "accuracy/challenger_on_test",
        "retraining.ending",
        "ModelComparison",
    )
    tab.sees("new_data (")
    tab.page.locator('a[href*="/models/classifier/versions/2"]').first.wait_for()
    tab.keeps("cycle-whole")


def test_the_report_is_shown_in_the_pane_of_artifacts(told: Told, tab: Tab) -> None:
    tab.opens(f"{run_page(tab, told, 'promoted')}/artifacts/report.html", until="quarantine.csv")
    inside = tab.page.frame_locator("iframe").first
    inside.locator("h1").wait_for()
    assert "v2 replaces v1 in production" in inside.locator("h1").inner_text()
    assert inside.locator("svg[role=img]").first.is_visible()
    tab.keeps("report")


def test_the_timeline_is_a_chart_over_all_cycles(told: Told, tab: Tab) -> None:
    client = MlflowClient(tab.url)
    run = client.search_runs([experiment(tab)], "attributes.run_name = 'timeline'")[0]
    tab.opens(
        f"experiments/{experiment(tab)}/runs/{run.info.run_id}/model-metrics",
        until="production_on_new",
    )
    tab.page.locator(".js-plotly-plot").first.wait_for()
    tab.keeps("timeline")
    points = client.get_metric_history(run.info.run_id, "accuracy/production_on_new")
    assert [(point.step, point.value) for point in points] == [
        (number, cycle["scores"]["production_on_new"])
        for number, cycle in enumerate(told.cycles.values(), start=1)
    ]


def test_the_models_page_compares_the_versions_by_the_metric(told: Told, tab: Tab) -> None:
    tab.opens(f"experiments/{experiment(tab)}/models", until="v3")
    tab.sees("v1", "v2")
    tab.page.get_by_role(
        "columnheader", name="accuracy", exact=True
    ).first.scroll_into_view_if_needed()
    compared = [
        told.cycles[ending]["scores"]["challenger_on_test"]
        for ending in ("promoted", "awaiting_approval")
    ]
    for score in compared:
        tab.sees(f"{score:.4f}"[:5])
    tab.keeps("models")


def test_the_registered_model_says_what_its_aliases_mean_and_who_holds_them(
    told: Told, tab: Tab
) -> None:
    tab.opens("models/classifier", until="previous_production")
    tab.sees("@ production", "@ challenger", "waits for a person")
    tab.keeps("registered-model")
    tab.opens("models/classifier/versions/2", until="Replaced v1 in production")
    tab.sees("@ production", "test rows", "rollback")
    tab.keeps("version")


def test_a_person_approves_in_the_browser_and_the_next_cycle_takes_it_up(
    told: Told, tab: Tab
) -> None:
    tab.opens("models/classifier/versions/3", until="Won against v2 and was left to a person")
    tab.page.get_by_text("@ challenger").locator("xpath=following::button[1]").click()
    dialog = tab.page.get_by_role("dialog")
    dialog.get_by_role("combobox").click()
    dialog.get_by_role("combobox").fill("production")
    tab.page.keyboard.press("Enter")
    tab.keeps("approving")
    dialog.get_by_role("button", name="Save aliases").click()
    tab.sees("@ production")
    tab.keeps("approved")
    seen = told.project.cycle(MLFLOW_TRACKING_URI=tab.url)
    assert (seen["ending"], seen["production_version"], seen["files"]["archived"]) == (
        "unchanged",
        3,
        12,
    ), seen
    model = MlflowClient(tab.url).get_registered_model("classifier")
    assert {name: int(version) for name, version in model.aliases.items()} == {
        "production": 3,
        "previous_production": 2,
    }
    assert (
        MlflowClient(tab.url).get_model_version("classifier", "3").tags["validation_status"]
        == "approved"
    )
