"""An upgrade from 0.1.0: its store, folders and caches go on through a cycle of this version."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.projects import CLONE, Project, environment_of_cron, table, tables

if TYPE_CHECKING:
    from pathlib import Path

VERSION_0_1_0 = "69fd8a3"


@pytest.fixture
def old_clone(tmp_path: Path) -> Path:
    """The code of 0.1.0, from this clone's own history."""
    packed = subprocess.run(
        ["git", "archive", VERSION_0_1_0], cwd=CLONE, capture_output=True, check=False
    )
    if packed.returncode:
        pytest.skip(f"this clone's history does not hold {VERSION_0_1_0} (0.1.0)")
    folder = tmp_path / "0.1.0"
    folder.mkdir()
    subprocess.run(["tar", "-x", "-C", folder], input=packed.stdout, check=True)
    return folder


def start_0_1_0(clone: Path, script: str, project: Project, *words: str) -> str:
    """Standard output of a script of 0.1.0, which must end well."""
    done = subprocess.run(
        [sys.executable, str(clone / script), *words, "--project", str(project.folder)],
        cwd="/",
        env=environment_of_cron(project.folder),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_a_project_of_0_1_0_goes_on_where_it_stood(
    old_clone: Path, project: Project, empty_store: Path
) -> None:
    project.configure(PROMOTE_WHEN="unless_worse", RETRAIN_WHEN="always")
    project.take_store(empty_store)
    words = ("--train-from", "used_data", "--set-alias")
    start_0_1_0(old_clone, "register_first_model.py", project, *words)
    project.deliver(*tables(3, seed=2, turned=True))
    before = json.loads(start_0_1_0(old_clone, "pipeline_orchestrator.py", project, "--json"))
    assert before["ending"] == "promoted"
    project.deliver(*tables(1, seed=3))  # one that waits over the upgrade

    assert project.start("check", "--deep", "--json").expect(0).json["ok"]
    assert project.cycle()["ending"] == "too_few_files"
    project.deliver(*tables(2, seed=4))
    after = project.cycle()
    assert after["ending"] in ("promoted", "rejected", "rolled_back")
    assert after["previous_version"] == before["production_version"]
    told = project.start("history", "--json").expect(0).json
    assert [one["cycle_id"] for one in told[:2]] == [after["cycle_id"], before["cycle_id"]]
    assert project.start("check", "--deep", "--json").expect(0).json["ok"]


@pytest.mark.slow
def test_the_record_of_0_1_0_is_read_from_its_store_alone(
    old_clone: Path, project: Project, empty_store: Path
) -> None:
    project.take_store(empty_store)
    start_0_1_0(
        old_clone, "register_first_model.py", project, "--train-from", "used_data", "--set-alias"
    )
    project.deliver(table(seed=5), table(seed=6), table(seed=7))
    before = json.loads(start_0_1_0(old_clone, "pipeline_orchestrator.py", project, "--json"))
    for path in sorted((project.folder / ".retraining").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    told = project.start("history", "--json").expect(0).json
    assert told[0]["cycle_id"] == before["cycle_id"]
    assert told[0]["scores"] == before["scores"]
