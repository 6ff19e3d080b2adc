"""The wheel, in an environment away from the clone: the first hour through the command `retraining`
alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tomllib
import venv
from typing import TYPE_CHECKING, Any

import pytest
from packaging.requirements import Requirement

from tests.ports import free_port
from tests.projects import CLONE, environment_of_cron, tables
from tests.serving.services import Caller, until
from tests.test_architecture import required

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def command(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The installed command.

    Its dependencies are those of this environment, seen from another one that holds the wheel
    alone.
    """
    folder = tmp_path_factory.mktemp("installed")
    wheel = made_wheel(folder)
    venv.create(folder / "venv", with_pip=False)
    _pip("--python", str(folder / "venv"), "install", "--no-deps", "--no-index", str(wheel))
    _see_our_packages_from(folder / "venv")
    return folder / "venv" / "bin" / "retraining"


def made_wheel(folder: Path) -> Path:
    """The wheel of this clone."""
    _pip("wheel", "--no-deps", "--wheel-dir", str(folder / "wheel"), str(CLONE))
    (wheel,) = (folder / "wheel").glob("*.whl")
    return wheel


def _pip(*words: str) -> None:
    asked = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *words]
    subprocess.run(asked, check=True, cwd="/")


def _see_our_packages_from(environment: Path) -> None:
    """A line in a .pth file, so that the test need not install 900 MB again."""
    (theirs,) = environment.glob("lib/python*/site-packages")
    ours = next(path for path in sys.path if path.endswith("site-packages"))
    (theirs / "dependencies.pth").write_text(f"{ours}\n")


