"""Notices against a real local HTTP server: what it receives, and that nothing it does reaches the
cycle.
"""

import hashlib
import hmac
import json
import logging
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from retraining import notices
from retraining.notices import alerts, healthcheck, http, textfile, webhook
from retraining.notices.http import PAUSES
from retraining.records import Drift, FileCounts, Outcome
from retraining.serialisation import outcome_to_json
from retraining.settings import Settings
from tests.projects import CLONE
from tests.report import samples

CHECKERS = CLONE / ".cache" / "deploy-checks"  # what deploy/checks/build.sh makes
NOW = datetime(2026, 11, 20, 2, 19, 5, tzinfo=UTC)
PROMETHEUS_LINE = r'[a-z_]+\{([a-z_]+="([^"\\]|\\[\\"n])*",?)*\} -?[0-9.e+-]+'


def found(tool: str) -> str | None:
    """Where a program is that holds a file against its format, None where it is not here."""
    return shutil.which(tool, path=os.pathsep.join((str(CHECKERS), os.environ["PATH"])))


class Receiver:
    """A server that remembers what it was sent.

    `answers` are the statuses to give, the last one for ever; 0 = never answer.
    """

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.answers = [200]
        self.done = threading.Event()

        def answer(handler: BaseHTTPRequestHandler) -> None:
            body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
            self.requests.append(
                (
                    handler.command,
                    handler.path,
                    {k.lower(): v for k, v in handler.headers.items()},
                    body,
                )
            )
            status = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            if status == 0:
                self.done.wait(30)
                return
            handler.send_response(status)
            if status == 302:
                handler.send_header("Location", "/elsewhere")
            handler.end_headers()

        kind = type(
            "Handler",
            (BaseHTTPRequestHandler,),
            {"do_GET": answer, "do_POST": answer, "log_message": lambda *_: None},
        )
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def close(self) -> None:
        self.done.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "PAUSES", (0.02, 0.02))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(project=tmp_path, retrain_threshold=0.8, quarantine_dir=tmp_path / "quarantine")


def ended(ending: str = "promoted", **changes: Any) -> Outcome:
    return samples.of_ending(ending)._replace(**changes)


def idle() -> Outcome:
    return Outcome(
        "too_few_files",
        "3 of 15 files not yet judged",
        files=FileCounts(waiting=3, judged=2),
        production_version=7,
    )


def failed() -> Outcome:
    return ended("failed", drift=Drift(), files=FileCounts())


def alert_lines(settings: Settings) -> list[dict[str, Any]]:
    path = settings.state_dir / "alerts.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


# --- health check ---------------------------------------------------------------------------------


def test_a_cycle_pings_start_and_then_success_with_the_logs_last_lines(
    settings: Settings, receiver: Receiver
) -> None:
    settings = settings._replace(healthcheck_url=f"{receiver.url}/ping/abc")
    notices.send_start(settings)
    notices.send(settings, ended(), log_tail=[f"line {i}" for i in range(100)])
    assert [(method, path) for method, path, _, _ in receiver.requests] == [
        ("GET", "/ping/abc/start"),
        ("POST", "/ping/abc"),
    ]
    body = receiver.requests[1][3].decode().splitlines()
    assert body == [f"line {i}" for i in range(60, 100)]


@pytest.mark.parametrize("code", [1, 3, 69, 143])
def test_a_failed_cycle_pings_its_exit_code(
    settings: Settings, receiver: Receiver, code: int
) -> None:
    notices.send(
        settings._replace(healthcheck_url=f"{receiver.url}/abc/"),
        ended("failed", exit_code=code),
        log_tail=["The disk is full."],
    )
    assert [(path, body) for _, path, _, body in receiver.requests] == [
        (f"/abc/{code}", b"The disk is full.")
    ]


def test_an_address_with_a_query_keeps_it_behind_the_path(
    settings: Settings, receiver: Receiver
) -> None:
    notices.send_start(settings._replace(healthcheck_url=f"{receiver.url}/abc?create=1"))
    assert receiver.requests[0][1] == "/abc/start?create=1"


