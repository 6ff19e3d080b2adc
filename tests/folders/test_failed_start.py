"""A start that failed or was refused is told by `status` and `history` until one ends well."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from tests.projects import tables

if TYPE_CHECKING:
    from tests.projects import Project


def test_a_start_that_needs_a_person_is_told_until_one_ends_well(registered: Project) -> None:
    (registered.folder / "new_data").rmdir()
    what = registered.start("run", "-q").expect(3).error[0]
    (registered.folder / "new_data").mkdir()
    failed = registered.start("status", "--json").expect(0).json["failed_start"]
    assert (failed["exit_code"], failed["what"]) == (3, what)
    for command in ("status", "history"):
        shown = " ".join(registered.start(command).expect(0).out.split())
        assert f"exit 3: {what}" in shown, command
        assert "Try: " in shown
    registered.start("run", "--dry-run").expect(0)
    assert registered.start("status", "--json").json["failed_start"] is not None
    registered.start("run").expect(0)
    assert registered.start("status", "--json").expect(0).json["failed_start"] is None
    assert "failed" not in registered.start("history").out


def test_a_start_that_was_refused_for_its_settings_is_told_once_they_are_mended(
    registered: Project,
) -> None:
    registered.configure(MIN_NEW_FILES="many")
    registered.start("run").expect(2)
    registered.configure(MIN_NEW_FILES="3")
    failed = registered.start("status", "--json").expect(0).json["failed_start"]
    assert failed["exit_code"] == 2
    assert "MIN_NEW_FILES: 'many' is not a whole number" in failed["what"]


def test_local_notes_may_be_deleted(registered: Project) -> None:
    registered.deliver(*tables(3, seed=2))
    shutil.rmtree(registered.folder / ".retraining")
    assert registered.start("status", "--json").expect(0).json["failed_start"] is None


KILLS_ITSELF = (
    "import os, signal\ndef train_model(X, y):\n    os.kill(os.getpid(), signal.SIGKILL)\n"
)


def test_a_start_that_was_killed_is_the_last_one_not_the_failure_before_it(
    registered: Project,
) -> None:
    (registered.folder / "new_data").rmdir()
    registered.start("run", "-q").expect(3)
    registered.deliver(*tables(6, seed=2, rows=120, turned=True))
    (registered.folder / "train_classification_model.py").write_text(KILLS_ITSELF)
    registered.start_process("run").expect(-9)
    failed = registered.start("status", "--json").expect(0).json["failed_start"]
    assert failed["exit_code"] is None
    for command in ("status", "history"):
        shown = " ".join(registered.start(command).expect(0).out.split())
        assert "ended without a message: it was killed" in shown, command
        assert "exit 3" not in shown
    (registered.folder / "train_classification_model.py").unlink()
    registered.start("run").expect(0)
    assert registered.start("status", "--json").expect(0).json["failed_start"] is None
