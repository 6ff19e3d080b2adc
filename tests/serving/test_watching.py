"""The monitoring routes, and who watches between cycles, on real HTTP and real processes."""

from __future__ import annotations

import json
import math
import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from retraining.notices import alerts
from retraining.serving import watching
from retraining.serving.jobs import NICENESS_OF_A_LOOK
from tests.serving.processes import starts_on
from tests.serving.services import body_of, move_alias, probe_project, running, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from retraining.settings import Settings
    from tests.serving.services import Running

MONITORING = "/mlops/api/monitoring"


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Iterator[Running]:
    """A service that answered 0, 1, 0 and 1 in two requests, and was told that the third should be
    1.
    """
    folder = tmp_path_factory.mktemp("watched") / "project"
    settings = probe_project(empty_store, folder, MONITOR_EVERY_SECONDS="1")
    with running(settings) as service:
        service.predict(0, 1, ids=["a", "b"])
        service.predict(0, 1, ids=["c", "d"])
        pairs = [("a", 0), ("b", 1), ("c", 1)]
        labels = [{"prediction_id": name, "label": label} for name, label in pairs]
        service.ask("POST", "/labels", {"labels": labels})
        yield service


def get(service: Running, path: str) -> Any:
    reply = service.ask("GET", f"{MONITORING}/{path}")
    assert reply.status == 200, reply.body
    return reply.json


def test_performance_by_day_is_what_monitor_tells(watched: Running) -> None:
    (day,) = get(watched, "performance/7")["days"]
    assert (day["predictions"], day["labelled"]) == (4, 3)
    assert day["realised"]["value"] == pytest.approx(2 / 3)
    assert [one["version"] for one in day["by_version"]] == [1]


def test_drift_names_the_version_that_traffic_is_compared_with(watched: Running) -> None:
    found = get(watched, "drift/check")
    assert (found["window_rows"], found["reference_version"]) == (4, 1)
    assert found["drift_detected"] is None, "two requests are not judged"


def test_recent_rows_are_whole_and_newest_first(watched: Running) -> None:
    rows = get(watched, "predictions/recent/3")["predictions"]
    assert [row["prediction_id"] for row in rows] == ["d", "c", "b"]
    assert rows[0]["features"] == {"row": 1.0, "word": "a", "ok": True}
    assert rows[0]["classes"] == [0, 1]
    assert rows[0]["request_time"].endswith("Z")


@pytest.mark.parametrize(
    "path",
    [f"predictions/recent/{limit}" for limit in ("0", "-1", "many", "1001", "%C2%B2")]
    + [f"performance/{days}" for days in ("0", "soon", "1.5", "99999999999")],
)
def test_numbers_that_are_none_are_refused(watched: Running, path: str) -> None:
    reply = watched.ask("GET", f"{MONITORING}/{path}")
    assert (reply.status, reply.json["error_code"]) == (422, "not_in_range")


def test_alerts_come_newest_first_and_a_torn_line_is_left_out(own_probes: Settings) -> None:
    with running(own_probes) as service:
        assert get(service, "alerts/recent") == {"alerts": []}
        alerts.append(own_probes.state_dir, [{"kind": "copies"}, {"kind": "rollback"}])
        with (own_probes.state_dir / alerts.NAME).open("a") as stream:
            stream.write('{"kind": "to')
        assert [one["kind"] for one in get(service, "alerts/recent")["alerts"]] == [
            "rollback",
            "copies",
        ]


def test_the_score_is_a_gauge_without_anybody_asking(watched: Running) -> None:
    def gauge(name: str) -> float:
        lines = watched.ask("GET", "/metrics").body.decode().splitlines()
        (value,) = [line.split()[1] for line in lines if line.startswith(f"{name} ")]
        return float(value)

    assert until(lambda: not math.isnan(gauge("retraining_realised_score")))
    assert gauge("retraining_realised_score") == pytest.approx(2 / 3)
    assert math.isnan(gauge("retraining_estimated_score")), "nothing to tell is not zero"
    assert abs(time.time() - gauge("retraining_monitored_timestamp_seconds")) < 120


@pytest.mark.slow
def test_a_look_that_is_young_enough_is_told_again(
    own_probes: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rows() -> int:
        (day,) = get(service, "performance/7")["days"]
        return int(day["predictions"])

    with running(own_probes) as service:
        service.predict(1)
        monkeypatch.setattr(watching, "FRESH", timedelta(hours=1))
        assert rows() == 1
        service.predict(1)
        assert rows() == 1, "what was kept in the log"
        monkeypatch.setattr(watching, "FRESH", timedelta(0))
        assert rows() == 2, "a look of its own"


def test_answers_come_before_a_look_that_a_person_waits_for(own_probes: Settings) -> None:
    def gives_way() -> bool:
        with suppress(ProcessLookupError):  # it may end while it is asked
            looks = starts_on(own_probes.project)
            found = [os.getpriority(os.PRIO_PROCESS, process) for process in looks]
            return found == [NICENESS_OF_A_LOOK]
        return False

    with running(own_probes) as service, ThreadPoolExecutor(1) as person:
        waits = person.submit(get, service, "drift/check")
        assert until(lambda: gives_way() or waits.done())
        assert not waits.done()


def test_a_monitor_that_fails_is_503_and_nothing_of_its_words_is_told(
    own_probes: Settings,
) -> None:
    with running(own_probes) as service:
        (own_probes.project / ".env").write_text("METRIC=nonsense\n")
        reply = service.ask("GET", f"{MONITORING}/drift/check")
        assert (reply.status, reply.json["error_code"]) == (503, "monitor_failed")
        assert str(own_probes.project) not in reply.body.decode()
        assert service.ask("POST", "/predict", body_of(1)).status == 200


def test_a_look_that_failed_in_time_is_logged_with_its_cause(
    own_probes: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    often = own_probes._replace(monitor_every_seconds=0.2)
    (own_probes.project / ".env").write_text("METRIC=nonsense\n")
    with caplog.at_level("WARNING"), running(often):
        start = "the traffic was not looked at: monitor ended with "
        assert until(lambda: start in caplog.text, 60)
    lines = [line for line in caplog.text.splitlines() if start in line]
    assert "METRIC" in lines[0]


def test_a_look_that_the_services_end_cut_off_is_nobodys_failure(
    own_probes: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    often = own_probes._replace(monitor_every_seconds=0.1)
    with caplog.at_level("WARNING"), running(often) as service:
        assert until(lambda: service.parts.watch._process is not None)
    assert "monitor" not in caplog.text


@pytest.mark.slow
def test_a_look_at_another_version_is_made_again_soon(
    own_probes: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "OVERTAKEN_LOOK_LASTS", timedelta(0))
    with running(own_probes) as service:
        service.predict(1)
        assert get(service, "drift/check")["reference_version"] == 1
        move_alias(own_probes, 2)
        watch = service.parts.watch

        def looked_at() -> int:
            kept = watch.last(holder=2)
            assert kept is not None
            return int(json.loads(kept.content)["drift"]["reference_version"])

        assert until(lambda: looked_at() == 2)


@pytest.mark.slow
def test_an_empty_look_is_made_again_soon_once_predictions_came(
    own_probes: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "OVERTAKEN_LOOK_LASTS", timedelta(0))
    for name in ("new_data", "used_data"):
        (own_probes.project / name).mkdir()
    with running(own_probes) as service:

        def page() -> str:
            return service.ask("GET", "/page/fragment").body.decode()

        assert until(lambda: "no prediction in the last 30 days as of" in page())
        assert "Not known yet" in page()
        service.predict(1)
        assert until(lambda: "1 prediction in the last 30 days" in page())
