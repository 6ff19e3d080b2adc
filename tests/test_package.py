"""The wheel, in an environment away from the clone: the first hour through the command `retraining` alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
import venv
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement

from tests.projects import CLONE, environment_of_cron, tables
from tests.test_architecture import required

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def command(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The installed command. Its dependencies are those of this environment, seen from another one that holds the wheel alone."""
    folder = tmp_path_factory.mktemp("installed")
    wheel_folder = folder / "wheel"
    _pip("wheel", "--no-deps", "--wheel-dir", str(wheel_folder), str(CLONE))
    (wheel,) = wheel_folder.glob("*.whl")
    venv.create(folder / "venv", with_pip=False)
    _pip("--python", str(folder / "venv"), "install", "--no-deps", "--no-index", str(wheel))
    _see_our_packages_from(folder / "venv")
    return folder / "venv" / "bin" / "retraining"


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


def test_the_first_hour_through_the_installed_command_alone(command: Path, tmp_path: Path) -> None:
    project = tmp_path / "churn"
    for folder in ("used_data", "new_data"):
        (project / folder).mkdir(parents=True)
    for number, text in enumerate(tables(12, seed=1)):
        (project / "used_data" / f"old-{number}.csv").write_text(text)
    (project / ".env").write_text("MIN_NEW_FILES=3\nMIN_FILE_AGE_SECONDS=0\n")
    start(command, "register", "--set-alias", cwd=project)
    for number, text in enumerate(tables(3, seed=2)):
        (project / "new_data" / f"new-{number}.csv").write_text(text)
    assert json.loads(start(command, "check", "--json", cwd=project))["ok"]
    assert json.loads(start(command, "--json", cwd=project))["ending"] == "kept"
    assert (
        json.loads(start(command, "status", "--json", "--project", str(project)))[
            "production_version"
        ]
        == 1
    )


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


def test_the_wheel_holds_the_recipe_the_templates_and_every_setting(command: Path) -> None:
    (packages,) = command.parents[1].glob("lib/python*/site-packages")
    assert (packages / "train_classification_model.py").is_file()
    assert (packages / "retraining" / "env.example").is_file()
    assert list((packages / "retraining").glob("report/templates/*.j2"))


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
