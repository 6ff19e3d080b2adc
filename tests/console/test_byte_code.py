"""A start writes no byte code, and names a compiled file that a full disk cut short."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from retraining.console.byte_code import damaged_code
from retraining.console.failures import in_three_lines
from tests.projects import CLONE, Project, environment_of_cron

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The scripts and the package, compiled nowhere."""
    place = tmp_path / "clone"
    shutil.copytree(
        CLONE / "retraining", place / "retraining", ignore=shutil.ignore_patterns("__pycache__")
    )
    for name in (
        "pipeline_orchestrator.py",
        "register_first_model.py",
        "train_classification_model.py",
    ):
        shutil.copy(CLONE / name, place)
    return place


def start(clone: Path, project: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(clone / "pipeline_orchestrator.py"), "--project", str(project)]
    return subprocess.run(
        command,
        env=environment_of_cron(project),
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )


def compiled(clone: Path) -> list[Path]:
    return sorted(clone.rglob("*.pyc"))


@pytest.fixture
def waiting(tmp_path: Path) -> Project:
    made = Project.made(tmp_path / "project")
    (made.folder / ".retraining").mkdir()
    (made.folder / ".retraining" / "clean").touch()  # so that the gate answers
    return made


def test_a_start_writes_no_byte_code(clone: Path, waiting: Project) -> None:
    assert start(clone, waiting.folder).returncode == 0
    assert compiled(clone) == []


@pytest.mark.parametrize("module", ["decisions", "cli", "commands/run"])
def test_a_compiled_file_that_was_cut_short_is_named_with_the_cure(
    clone: Path, waiting: Project, module: str
) -> None:
    subprocess.run([sys.executable, "-m", "compileall", "-q", str(clone)], check=True)
    folder, _, name = f"retraining/{module}".rpartition("/")
    (cut,) = (clone / folder / "__pycache__").glob(f"{name}.*.pyc")
    cut.write_bytes(cut.read_bytes()[:200])
    done = start(clone, waiting.folder)
    what, unchanged, remedy = done.stderr.splitlines()[-3:]
    assert "Traceback" not in done.stderr
    assert what == f"The compiled code {cut} is cut short or damaged, which a full disk does."
    assert unchanged.startswith("Nothing was changed")
    assert f"`rm {cut}`" in remedy
    cut.unlink()
    assert start(clone, waiting.folder).returncode == 0


def test_an_error_of_another_kind_is_not_taken_for_it() -> None:
    with pytest.raises(EOFError) as caught:
        raise EOFError("EOF read where object expected")
    assert damaged_code(caught.value) is None
    assert "EOFError in " in in_three_lines(caught.value)[1][0]


def test_an_error_that_is_its_own_cause_is_looked_at_once() -> None:
    error = ValueError("a circle")
    error.__cause__ = error
    assert damaged_code(error) is None
