"""The live page over HTTP: who sees it, what it may load, what starts a cycle, and what it says in
bad times.
"""

from __future__ import annotations

import json
import statistics
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from retraining.commands import live_facts
from retraining.errors import UnreachableError
from retraining.prediction_log.connection import PredictionLogError
from retraining.prediction_log.watch import KeptResult, keep_result
from retraining.serving.access import COOKIE
from retraining.serving.tokens import TokenFile
from tests.report.live_samples import HOSTILE
from tests.serving.services import move_alias, probe_project, running, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from retraining.settings import Settings
    from tests.serving.services import Reply, Running

FORM = {"Content_Type": "application/x-www-form-urlencoded"}


def text_of(reply: Reply) -> str:
    return reply.body.decode()


@pytest.fixture(scope="module")
def tokens(guarded: Running) -> dict[str, str]:
    file = TokenFile(guarded.parts.settings.project)
    scopes = {"reader": ("read",), "operator": ("read", "operate"), "shop": ("predict",)}
    made = {name: file.add(name, some) for name, some in scopes.items()}
    time.sleep(0.6)  # the service looks at the file twice a second
    return made


def post(service: Running, path: str, body: str, **headers: str) -> Reply:
    return service.ask("POST", path, body.encode(), **{**FORM, **headers})


def logged_in(service: Running, token: str) -> dict[str, str]:
    reply = post(service, "/login", f"token={token}")
    assert (reply.status, reply.headers["location"]) == (303, "./")
    return {"Cookie": reply.headers["set-cookie"].partition(";")[0]}


# --- logging in -----------------------------------------------------------------------------------
def test_without_a_token_the_page_is_401_with_its_form(
    guarded: Running, tokens: dict[str, str]
) -> None:
    reply = guarded.ask("GET", "/")
    assert reply.status == 401
    assert reply.headers["content-type"].startswith("text/html")
    assert 'action="login"' in text_of(reply)
    assert "unsafe" not in reply.headers["content-security-policy"]
    assert guarded.ask("GET", "/page/fragment").json["error_code"] == "token_wanted"


def test_a_token_that_may_read_opens_the_page_by_a_cookie_that_no_script_sees(
    guarded: Running, tokens: dict[str, str]
) -> None:
    reply = post(guarded, "/login", f"token={tokens['reader']}")
    cookie = reply.headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}={tokens['reader']};")
    assert {"HttpOnly", "Path=/", "SameSite=strict"} <= set(cookie.split("; "))
    page = text_of(guarded.ask("GET", "/", **logged_in(guarded, tokens["reader"])))
    assert "v1 serves" in page
    assert 'action="logout"' in page
    assert 'action="page/run"' not in page, "a reader may start nothing"


def test_the_button_is_there_for_who_may_operate(guarded: Running, tokens: dict[str, str]) -> None:
    page = text_of(guarded.ask("GET", "/", **logged_in(guarded, tokens["operator"])))
    assert 'action="page/run"' in page


@pytest.mark.parametrize(("token", "status"), [("nobody's", 401), ("", 401), ("shop", 403)])
def test_other_tokens_open_nothing(
    guarded: Running, tokens: dict[str, str], token: str, status: int
) -> None:
    reply = post(guarded, "/login", f"token={tokens.get(token, token)}")
    assert reply.status == status
    assert "set-cookie" not in reply.headers
    assert 'role="alert"' in text_of(reply)


def test_who_logged_in_with_a_token_that_was_withdrawn_is_told_why_the_form_is_there(
    guarded: Running, tokens: dict[str, str]
) -> None:
    reply = guarded.ask("GET", "/", Cookie=f"{COOKIE}=withdrawn")
    assert reply.status == 401
    assert "is no longer valid" in text_of(reply)
    assert "is no longer valid" not in text_of(guarded.ask("GET", "/"))


def test_who_logs_out_is_forgotten(guarded: Running, tokens: dict[str, str]) -> None:
    reply = post(guarded, "/logout", "", **logged_in(guarded, tokens["reader"]))
    assert reply.status == 303
    assert "Max-Age=0" in reply.headers["set-cookie"]


