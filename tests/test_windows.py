"""A start on Windows says where the job runs, instead of a traceback."""

from __future__ import annotations

import subprocess
import sys

import pytest

from retraining.errors import NOTHING_CHANGED
from tests.projects import CLONE

WITHOUT_LOCKS = """
import runpy, sys
sys.modules["fcntl"] = None  # as on Windows: importing it fails
sys.argv = sys.argv[1:]
sys.path.insert(0, {clone!r})
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.parametrize(
    "script",
    [
        "pipeline_orchestrator.py",
        "register_first_model.py",
        "prediction_service.py",
        "retraining/__main__.py",
    ],
)
def test_a_start_without_the_locks_of_linux_says_where_the_job_runs(script: str) -> None:
    program = WITHOUT_LOCKS.format(clone=str(CLONE))
    done = subprocess.run(
        [sys.executable, "-c", program, str(CLONE / script), "--help"],
        capture_output=True,
        text=True,
        check=False,
    )
    what, unchanged, remedy = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (2, "")
    assert "runs on Linux and macOS" in what
    assert unchanged == NOTHING_CHANGED
    assert "WSL" in remedy
