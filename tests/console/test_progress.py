"""The bar on a terminal: what it shows, that short steps show none, and that it leaves nothing
behind.
"""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from retraining.console.progress import WIPE, picture, watched
from tests.projects import CLONE, ORCHESTRATOR, Project, environment_of_cron, tables

if TYPE_CHECKING:
    from collections.abc import Iterator

SLOW = """
import sys, time
sys.path.insert(0, {clone!r})
import retraining.console.progress
retraining.console.progress.PATIENCE = retraining.console.progress.PAUSE = 0
import pipeline_orchestrator
from retraining.cli import main
sys.exit(main(sys.argv[1:], pipeline_orchestrator.run_cycle))
"""


def ticks(step: float) -> Iterator[float]:
    now = 0.0
    while True:
        yield now
        now += step


def shown(items: int, seconds_each: float) -> str:
    terminal, clock = io.StringIO(), ticks(seconds_each)
    assert list(watched(range(items), items, "files", terminal, lambda: next(clock))) == list(
        range(items)
    )
    return terminal.getvalue()


def test_a_picture_tells_how_far_a_step_is() -> None:
    assert picture(1_500, 3_000, "files") == "  [" + "#" * 15 + "." * 15 + "]  1,500 of 3,000 files"


def test_a_short_step_shows_nothing() -> None:
    assert shown(9, 0.1) == ""


def test_a_long_step_is_shown_and_wiped() -> None:
    pictures = shown(20, 0.2).split(WIPE)
    assert pictures[1] == picture(5, 20, "files"), "nothing is shown in the first second"
    assert pictures[-2] == picture(20, 20, "files")
    assert pictures[-1] == "", "the bar is gone when the step is through"


def test_a_step_that_fails_leaves_no_bar_behind() -> None:
    terminal, clock = io.StringIO(), ticks(1.0)
    steps = watched(range(5), 5, "files", terminal, lambda: next(clock))
    next(steps)
    next(steps)
    steps.close()
    assert terminal.getvalue().endswith(WIPE)


@pytest.mark.parametrize("on_terminal", [True, False])
def test_a_cycle_draws_on_a_terminal_only(registered: Project, on_terminal: bool) -> None:
    registered.deliver(*tables(3, seed=2))
    parent, child = pty.openpty()
    arguments = [
        sys.executable,
        "-c",
        SLOW.format(clone=str(CLONE)),
        "--project",
        str(registered.folder),
    ]
    done = subprocess.run(
        arguments, stdout=subprocess.PIPE, stderr=child if on_terminal else subprocess.PIPE,
        env=environment_of_cron(registered.folder), cwd="/", check=True,
    )  # fmt: skip
    os.close(child)
    said = os.read(parent, 100_000) if on_terminal else done.stderr
    assert (b"of 3 files" in said) == on_terminal
    assert b"scoring took" in said
    assert b"\x1b" not in done.stdout
    assert ORCHESTRATOR.encode() in done.stdout
