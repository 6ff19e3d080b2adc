"""The live page in Debian's Chromium, of a service that answers: both schemes, desk and phone,
keyboard alone.

Screenshots land in build/screenshots/.
"""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING, Any

import pytest

from retraining.report.live import page as drawing
from retraining.serving.tokens import TokenFile
from retraining.settings import load
from tests.browser import DESK, NEEDS_CHROMIUM, PHONE, Tab, chromium, look_at
from tests.projects import Project, tables
from tests.report import live_samples
from tests.serving.services import move_alias, probe_project, running, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.serving.services import Running

pytestmark = NEEDS_CHROMIUM
ASK_NOW = "document.dispatchEvent(new Event('visibilitychange'))"
HIDE = "Object.defineProperty(document, 'hidden', {value: true, configurable: true})"
SHOW = "Object.defineProperty(document, 'hidden', {value: false, configurable: true})"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as it:
        yield it


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Iterator[Running]:
    """Version 2 was promoted, answers, and some of its answers were labelled.

    Somebody has looked.
    """
    folder = tmp_path_factory.mktemp("page") / "project"
    project = Project.with_first_model(folder, empty_store)
    project.deliver(*tables(12, seed=50, turned=True))
    assert project.cycle()["ending"] == "promoted"
    project.deliver(*tables(3, seed=51, turned=True))
    project.cycle()
    with running(load(folder)) as service:
        for request in range(20):
            answer_some(service, request)
        service.ask("GET", "/mlops/api/monitoring/drift/check")
        yield service


def answer_some(service: Running, number: int) -> None:
    """Ten answers, six of them labelled as the rule of the data says."""
    chance = random.Random(number)
    rows = [
        {
            "speed": chance.gauss(0, 1),
            "load": chance.gauss(0, 1),
            "city": chance.choice(["north", "south"]),
        }
        for _ in range(10)
    ]
    ids = [f"order-{number}-{place}" for place in range(10)]
    body = {"dataframe_records": rows, "ids": ids}
    assert service.ask("POST", "/predict", body).status == 200
    truth = [int(row["load"] > 0) for row in rows]
    labels = [{"prediction_id": ids[place], "label": truth[place]} for place in range(6)]
    service.ask("POST", "/labels", {"labels": labels})


def home(service: Running) -> str:
    return f"http://127.0.0.1:{service.port}/"


@pytest.fixture
def tab(browser: Any, watched: Running) -> Iterator[Tab]:
    it = Tab(browser, home(watched))
    yield it
    it.close()


# --- in good times --------------------------------------------------------------------------------
@pytest.mark.slow
def test_the_page_fits_and_is_usable_by_everybody(tab: Tab, watched: Running) -> None:
    assert re.match(r"v2 serves; \d\d\.\d % right on 120", tab.page.inner_text("h1"))
    for place in tab.page.locator("details").all():
        place.evaluate("one => one.open = true")
    look_at(tab, "live")
    assert tab.said == []
    assert all(address.startswith(home(watched)) for address in tab.asked)


@pytest.mark.slow
def test_what_is_new_comes_by_itself_and_the_reader_stays_where_he_is(
    tab: Tab, watched: Running
) -> None:
    tab.page.locator("#show-score").focus()
    tab.page.keyboard.press("Enter")
    tab.page.evaluate("scrollTo(0, 400)")
    before = tab.page.evaluate("scrollY")
    answer_some(watched, 77)
    tab.page.get_by_text("order-77-9", exact=True).wait_for(timeout=15_000)
    watched.ask("GET", "/mlops/api/monitoring/performance/30")  # a fresh look: charts change
    tab.page.evaluate(ASK_NOW)
    tab.page.get_by_text("126 labelled rows").wait_for(timeout=30_000)
    assert tab.page.evaluate("document.activeElement.id") == "show-score"
    assert tab.page.locator("#table-score").evaluate("one => one.open")
    assert abs(tab.page.evaluate("scrollY") - before) < 3
    assert tab.said == []


def test_who_does_not_look_asks_nothing(tab: Tab) -> None:
    tab.page.evaluate(HIDE)
    tab.page.evaluate(ASK_NOW)
    tab.page.wait_for_timeout(300)
    asked = len(tab.asked)
    tab.page.wait_for_timeout(6_000)
    assert len(tab.asked) == asked
    tab.page.evaluate(SHOW)
    tab.page.evaluate(ASK_NOW)
    assert until(lambda: tab.page.wait_for_timeout(50) or len(tab.asked) > asked)


