"""Many projects in one start: each ends as if it were started alone, whatever its neighbours do."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from retraining.console.failures import AGAIN
from retraining.errors import NOTHING_CHANGED
from retraining.folders.lock import is_held
from tests.fleets import Maker, fleet, fleet_command, lasting, ready_project
from tests.projects import CLONE, Project, environment_of_cron

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ENDS_ITS_PROCESS = """
import os, signal
def train_model(X_train, y_train):
    os.kill(os.getpid(), signal.SIGSEGV)
"""
SLEEPS = """
import time
def train_model(X_train, y_train):
    time.sleep(120)
"""
TELLS = """
import json, multiprocessing, os, random, sys
from pathlib import Path
import numpy as np
from sklearn.dummy import DummyClassifier
def train_model(X_train, y_train):
    print("the recipe speaks")
    names = ("COLOUR", "OMP_NUM_THREADS", "OMP_WAIT_POLICY", "MLFLOW_HTTP_REQUEST_TIMEOUT")
    told = {name: os.environ.get(name) for name in names}
    told |= {"numpy": np.random.random(), "python": random.random()}
    told |= {"process": multiprocessing.current_process().name}
    Path(__file__).with_name("told.json").write_text(json.dumps(told))
    return DummyClassifier().fit(X_train, y_train)
