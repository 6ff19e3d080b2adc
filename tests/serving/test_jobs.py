"""Cycles that the service starts: one at a time, processes that outlive it, told by any worker."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import pytest

from retraining.folders.lock import one_cycle_at_a_time
from retraining.serving.jobs import JOBS_KEPT, NICENESS, Clockwork, Jobs
from retraining.serving.refusals import Refusal
from retraining.settings import load
from tests.projects import environment_of_cron, tables
from tests.serving.processes import started, starts_on
from tests.serving.services import running, until

if TYPE_CHECKING:
    from pathlib import Path

    from retraining.settings import Settings
    from tests.projects import Project


@pytest.fixture
def settings(registered: Project) -> Settings:
    return load(registered.folder)


def jobs_of(settings: Settings) -> Jobs:
    return Jobs(settings, environment_of_cron(settings.project))


def ended(jobs: Jobs, job_id: str) -> None:
    assert until(lambda: getattr(jobs.state(job_id), "state", "") == "ended")


def test_a_started_cycle_is_told_by_others_and_after_a_restart(
    registered: Project, settings: Settings
) -> None:
    registered.deliver(*tables(3, seed=5))
    jobs = jobs_of(settings)
    job_id = jobs.start(why="a person asked")
    state = jobs_of(settings).state(job_id)
    assert state is not None
    assert state.state == "running"
    with pytest.raises(Refusal) as raised:
        jobs_of(settings).start()
    assert raised.value.status == 409
    ended(jobs, job_id)
    state = jobs_of(settings).state(job_id)
    assert state is not None
    assert (state.exit_code, state.ending) == (0, "kept")
    (newest,) = registered.start("history", "-n", "1", "--json").expect(0).json
    assert newest["cycle_id"] == state.cycle_id
    assert "a person asked" in newest["reason"]


def test_where_no_cycle_was_started_none_is_the_newest(settings: Settings) -> None:
    jobs = jobs_of(settings)
    assert jobs.newest() is None
    assert not jobs.any_cycle_runs
    with one_cycle_at_a_time(settings.state_dir):
        assert jobs.any_cycle_runs, "whoever started it"


def test_a_cycle_gives_way_to_the_service(registered: Project, settings: Settings) -> None:
    registered.deliver(*tables(3, seed=5))  # a gate that is closed would end before one looks
    jobs = jobs_of(settings)
    job_id = jobs.start()
    (process,) = starts_on(settings.project)
    assert os.getpriority(os.PRIO_PROCESS, process) == NICENESS
    assert os.getsid(process) == process, "a session of its own outlives the service"
    ended(jobs, job_id)


SLOW_RECIPE = """
import time
from sklearn.dummy import DummyClassifier

def train_model(X_train, y_train):
    time.sleep(5)
    return DummyClassifier().fit(X_train, y_train)
"""


@pytest.mark.slow
def test_a_cycle_outlives_the_service_that_started_it_and_is_found_by_the_next(
    registered: Project, settings: Settings
) -> None:
    """As systemd stops the unit: by a signal to the main process alone."""
    (registered.folder / "train_classification_model.py").write_text(SLOW_RECIPE)
    registered.deliver(*tables(3, seed=5))
    with started(registered.folder, "--workers", "2") as service:
        reply = service.caller().ask("POST", "/mlops/api/retrain/trigger", {"force": True})
        assert reply.status == 202, reply
        path = f"/mlops/api/retrain/jobs/{reply.json['job_id']}"
        assert until(lambda: starts_on(settings.project), 60)
        os.kill(service.process.pid, signal.SIGTERM)
        assert service.process.wait(60) == 0
        assert starts_on(settings.project), "the cycle goes on"
    with started(registered.folder) as next_one:
        ask = next_one.caller().ask
        assert until(lambda: ask("GET", path).json["state"] == "ended", 120)
        told = ask("GET", path).json
    assert (told["exit_code"], told["ending"]) == (0, "rejected"), told


def test_while_cron_holds_the_lock_no_cycle_is_started(settings: Settings) -> None:
    jobs = jobs_of(settings)
    with one_cycle_at_a_time(settings.state_dir), pytest.raises(Refusal) as raised:
        jobs.start()
    assert raised.value.status == 409
    ended(jobs, jobs.start())


def test_a_cycle_that_was_killed_has_ended_and_says_so(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import time\ntime.sleep(600)\n")  # it cannot end
    environment = environment_of_cron(settings.project) | {"PYTHONPATH": str(tmp_path)}
    jobs = Jobs(settings, environment)
    job_id = jobs.start(force=True)
    for process in starts_on(settings.project):
        os.kill(process, 9)
    ended(jobs, job_id)
    state = jobs.state(job_id)
    assert state is not None
    assert (state.ending, state.exit_code) == ("failed", None)
    assert "the next start finishes or undoes" in str(state.reason)


@pytest.mark.parametrize("job_id", ["nothing", "../../lock", "0" * 32, ""])
def test_what_is_no_job_is_none(settings: Settings, job_id: str) -> None:
    assert jobs_of(settings).state(job_id) is None


def test_old_jobs_are_forgotten(settings: Settings) -> None:
    folder = settings.state_dir / "jobs"
    folder.mkdir(parents=True)
    for number in range(JOBS_KEPT + 5):
        (folder / f"{number:032x}.json").write_text("{}")
    jobs = jobs_of(settings)
    ended(jobs, jobs.start())
    assert len(list(folder.glob("*.json"))) == JOBS_KEPT


def test_the_clockwork_starts_cycles_where_there_is_no_cron(settings: Settings) -> None:
    jobs = jobs_of(settings)
    clockwork = Clockwork(jobs, 0.2)
    clockwork.start()
    try:
        assert until(lambda: len(list((settings.state_dir / "jobs").glob("*.json"))) >= 2)
    finally:
        clockwork.close()
    for path in (settings.state_dir / "jobs").glob("*.json"):
        ended(jobs, path.stem)


def test_where_no_cycle_can_be_started_the_answer_is_503_and_the_log_says_why(
    own_probes: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    own_probes.state_dir.mkdir(exist_ok=True)
    (own_probes.state_dir / "jobs").write_text("no folder: what a read-only disk is for root too")
    with running(own_probes) as service:
        reply = service.ask("POST", "/mlops/api/retrain/trigger", {"why": "a try"})
    assert (reply.status, reply.json["error_code"]) == (503, "cycle_not_started")
    assert "no cycle could be started: [Errno" in caplog.text


def test_a_trigger_over_http_takes_an_object_of_two_keys(own_probes: Settings) -> None:
    with running(own_probes._replace(max_request_bytes=2000)) as service:
        for body in (
            {"force": 1},
            {"why": 3},
            {"why": "a\nb"},
            {"why": "x" * 501},
            {"when": "now"},
        ):
            assert service.ask("POST", "/mlops/api/retrain/trigger", body).status == 400
        reply = service.ask("POST", "/mlops/api/retrain/trigger", {"why": "over HTTP"})
        assert reply.status == 202
        path = f"/mlops/api/retrain/jobs/{reply.json['job_id']}"
        assert until(lambda: service.ask("GET", path).json["state"] == "ended")
        assert service.ask("GET", path).json["ending"]
        assert service.ask("GET", "/mlops/api/retrain/jobs/none").status == 404