def test_a_reader_starts_no_cycle(guarded: Running, tokens: dict[str, str]) -> None:
    reply = post(guarded, "/page/run", "", **logged_in(guarded, tokens["reader"]))
    assert (reply.status, reply.json["error_code"]) == (403, "scope_missing")


@pytest.mark.parametrize("path", ["/page/run", "/login", "/logout"])
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"Sec_Fetch_Site": "same-site"}, 403),
        ({"Content_Type": "application/json"}, 415),
        ({"Content_Type": "text/plain"}, 415),
    ],
)
def test_what_another_site_posts_is_refused(
    guarded: Running, tokens: dict[str, str], path: str, headers: dict[str, str], status: int
) -> None:
    cookie = logged_in(guarded, tokens["operator"])
    reply = post(guarded, path, f"token={tokens['reader']}", **cookie, **headers)
    assert reply.status == status
    assert "set-cookie" not in reply.headers


# --- what it shows --------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Iterator[Running]:
    """A service without tokens, of a project with its folders."""
    settings = probe_project(empty_store, tmp_path_factory.mktemp("open") / "project")
    for name in ("new_data", "used_data"):
        (settings.project / name).mkdir()
    with running(settings) as it:
        yield it


def test_the_page_may_load_nothing_but_itself(service: Running) -> None:
    reply = service.ask("GET", "/")
    policy = reply.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert reply.headers["cache-control"] == "no-store"


def test_the_fragment_says_when_it_was_drawn(service: Running) -> None:
    reply = service.ask("GET", "/page/fragment")
    assert reply.headers["x-drawn"].endswith(" UTC")
    assert text_of(reply).count("data-part") == 8


def test_the_page_shows_what_the_last_look_found(service: Running) -> None:
    found = {"metric": "accuracy", "predictions": 4321, "labelled": 0, "realised": None}
    result = KeptResult(datetime.now(UTC), json.dumps({**found, "estimated": None}))
    name = service.parts.settings.model_name
    log = service.parts.log
    keep_result(log.database, name, "last 30 days", result)  # type: ignore[attr-defined]
    page = text_of(service.ask("GET", "/page/fragment"))
    assert "4,321 in 30 days" in page
    assert "Traffic as of" in page


def test_a_strangers_ids_and_words_are_text(service: Running) -> None:
    hostile = HOSTILE.replace("\u202e\x1b[31m", "")
    row = {"row": 1, "word": hostile, "ok": True, "more": hostile}
    body = {"dataframe_records": [row], "ids": [hostile[:100]]}
    assert service.ask("POST", "/predict", body).status == 200
    page = text_of(service.ask("GET", "/page/fragment"))
    assert "<script>" not in page
    assert "<img" not in page
    assert "&lt;script&gt;window.ran=1" in page


def test_without_a_model_the_page_says_what_to_type(empty_store: Path, tmp_path: Path) -> None:
    settings = probe_project(empty_store, tmp_path / "project", versions=1)
    move_alias(settings, None)
    with running(settings) as service:
        page = text_of(service.ask("GET", "/"))
    assert "No version serves" in page
    assert "new_data" in page, "a folder that is not there is told too"
    assert "--set-alias" in page


def test_while_the_store_is_away_the_page_shows_what_it_knew(
    service: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_: Any) -> Any:
        raise UnreachableError("MLflow does not answer.", remedy="Start it.")

    assert "Cycles and files as of" in text_of(service.ask("GET", "/page/fragment"))
    monkeypatch.setattr(live_facts, "read_known_story", away)
    monkeypatch.setattr("retraining.serving.live.BOOKS_ARE_FRESH", timedelta(0))

    def is_told() -> bool:
        reply = service.ask("GET", "/page/fragment")
        assert "Cycles and files as of" in text_of(reply)
        return "MLflow does not answer" in text_of(reply)

    assert until(is_told)