def test_a_user_and_password_in_the_address_become_a_header(
    settings: Settings, receiver: Receiver
) -> None:
    notices.send_start(
        settings._replace(healthcheck_url=receiver.url.replace("//", "//me:p%40ss@") + "/abc")
    )
    assert receiver.requests[0][2]["authorization"] == "Basic bWU6cEBzcw=="


def test_a_receiver_that_takes_no_post_is_pinged_by_get(
    settings: Settings, receiver: Receiver
) -> None:
    receiver.answers = [501, 200]
    notices.send(settings._replace(healthcheck_url=f"{receiver.url}/abc"), ended(), log_tail=["x"])
    assert [(method, path) for method, path, _, _ in receiver.requests] == [
        ("POST", "/abc"),
        ("GET", "/abc"),
    ]


# --- webhook --------------------------------------------------------------------------------------


def test_the_webhook_carries_the_json_object_signed_with_its_time(
    settings: Settings, receiver: Receiver
) -> None:
    settings = settings._replace(webhook_url=f"{receiver.url}/hook", webhook_secret="open-sesame")
    notices.send(settings, ended(), now=NOW)
    ((method, path, headers, body),) = receiver.requests
    assert (method, path, headers["content-type"]) == ("POST", "/hook", "application/json")
    assert json.loads(body) == outcome_to_json(ended())
    stamp = headers["x-retraining-timestamp"]
    assert int(stamp) == int(NOW.timestamp())
    expected = hmac.new(b"open-sesame", stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    assert headers["x-retraining-signature"] == f"sha256={expected}"


def test_without_a_secret_the_webhook_is_not_signed(settings: Settings, receiver: Receiver) -> None:
    notices.send(settings._replace(webhook_url=receiver.url), ended())
    assert "x-retraining-signature" not in receiver.requests[0][2]


def test_what_may_pass_is_tried_again_as_the_same_delivery(
    settings: Settings, receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.answers = [500, 429, 200]
    notices.send(settings._replace(webhook_url=receiver.url), ended())
    assert len(receiver.requests) == 3
    assert len({headers["x-retraining-delivery"] for _, _, headers, _ in receiver.requests}) == 1
    assert not caplog.records


@pytest.mark.parametrize("status", [302, 404, 400])
def test_a_refusal_is_a_warning_at_once(
    settings: Settings, receiver: Receiver, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    receiver.answers = [status]
    notices.send(settings._replace(webhook_url=receiver.url), ended())
    assert len(receiver.requests) == 1
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert f"the receiver answered {status}" in caplog.text


def test_a_closed_gate_is_told_too(settings: Settings, receiver: Receiver) -> None:
    notices.send(
        settings._replace(
            webhook_url=f"{receiver.url}/hook", healthcheck_url=f"{receiver.url}/ping"
        ),
        idle(),
    )
    assert sorted(path for _, path, _, _ in receiver.requests) == ["/hook", "/ping"]


# --- whatever happens, the cycle goes on ----------------------------------------------------------


def test_receivers_that_hang_cost_seconds_and_not_the_cycle(
    settings: Settings,
    receiver: Receiver,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(notices, "SECONDS_FOR_AN_END", 1.0)
    receiver.answers = [0]
    begun = time.monotonic()
    notices.send(settings._replace(webhook_url=receiver.url, healthcheck_url=receiver.url), ended())
    assert time.monotonic() - begun < 20, "they hang for 30 s"
    assert caplog.text.count("did not answer within 1 seconds; the cycle is not affected") == 2
    receiver.close()
    for thread in threading.enumerate():
        if thread.name.startswith("notice "):
            thread.join(10)


def test_all_notices_together_stay_well_under_half_a_minute() -> None:
    assert notices.SECONDS_FOR_A_START + notices.SECONDS_FOR_AN_END < 15
    assert (
        3 * max(healthcheck.TIMEOUT, webhook.TIMEOUT) + sum(PAUSES) <= notices.SECONDS_FOR_AN_END
    ), "the third try gets its time"


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{closed}/x",
        "http://no-such-host.invalid/x",
        "http://[::1/x",
        "http://127.0.0.1:99999999/x",
        "http://a b/x",
    ],
)
def test_an_address_that_cannot_be_reached_is_a_warning_without_the_address(
    settings: Settings, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = url.format(closed=closed.getsockname()[1]) + "/secret-token-4711"
        settings = settings._replace(
            webhook_url=address,
            healthcheck_url=address,
            metrics_textfile=settings.project / "no" / "folder.prom",
        )
        notices.send_start(settings)
        notices.send(settings, ended(), log_tail=["x"])
    assert len(caplog.records) == 4, caplog.text
    assert "secret-token-4711" not in caplog.text


def test_a_receiver_that_is_no_http_server_is_a_warning(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            for _ in range(3):
                connection, _ = server.accept()
                connection.recv(65536)
                connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
                connection.close()

        threading.Thread(target=answer, daemon=True).start()
        notices.send(
            settings._replace(webhook_url=f"http://127.0.0.1:{server.getsockname()[1]}"), ended()
        )
    assert "no proper HTTP answer" in caplog.text


def test_a_broken_object_is_a_warning(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    notices.send(
        settings._replace(metrics_textfile=settings.project / "x.prom"),
        ended("kept")._replace(files=3),
    )
    assert "METRICS_TEXTFILE could not be served" in caplog.text


def test_no_secret_leaves_in_any_notice(settings: Settings, receiver: Receiver) -> None:
    settings = settings._replace(
        webhook_url=f"{receiver.url}/hook",
        healthcheck_url=f"{receiver.url}/ping",
        webhook_secret="open-sesame-4711",
        mongo_uri="mongodb://me:hunter2x@db",
        metrics_textfile=settings.project / "x.prom",
    )
    outcome = ended(
        "failed", exit_code=69, reason="mongodb://me:hunter2x@db refused; open-sesame-4711"
    )
    notices.send(settings, outcome, log_tail=["password hunter2x", "open-sesame-4711"])
    sent = (
        b"".join(body for *_, body in receiver.requests).decode()
        + json.dumps(alert_lines(settings))
        + (settings.project / "x.prom").read_text()
    )
    assert "hunter2x" not in sent
    assert "4711" not in sent
    assert "***" in sent


@pytest.mark.parametrize(
    "quiet", [ended(dry_run=True), ended("failed", exit_code=75)], ids=["dry run", "lock held"]
)
def test_a_dry_run_and_a_start_that_found_the_lock_held_tell_nobody(
    settings: Settings, receiver: Receiver, quiet: Outcome
) -> None:
    settings = settings._replace(
        webhook_url=receiver.url,
        healthcheck_url=receiver.url,
        metrics_textfile=settings.project / "x.prom",
    )
    notices.send_start(settings, dry_run=True)
    notices.send(settings, quiet)
    assert not receiver.requests
    assert not list(settings.project.iterdir())


def test_nothing_set_nothing_written(settings: Settings) -> None:
    notices.send_start(settings)
    notices.send(settings, idle())
    assert not list(settings.project.iterdir())


def test_a_closed_gate_imports_nothing_heavy() -> None:
    program = (
        "import sys; from pathlib import Path; from retraining import notices; from"
        " retraining.settings import Settings;from retraining.outcomes import"
        " Outcome;notices.send(Settings(project=Path('/nowhere')), Outcome('unchanged', 'no"
        " file'));print(*sorted({name.partition('.')[0] for name in sys.modules} & {'requests',"
        " 'numpy', 'jinja2', 'mlflow', 'ssl', 'email'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""


# --- alerts.jsonl ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "kinds"),
    [
        (
            ended(
                "kept",
                drift=Drift(detected=True, material=False),
                production_on_new=samples.accuracy(0.85, 100),
                files=FileCounts(),
            ),
            [],
        ),
        (
            ended(
                "kept",
                drift=samples.drift(),
                production_on_new=samples.accuracy(0.85, 100),
                files=FileCounts(),
            ),
            ["data_drift"],
        ),
        (ended("kept", drift=Drift(), files=FileCounts()), ["concept_drift"]),
        (
            ended("promoted", drift=Drift(), files=FileCounts(quarantined=2)),
            ["quarantine", "concept_drift", "promotion"],
        ),
        (
            ended("awaiting_approval", drift=Drift(), files=FileCounts()),
            ["concept_drift", "promotion"],
        ),
        (ended("rolled_back", drift=Drift(), files=FileCounts()), ["concept_drift", "rollback"]),
        (ended("failed", drift=Drift(), files=FileCounts()), ["failure"]),
        (idle(), []),
    ],
)
def test_each_ending_raises_its_alerts(
    settings: Settings, outcome: Outcome, kinds: list[str]
) -> None:
    found = alerts.alerts_of(outcome, settings, NOW)
    assert [alert["kind"] for alert in found] == kinds
    for alert in found:
        assert list(alert) == ["time", "cycle", "kind", "what", "numbers", "try"]
        assert alert["what"]
        assert alert["try"]
        assert alert["time"] == "2026-11-20T02:19:05+00:00"


@pytest.mark.parametrize(
    ("ending", "advice"),
    [
        ("kept", "This cycle trained nothing; "),
        ("rejected", "The cycle retrains by itself"),
    ],
)
def test_a_missed_threshold_that_waits_is_not_said_to_retrain(
    settings: Settings, ending: str, advice: str
) -> None:
    outcome = ended(ending, drift=Drift(), files=FileCounts())
    (missed, *_) = alerts.alerts_of(outcome, settings, NOW)
    assert missed["kind"] == "concept_drift"
    assert advice in missed["try"]


def test_a_metric_that_should_be_small_alarms_above_its_threshold(settings: Settings) -> None:
    settings = settings._replace(metric="error_rate")
    kinds = [
        alert["kind"]
        for alert in alerts.alerts_of(
            ended("kept", threshold=0.7, drift=Drift(), files=FileCounts()), settings, NOW
        )
    ]
    assert kinds == ["concept_drift"]


def test_alerts_are_appended_and_a_torn_line_is_closed_first(settings: Settings) -> None:
    notices.send(settings, failed(), now=NOW)
    path = settings.state_dir / "alerts.jsonl"
    with path.open("a") as stream:
        stream.write('{"time": "torn')
    notices.send(settings, failed(), now=NOW + timedelta(days=1))
    first, torn, last = path.read_text().splitlines()
    assert torn == '{"time": "torn'
    assert json.loads(first)["time"] < json.loads(last)["time"]


def test_alerts_do_not_grow_without_end(settings: Settings) -> None:
    settings.state_dir.mkdir()
    path = settings.state_dir / "alerts.jsonl"
    path.write_text("x" * (alerts.MOST_BYTES + 1) + "\n")
    notices.send(settings, failed())
    assert len(alert_lines(settings)) == 1
    assert path.with_name("alerts.jsonl.1").stat().st_size > alerts.MOST_BYTES


def test_an_alert_names_the_command_of_its_project(settings: Settings) -> None:
    (alert,) = (
        alert
        for alert in alerts.alerts_of(ended("promoted"), settings, NOW)
        if alert["kind"] == "promotion"
    )
    assert f"--project {settings.project} rollback" in alert["try"]


# --- Prometheus text file -------------------------------------------------------------------------


def series(path: Path) -> dict[str, float]:
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}


def value(path: Path, name: str, label: str = "") -> float | None:
    found = [
        number
        for key, number in series(path).items()
        if key.startswith(name + "{") and label in key
    ]
    assert len(found) <= 1, found
    return found[0] if found else None


@pytest.fixture
def watched(settings: Settings) -> Settings:
    return settings._replace(metrics_textfile=settings.project / "retraining.prom")


def test_the_text_file_holds_times_ending_scores_files_and_durations(watched: Settings) -> None:
    notices.send(watched, ended(), now=NOW)
    path = watched.metrics_textfile
    assert value(path, "retraining_last_success_timestamp_seconds") == NOW.timestamp()
    assert value(path, "retraining_ending", 'ending="promoted"') == 1
    assert value(path, "retraining_ending", 'ending="kept"') == 0
    assert value(path, "retraining_score", 'on="challenger_on_test"') == pytest.approx(0.842)
    assert value(path, "retraining_files", 'state="archived"') == 15
    assert value(path, "retraining_stage_seconds", 'stage="training"') == pytest.approx(4.21)
    assert value(path, "retraining_production_version") == 8
    assert path.stat().st_mode & 0o044, "node_exporter runs as another user"
    assert [entry.name for entry in watched.project.iterdir() if entry.name != ".retraining"] == [
        "retraining.prom"
    ]


def test_a_failure_keeps_the_last_success_and_a_closed_gate_the_last_scores(
    watched: Settings,
) -> None:
    path, later = watched.metrics_textfile, NOW + timedelta(hours=1)
    notices.send(watched, ended(), now=NOW)
    notices.send(watched, ended("failed", production_version=None, new_rows=None), now=later)
    assert value(path, "retraining_last_success_timestamp_seconds") == NOW.timestamp()
    assert value(path, "retraining_last_run_timestamp_seconds") == later.timestamp()
    assert value(path, "retraining_exit_code") == 1
    notices.send(watched, idle(), now=later)
    assert value(path, "retraining_last_success_timestamp_seconds") == later.timestamp()
    assert value(path, "retraining_score", 'on="production_on_new"') == pytest.approx(0.762)
    assert value(path, "retraining_files", 'state="waiting"') == 3
    assert value(path, "retraining_stage_seconds") is None


def test_alerts_of_traffic_stand_beside_what_cycles_wrote(watched: Settings) -> None:
    path = watched.metrics_textfile
    notices.send(watched, ended(), now=NOW)
    before = series(path)
    line = alerts.alert("data_drift", "inputs drifted: speed", "Ask what feeds it.")
    notices.send_traffic_alerts(watched, [line], ["data_drift"], NOW)
    assert {name: series(path)[name] for name in before} == before
    assert value(path, "retraining_traffic_alert", 'kind="data_drift"') == 1
    assert value(path, "retraining_traffic_alert", 'kind="estimate_low"') == 0
    notices.send(watched, ended(), now=NOW)
    assert value(path, "retraining_traffic_alert", 'kind="data_drift"') == 1, "cycles keep it"


def test_the_webhook_carries_the_alerts_of_traffic_that_began(
    settings: Settings, receiver: Receiver
) -> None:
    told = settings._replace(webhook_url=receiver.url)
    line = alerts.alert("estimate_low", "v3 is estimated low", "Hurry the labels.")
    notices.send_traffic_alerts(told, [line], ["estimate_low"], NOW)
    notices.send_traffic_alerts(told, [], ["estimate_low"], NOW)
    ((_, _, _, body),) = receiver.requests
    content = json.loads(body)
    assert content["model"] == settings.model_name
    assert [one["kind"] for one in content["alerts"]] == ["estimate_low"]
    assert [one["kind"] for one in alert_lines(told)] == ["estimate_low"]


def test_a_text_file_of_somebody_else_is_replaced(watched: Settings) -> None:
    watched.metrics_textfile.write_bytes(b"\xff\xfe nonsense")
    notices.send(watched, ended(), now=NOW)
    assert value(watched.metrics_textfile, "retraining_exit_code") == 0


@pytest.mark.parametrize("name", ["classifier", 'quo"te\\back'])
def test_promtool_accepts_the_text_file(watched: Settings, name: str) -> None:
    """Where deploy/checks/build.sh was not run, every line is held against the format's grammar
    alone.
    """
    watched = watched._replace(model_name=name)
    for outcome in (ended(), ended("failed"), idle()):
        notices.send(watched, outcome, now=NOW)
        text = watched.metrics_textfile.read_text()
        promtool = found("promtool")
        if promtool is not None:
            done = subprocess.run(
                [promtool, "check", "metrics"],
                input=text,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stdout + done.stderr
        wrong = [
            line
            for line in text.splitlines()
            if not line.startswith("# ") and not re.fullmatch(PROMETHEUS_LINE, line)
        ]
        assert not wrong, wrong


def test_a_threshold_that_decides_no_more_is_not_remembered() -> None:
    with_one = Settings(project=Path("/srv/a"), retrain_threshold=0.8)
    before = textfile.render(ended(), with_one, NOW)
    assert "retraining_threshold{" in before
    without = Settings(project=Path("/srv/a"), retrain_when=("drop",))
    after = textfile.render(ended()._replace(threshold=None), without, NOW, before)
    assert "retraining_threshold" not in after


def test_every_family_is_told_once_with_help_and_type() -> None:
    text = textfile.render(ended(), Settings(project=Path("/srv/a b"), retrain_threshold=0.8), NOW)
    names = [line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")]
    assert len(names) == len(set(names)) == 12
    assert names == [line.split()[2] for line in text.splitlines() if line.startswith("# HELP")]
