"""What a start does where stdout is full or closed."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from retraining.console.standard_streams import DONE, ELSEWHERE
from tests.projects import CLONE, ORCHESTRATOR, environment_of_cron

if TYPE_CHECKING:
    from pathlib import Path

    from tests.projects import Project


def redirected(redirection: str, *words: str, home: Path) -> subprocess.CompletedProcess[str]:
    """A command of this Python's, its streams redirected by a shell as in a crontab."""
    return subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {redirection}', "sh", sys.executable, *words],
        cwd=CLONE,
        env=environment_of_cron(home),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def started(project: Project, redirection: str) -> subprocess.CompletedProcess[str]:
    words = (str(CLONE / ORCHESTRATOR), "--project", str(project.folder))
    return redirected(redirection, *words, home=project.folder)


def test_a_full_disk_under_stdout_is_told_in_three_lines(registered: Project) -> None:
    done = started(registered, "> /dev/full")
    assert done.returncode == 1
    what = "What this command has to say could not be written: No space left on device."
    assert done.stderr.splitlines() == [what, DONE, ELSEWHERE]


def test_where_stderr_is_full_too_only_the_exit_code_is_left(registered: Project) -> None:
    done = started(registered, "> /dev/full 2>&1")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")


@pytest.mark.parametrize("redirection", ["| true", ">&-", "<&- >&- 2>&-"])
def test_a_reader_who_is_gone_is_no_failure(registered: Project, redirection: str) -> None:
    done = started(registered, redirection)
    assert (done.returncode, done.stderr) == (0, "")


def test_no_file_takes_the_number_of_a_stdout_that_is_closed(tmp_path: Path) -> None:
    held = tmp_path / "held.txt"
    code = (
        "import os, sys\n"
        "from retraining.console.standard_streams import stdout_and_stderr\n"
        "stdout_and_stderr()\n"
        "held = open(sys.argv[1], 'w')\n"
        "os.write(1, b'stray')\n"
    )
    redirected(">&-", "-c", code, str(held), home=tmp_path).check_returncode()
    assert held.read_text() == ""