"""


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory, empty_store: Path) -> Project:
    """A project with version 1 in production, whose last start ended well."""
    return ready_project(tmp_path_factory.mktemp("fleet") / "ready", empty_store)


@pytest.fixture
def make(tmp_path: Path, ready: Project) -> Maker:
    """Makes copies of it with files that open the gate, or too few."""
    return Maker(ready, tmp_path)


@pytest.mark.slow
def test_each_project_ends_in_a_fleet_as_it_ends_alone(make: Maker, tmp_path: Path) -> None:
    alone = {"open": make("open-alone"), "closed": make("closed-alone", opens=False)}
    together = {"open": make("open"), "closed": make("closed", opens=False)}
    expected = [
        alone[name].start_process("run", "--json").expect(0).json for name in ("open", "closed")
    ]
    done = fleet(*(str(project.folder) for project in together.values()), "--json").expect(0)
    assert [cycle["project"] for cycle in done.json] == [
        str(project.folder) for project in together.values()
    ]
    for cycle, other in zip(done.json, expected, strict=True):
        assert lasting(cycle) == lasting(other)
    assert [cycle["ending"] for cycle in done.json] == ["promoted", "too_few_files"]
    logs = [
        len(list((project.folder / ".retraining/logs").glob("*.log")))
        for project in together.values()
    ]
    assert logs[0] > logs[1], "a closed gate keeps no log of its own"


def test_a_line_a_project_and_what_each_says_under_its_name(make: Maker) -> None:
    closed, broken = make("closed", opens=False), make("broken", opens=False, METRIC="acuracy")
    done = fleet(str(closed.folder), str(broken.folder), "/no/such/folder").expect(2)
    lines = {line.split()[0]: line for line in done.out.splitlines()}
    assert "too_few_files" in lines[str(closed.folder)]
    assert "failed" in lines[str(broken.folder)]
    assert "METRIC" in lines[str(broken.folder)]
    assert "is not there" in lines["/no/such/folder"]
    of_the_broken = [
        line for line in done.err.splitlines() if line.startswith(f"{broken.folder}: ")
    ]
    assert len(of_the_broken) >= 3
    assert fleet(str(closed.folder), "-q").expect(0).out == ""


def test_what_is_no_project_is_told_and_nothing_of_it_is_counted(tmp_path: Path) -> None:
    file = tmp_path / "a-file"
    file.touch()
    done = fleet(str(tmp_path / "nowhere"), str(file), "--json").expect(2)
    nowhere, a_file = done.json
    assert nowhere["reason"].endswith("nowhere is not there.")
    assert a_file["reason"].endswith("a-file is not a folder.")
    assert set(nowhere["files"].values()) == {None}, "nobody looked into its inbox"
    assert "--project" not in done.err


def test_a_recipe_that_crashes_its_process_takes_only_its_own_cycle_with_it(make: Maker) -> None:
    crashes, sound = make("crashes", recipe=ENDS_ITS_PROCESS), make("sound")
    done = fleet(str(crashes.folder), str(sound.folder), "--json").expect(1)
    assert [cycle["ending"] for cycle in done.json] == ["failed", "promoted"]
    assert "SIGSEGV" in done.json[0]["reason"]
    assert done.json[0]["exit_code"] == 1


@pytest.mark.slow
def test_a_recipe_sees_its_own_projects_environment_and_a_process_like_any_other(
    make: Maker,
) -> None:
    recipe = {"recipe": TELLS}
    projects = [
        make("red", COLOUR="red", MLFLOW_HTTP_REQUEST_TIMEOUT="7", **recipe),
        make("plain", **recipe),
        make("threads", OMP_WAIT_POLICY="active", **recipe),
    ]
    done = fleet(*(str(project.folder) for project in projects), "--json", "--jobs", "1")
    assert [cycle["exit_code"] for cycle in done.json] == [0, 0, 0], done
    red, plain, threads = (
        json.loads((project.folder / "told.json").read_text()) for project in projects
    )
    assert [one["COLOUR"] for one in (red, plain, threads)] == ["red", None, None]
    timeouts = [one["MLFLOW_HTTP_REQUEST_TIMEOUT"] for one in (red, plain, threads)]
    assert timeouts == ["7", "30", "30"]
    policies = [one["OMP_WAIT_POLICY"] for one in (red, plain, threads)]
    assert policies == ["passive", "passive", "active"]
    assert len({one["numpy"] for one in (red, plain, threads)}) == 3, "numpy's state was shared"
    assert len({one["python"] for one in (red, plain, threads)}) == 3
    assert {one["process"] for one in (red, plain, threads)} == {"MainProcess"}


def test_sigterm_reaches_every_child_and_none_is_left_untold(make: Maker) -> None:
    sleeping = [make(name, recipe=SLEEPS) for name in ("one", "two", "three")]
    process = subprocess.Popen(
        fleet_command("--jobs", "2", "--json", *(str(project.folder) for project in sleeping)),
        env=environment_of_cron(CLONE),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until(lambda: sum(is_training(project) for project in sleeping) == 2)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=200)
    assert process.returncode == 143, err
    cycles = json.loads(out)
    assert [cycle["exit_code"] for cycle in cycles] == [143, 143, 143]
    # whose turn had not come is chance: the gates are looked at side by side
    reason = "Interrupted by SIGTERM before it was started."
    (last,) = [place for place, cycle in enumerate(cycles) if cycle["reason"] == reason]
    assert set(cycles[last]["files"].values()) == {None}
    name = str(sleeping[last].folder)
    said = [line.removeprefix(f"{name}: ") for line in err.splitlines() if line.startswith(name)]
    assert said == [reason, NOTHING_CHANGED, AGAIN]
    for project in sleeping:
        assert not is_held(project.folder / ".retraining")


def is_training(project: Project) -> bool:
    newest = sorted((project.folder / ".retraining/logs").glob("*.log"))[-1:]
    return any("training ..." in path.read_text() for path in newest)


def wait_until(holds: Callable[[], bool], seconds: float = 200) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.1)


def test_a_project_that_is_named_twice_starts_once(make: Maker) -> None:
    closed = make("closed", opens=False)
    link = closed.folder.with_name("link")
    link.symlink_to(closed.folder)
    done = fleet(str(closed.folder), f"{closed.folder}/", str(link), "--json").expect(0)
    assert len(done.json) == 1


def test_a_dry_run_changes_nothing(make: Maker) -> None:
    opened = make("open")
    before = opened.names("new_data")
    done = fleet(str(opened.folder), "--dry-run", "--json").expect(0)
    assert (done.json[0]["ending"], done.json[0]["dry_run"]) == ("promoted", True)
    assert opened.names("new_data") == before


def test_force_opens_a_closed_gate(make: Maker) -> None:
    closed = make("closed", opens=False)
    done = fleet(str(closed.folder), "--force", "--json").expect(0)
    assert done.json[0]["ending"] != "too_few_files"


@pytest.mark.parametrize("words", [("--jobs", "0", "x"), ("--jobs", "two", "x"), ()])
def test_a_wrong_line_ends_in_three_lines(words: tuple[str, ...]) -> None:
    assert "fleet" in fleet(*words).expect(2).error[0]


def test_where_every_gate_is_closed_no_package_is_loaded(make: Maker) -> None:
    closed = [make(name, opens=False) for name in ("one", "two")]
    words = ["fleet", *(str(project.folder) for project in closed), "--json"]
    program = (
        f"import sys; sys.path.insert(0, {str(CLONE)!r}); import pipeline_orchestrator as script; "
        f"code = script.main({words!r}); print(code, 'numpy' in sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment_of_cron(CLONE),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr.splitlines()[-1] == "0 False"
    assert len(json.loads(done.stdout)) == 2


def test_children_do_not_share_the_parents_process_group(make: Maker) -> None:
    sleeping, later = make("one", recipe=SLEEPS), make("later")
    process = subprocess.Popen(
        fleet_command("--jobs", "1", str(sleeping.folder), str(later.folder)),
        env=environment_of_cron(CLONE),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    wait_until(lambda: is_training(sleeping))
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does on Ctrl-C
    out, _ = process.communicate(timeout=200)
    assert process.returncode == 130
    assert "Interrupted by Ctrl-C." in out
    assert "Interrupted by Ctrl-C before it was started." in out