def test_settings_that_changed_since_the_start_are_told(own_probes: Settings) -> None:
    told = "the settings were changed after the service started"
    with running(own_probes) as service:
        assert told not in text_of(service.ask("GET", "/page/fragment"))
        file = own_probes.project / ".env"
        file.write_text("MIN_NEW_FILES=3\n")
        assert told in text_of(service.ask("GET", "/page/fragment"))
        file.write_text("# nothing is set\n")
        assert told not in text_of(service.ask("GET", "/page/fragment"))


def test_a_log_that_cannot_be_read_is_told(
    service: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(_: int) -> Any:
        raise PredictionLogError("The log cannot be read.", remedy="Look at the disk.")

    monkeypatch.setattr(service.parts.log, "recent", unreadable)
    reply = service.ask("GET", "/page/fragment")
    assert reply.status == 200
    assert "log cannot be read" in text_of(reply)


# --- doing ----------------------------------------------------------------------------------------
def test_the_button_starts_a_cycle_and_the_page_tells_its_ending(service: Running) -> None:
    reply = post(service, "/page/run", "why=by+the+page")
    assert (reply.status, reply.headers["location"]) == (303, "../#doing")
    twice = post(service, "/page/run", "why=by+the+page")
    assert (twice.status, twice.headers["location"]) == (303, "../?not-started=#doing")
    refused = text_of(service.ask("GET", "/?not-started="))
    assert "Your cycle was not started" in refused
    assert "Your cycle was not started" not in text_of(service.ask("GET", "/"))

    def told() -> str:
        return text_of(service.ask("GET", "/page/fragment"))

    assert until(lambda: "The last cycle from here" in told(), 60)
    jobs = list((service.parts.settings.state_dir / "jobs").glob("*.json"))
    assert len(jobs) == 1


@pytest.mark.parametrize("why", ["x" * 501, "a%0Ab", "%00"])
def test_a_reason_is_one_line(service: Running, why: str) -> None:
    assert post(service, "/page/run", f"why={why}").status == 400


def test_there_is_no_report_of_an_unknown_cycle(service: Running) -> None:
    for cycle_id in ("none", "..%2F..%2Fetc%2Fpasswd"):
        assert service.ask("GET", f"/page/reports/{cycle_id}").status == 404


# --- a million predictions ------------------------------------------------------------------------
MANY = 1_000_000
FILL = """
INSERT INTO predictions (
    model_name, prediction_id, request_id, request_time, row_index, model_version,
    features, prediction, classes, probabilities, execution_ms, schema_version, label_waits)
WITH RECURSIVE row(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM row WHERE n < :last)
SELECT :model, printf('p%08d', n), printf('r%07d', n / 10),
    strftime('%Y-%m-%dT%H:%M:%S', 'now', printf('-%d seconds', (:last - n) / 10 * 25))
        || '.000000Z',
    n % 10, 1, :features, CAST(n % 2 AS TEXT), '[0,1]', '[0.4,0.6]', 1.5, 1, 0
FROM row
"""


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_with_a_million_predictions_the_fragment_takes_200_ms(own_probes: Settings) -> None:
    for name in ("new_data", "used_data"):
        (own_probes.project / name).mkdir()
    with running(own_probes) as service:
        service.predict(1)
        with service.parts.log.database.writing() as connection:  # type: ignore[attr-defined]
            values = {"model": own_probes.model_name, "last": MANY - 1, "features": '{"row": 1.0}'}
            connection.execute(sa.text(FILL), values)
        days = service.ask("GET", "/mlops/api/monitoring/performance/30").json["days"]
        *_, yesterday, _just_begun = days
        assert yesterday["predictions"] > 10_000
        caller, took = service.caller(), []
        for _ in range(30):
            began = time.perf_counter()
            reply = caller.ask("GET", "/page/fragment")
            took.append(time.perf_counter() - began)
        assert "1,000,001 in 30 days" in text_of(reply)
    median = statistics.median(took)
    print(f"a fragment with {MANY:,} predictions: median {1000 * median:.0f} ms")
    assert median <= 0.2