def start(command: Path, *words: str, cwd: Path | str = "/", code: int = 0) -> str:
    """Standard output of one start, which must end with a code."""
    environment = environment_of_cron(command.parent)
    done = subprocess.run(
        [command, *words], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout if code == 0 else done.stderr


def told(command: Path, *words: str, cwd: Path) -> Any:
    """What a start prints as JSON."""
    return json.loads(start(command, *words, "--json", cwd=cwd))


@contextlib.contextmanager
def serving(command: Path, project: Path) -> Iterator[Caller]:
    """`retraining serve` with a model, asked by HTTP; it must end well when it is told to."""
    port = free_port()
    log = project / "service.log"
    with log.open("w") as stream:
        process = subprocess.Popen(
            [command, "serve", "--port", str(port)],
            cwd=project,
            env=environment_of_cron(project),
            stdout=stream,
            stderr=stream,
        )

    def is_ready() -> bool:
        assert process.poll() is None, log.read_text()
        with contextlib.suppress(OSError):
            return Caller(port).ask("GET", "/ready").status == 200
        return False

    try:
        assert until(is_ready, 120), log.read_text()
        yield Caller(port)
        process.terminate()
        assert process.wait(60) == 0, log.read_text()
    finally:
        process.kill()
        process.wait()


def live_the_first_hour(command: Path, home: Path) -> None:
    """From data files to a service, and back to version 1, with nothing typed but `retraining`."""
    history = [home / f"old-{number}.csv" for number in range(12)]
    for path, text in zip(history, tables(12, seed=1), strict=True):
        path.write_text(text)
    start(command, "init", "churn", "--target", "target", *map(str, history), cwd=home)
    project = home / "churn"
    assert len(list((project / "used_data").glob("*.csv"))) == 12
    with (project / ".env").open("a") as settings:
        settings.write("MIN_NEW_FILES=3\nMIN_FILE_AGE_SECONDS=0\nRETRAIN_WHEN=always\n")
        settings.write("MIN_IMPROVEMENT=-1\nHOLDOUT_FRACTION=0.4\n")

    start(command, "register", "--set-alias", cwd=project)
    for number, text in enumerate(tables(6, seed=2, turned=True)):
        (project / "new_data" / f"new-{number}.csv").write_text(text)
    assert told(command, "check", cwd=project)["ok"]
    assert told(command, cwd=project)["ending"] == "promoted"
    assert told(command, "history", cwd=project)[0]["ending"] == "promoted"
    with serving(command, project) as service:
        row = {"speed": 1.5, "load": -0.5, "city": "north"}
        answer = service.ask("POST", "/predict", {"dataframe_records": [row]})
        assert (answer.status, answer.json["model"]["version"]) == (200, 2)
        assert answer.json["logged"]
    start(command, "rollback", "--why", "a rehearsal", cwd=project)
    named = ("status", "--json", "--project", str(project))
    assert json.loads(start(command, *named))["production_version"] == 1


@pytest.mark.slow
def test_the_first_hour_through_the_installed_command_alone(command: Path, tmp_path: Path) -> None:
    live_the_first_hour(command, tmp_path)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_the_first_hour_in_an_environment_that_pip_filled_from_the_wheel_alone(
    tmp_path: Path,
) -> None:
    """Every package is installed anew: some 900 MB."""
    wheel = made_wheel(tmp_path)
    venv.create(tmp_path / "venv", with_pip=True)
    pins = ("-c", str(CLONE / "constraints.txt"))
    _pip("--python", str(tmp_path / "venv"), "install", *pins, str(wheel))
    home = tmp_path / "home"
    home.mkdir()
    command = tmp_path / "venv" / "bin" / "retraining"
    live_the_first_hour(command, home)
    project = home / "churn"
    assert told(command, "run", "--force", "--dry-run", cwd=project)["dry_run"]
    assert "promoted" in start(command, "explain", "v2", cwd=project)
    assert told(command, "reproduce", "v2", cwd=project)["same"]
    assert told(command, "monitor", cwd=project)["predictions"] == 1


def test_a_folder_that_is_no_project_is_refused_with_what_to_do(
    command: Path, tmp_path: Path
) -> None:
    said = start(command, "status", cwd=tmp_path, code=2)
    assert "is no project" in said
    assert "--project DIR" in said


def test_advice_names_the_command_that_was_started(command: Path, tmp_path: Path) -> None:
    (tmp_path / "used_data").mkdir()
    (tmp_path / "new_data").mkdir()
    said = start(command, "register", cwd=tmp_path, code=2)
    assert str(CLONE) not in said
    assert os.fspath(tmp_path) in said


@pytest.mark.parametrize(
    ("words", "program"),
    [
        ((), "retraining"),
        (("check",), "retraining check"),
        (("register",), "retraining register"),
        (("serve",), "retraining serve"),
        (("--project", "/", "register"), "retraining register"),
        (("--project", "serve", "serve"), "retraining serve"),
        (("history", "--project", "serve"), "retraining history"),
    ],
)
def test_help_and_errors_call_the_program_by_the_name_that_was_typed(
    command: Path, words: tuple[str, ...], program: str
) -> None:
    shown = start(command, *words, "--help")
    assert shown.startswith(f"usage: {program} ")
    assert ".py" not in shown.replace("train_classification_model.py", "")
    said = start(command, *words, "--frobnicate", code=2)
    assert f"`{program} --help` shows what is possible" in said


def test_the_command_lists_all_its_words_and_names_no_file_of_the_clone(command: Path) -> None:
    shown = start(command, "--help")
    assert "register     put a first model into the registry" in shown
    assert "serve        answer predictions over HTTP" in shown
    assert ".env.example" not in shown
    said = start(command, "regster", code=2)
    assert "'register', 'serve'" in said
    assert "the working directory by default" in start(command, "serve", "--help")


def test_the_wheel_holds_the_recipe_the_templates_and_every_setting(command: Path) -> None:
    (packages,) = command.parents[1].glob("lib/python*/site-packages")
    ours = [path for path in CLONE.glob("retraining/**/*.*") if "__pycache__" not in path.parts]
    assert [path for path in ours if not (packages / path.relative_to(CLONE)).is_file()] == []
    assert (packages / "train_classification_model.py").is_file()
    assert (packages / "retraining" / "env.example").is_file()
    assert list((packages / "retraining").glob("report/templates/*.j2"))


def test_a_missing_driver_is_installed_without_a_clone(command: Path) -> None:
    (packages,) = command.parents[1].glob("lib/python*/site-packages")
    program = (
        "from retraining.drivers import missing_driver as m;"
        " print(m(ImportError(name='psycopg')).remedy)"
    )
    python = command.parent / "python"
    said = subprocess.run(
        [python, "-c", program], cwd="/", capture_output=True, text=True, check=True
    )
    assert str(packages) not in said.stdout
    assert "pip install 'psycopg[binary]'" in said.stdout


def test_the_extra_holds_what_is_pinned_for_it() -> None:
    project = tomllib.loads((CLONE / "pyproject.toml").read_text())["project"]
    extra = map(Requirement, project["optional-dependencies"]["scale"])
    ranges = {one.name.lower(): one.specifier for one in extra}
    pinned = required("requirements-scale.txt")
    assert ranges.keys() == pinned.keys()
    for name, allowed in ranges.items():
        assert allowed.contains(pinned[name]), f"{name} {pinned[name]} is outside {allowed}"


def test_the_ranges_hold_what_is_pinned_and_begin_at_the_oldest_that_is_tested() -> None:
    declared = tomllib.loads((CLONE / "pyproject.toml").read_text())["project"]["dependencies"]
    ranges = {one.name.lower(): one.specifier for one in map(Requirement, declared)}
    pinned, oldest = required("requirements.txt"), required("constraints-oldest.txt")
    assert ranges.keys() == pinned.keys()
    for name, allowed in ranges.items():
        assert allowed.contains(pinned[name]), f"{name} {pinned[name]} is outside {allowed}"
        assert allowed.contains(oldest[name]), f"{name} {oldest[name]} is outside {allowed}"
        (lowest,) = (one.version for one in allowed if one.operator == ">=")
        assert f"{oldest[name]}.".startswith(f"{lowest}."), f"{name}: {lowest} is not tested"