def test_the_keyboard_alone_starts_a_cycle_and_hears_how_it_ended(
    tab: Tab, watched: Running
) -> None:
    for _ in range(40):
        tab.page.keyboard.press("Tab")
        if tab.page.evaluate("document.activeElement.id") == "why":
            break
    tab.page.keyboard.type("a key was pressed")
    tab.page.keyboard.press("Enter")
    job = tab.page.locator("#job")
    assert until(
        lambda: "cycle has been running" in job.inner_text() or "The last" in job.inner_text()
    )
    assert job.locator("xpath=ancestor::*[@aria-live='polite']").count() == 1
    tab.page.get_by_text("The last cycle from here").wait_for(timeout=90_000)
    assert tab.said == []


def test_the_report_of_a_cycle_opens_and_runs_nothing(tab: Tab) -> None:
    tab.page.get_by_role("link", name=re.compile("^report of")).last.click()
    tab.page.get_by_text("v2 replaces v1 in production").first.wait_for()
    assert [line for line in tab.said if "Blocked script" not in line] == []


@pytest.mark.slow
def test_when_the_service_stops_answering_the_page_says_so(tab: Tab) -> None:
    tab.page.route("**/page/fragment", lambda route: route.abort())
    tab.page.evaluate("answered -= 60000")
    tab.page.evaluate(ASK_NOW)
    tab.page.get_by_text(re.compile(r"No answer for \d+ s; this page is of")).wait_for()


# --- in bad times ---------------------------------------------------------------------------------
def test_without_a_model(browser: Any, empty_store: Path, tmp_path: Path) -> None:
    settings = probe_project(empty_store, tmp_path / "project", versions=1)
    move_alias(settings, None)
    with running(settings) as service:
        tab = Tab(browser, home(service))
        assert "No version serves" in tab.page.inner_text("h1")
        look_at(tab, "no-model", [("light", PHONE)])
        assert tab.said == []


def test_while_the_store_is_down(browser: Any, empty_store: Path, tmp_path: Path) -> None:
    settings = probe_project(empty_store, tmp_path / "project", versions=1)
    for name in ("new_data", "used_data"):
        (settings.project / name).mkdir()
    with running(settings) as service:
        tab = Tab(browser, home(service))
        store = settings.project / "mlflow_server" / "backend_db" / "mlflow.db"
        store.write_bytes(b"no database" * 1000)
        tab.page.get_by_text("the registry did not answer").first.wait_for(timeout=60_000)
        assert "v1 serves" in tab.page.inner_text("h1")
        look_at(tab, "store-down", [("dark", PHONE)])
        assert tab.said == []


@pytest.mark.parametrize("name", ["trouble", "hostile"])
def test_much_at_once_and_a_strangers_words_run_nothing(
    browser: Any, tmp_path: Path, name: str
) -> None:
    facts = live_samples.in_trouble() if name == "trouble" else live_samples.hostile()
    file = tmp_path / "page.html"
    file.write_text(drawing.page(facts))
    tab = Tab(browser, file.as_uri())
    look_at(tab, name, [("light", PHONE), ("dark", DESK)])
    assert tab.page.evaluate("window.ran") is None
    assert [one for one in tab.asked if not one.endswith(("page.html", "page/fragment"))] == []


# --- who may --------------------------------------------------------------------------------------
def test_who_logs_in_sees_the_page_until_the_token_is_withdrawn(
    browser: Any, empty_store: Path, tmp_path: Path
) -> None:
    settings = probe_project(empty_store, tmp_path / "project", versions=1)
    token = TokenFile(settings.project).add("ann", ("read",))
    with running(settings) as service:
        tab = Tab(browser, home(service))
        assert tab.answer.status == 401
        look_at(tab, "log-in", [("light", DESK), ("dark", PHONE)])
        assert tab.page.evaluate("document.activeElement.id") == "token"
        tab.page.keyboard.type("wrong")
        tab.page.keyboard.press("Enter")
        tab.page.get_by_role("alert").wait_for()
        tab.page.locator("#token").fill(token)
        tab.page.keyboard.press("Enter")
        tab.page.get_by_role("button", name="Log out").wait_for()
        assert "v1 serves" in tab.page.inner_text("h1")
        assert tab.page.evaluate("document.cookie") == ""
        TokenFile(settings.project).withdraw("ann")
        TokenFile(settings.project).add("bob", ("read",))
        tab.page.locator("#token").wait_for(timeout=30_000)


def test_drawn_once_the_page_is_whole_in_a_file(
    browser: Any, watched: Running, tmp_path: Path
) -> None:
    project = Project(watched.parts.settings.project)
    file = tmp_path / "monitor.html"
    project.start("monitor", "--html", str(file)).expect(0)
    tab = Tab(browser, file.as_uri())
    assert "v2 serves" in tab.page.inner_text("h1")
    look_at(tab, "drawn-once", [("light", PHONE)])
    assert (tab.said, len(tab.asked)) == ([], 1)
