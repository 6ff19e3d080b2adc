"""One cycle at a time: the kernel's lock, who holds it, and what the second start says."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from retraining.errors import FolderGoneError, LockHeldError
from retraining.folders import lock
from retraining.folders.lock import is_held, one_cycle_at_a_time, why_it_cannot_be_taken
from tests.projects import CLONE, Project
from tests.test_architecture import packages_loaded_by

if TYPE_CHECKING:
    from pathlib import Path

HOLDS = """
import sys, time
from pathlib import Path
from retraining.folders.lock import one_cycle_at_a_time
with one_cycle_at_a_time(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_start_ends_75_at_once_naming_the_holders_pid_and_start(tmp_path: Path) -> None:
    project = Project.made(tmp_path / "project")
    with one_cycle_at_a_time(project.folder / ".retraining"):
        second = project.start_process("--json")
        loaded = packages_loaded_by(project, "-q")
    what, unchanged, remedy = second.expect(75).error
    assert f"process {os.getpid()}, started 2" in what
    assert unchanged == "Nothing was changed: no alias moved, no file moved."
    assert "Wait for it to end" in remedy
    assert (second.json["ending"], second.json["exit_code"]) == ("failed", 75)
    assert loaded == "75 []", "at once: nothing but the standard library is loaded"


def test_a_look_at_the_lock_ends_no_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lock").touch()
    with (tmp_path / "lock").open("rb") as look:
        fcntl.flock(look, fcntl.LOCK_SH)  # as `is_held` does, for a moment
        monkeypatch.setattr(lock.time, "sleep", lambda _: fcntl.flock(look, fcntl.LOCK_UN))
        with one_cycle_at_a_time(tmp_path):
            assert is_held(tmp_path)
    assert not is_held(tmp_path)


def test_the_lock_is_free_again_after_the_holder_was_killed(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(tmp_path)], cwd=CLONE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with (
            pytest.raises(LockHeldError, match=f"process {holder.pid}"),
            one_cycle_at_a_time(tmp_path),
        ):
            pass
        holder.send_signal(signal.SIGKILL)
    with one_cycle_at_a_time(tmp_path):
        assert json.loads((tmp_path / "lock").read_text())["pid"] == os.getpid()


def test_the_lock_is_free_again_after_an_error_and_its_file_is_never_unlinked(
    tmp_path: Path,
) -> None:
    with pytest.raises(ValueError, match="in the cycle"), one_cycle_at_a_time(tmp_path):
        raise ValueError("in the cycle")
    inode = (tmp_path / "lock").stat().st_ino
    with one_cycle_at_a_time(tmp_path):
        assert (tmp_path / "lock").stat().st_ino == inode


def test_a_lock_file_full_of_nonsense_is_still_a_lock(tmp_path: Path) -> None:
    with one_cycle_at_a_time(tmp_path):
        (tmp_path / "lock").write_bytes(b"\xff{]")
        with pytest.raises(LockHeldError, match="only just started"), one_cycle_at_a_time(tmp_path):
            pass
    with one_cycle_at_a_time(tmp_path):
        pass


def test_a_state_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(FolderGoneError, match=r"file/\.retraining/lock cannot be opened"),
        one_cycle_at_a_time(tmp_path / "file" / ".retraining"),
    ):
        pass


def test_a_folder_in_the_place_of_the_lock_is_to_be_removed(tmp_path: Path) -> None:
    (tmp_path / "lock").mkdir()
    with pytest.raises(FolderGoneError) as raised, one_cycle_at_a_time(tmp_path):
        pass
    assert raised.value.remedy.startswith(f"Remove the folder {tmp_path / 'lock'}:")
    foretold = why_it_cannot_be_taken(tmp_path)
    assert foretold is not None
    assert foretold.lines() == raised.value.lines()


def test_a_lock_of_another_user_is_named_as_what_to_give_a_right_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lock").touch()

    def refuse(*_: object) -> int:
        raise PermissionError(errno.EACCES, "Permission denied")

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", refuse)
        foretold = why_it_cannot_be_taken(tmp_path)
    assert foretold is not None
    assert foretold.remedy.startswith(f"Give this user the right to write {tmp_path / 'lock'}:")


def test_looking_whether_the_lock_can_be_taken_makes_nothing(tmp_path: Path) -> None:
    assert why_it_cannot_be_taken(tmp_path / ".retraining") is None
    assert not list(tmp_path.iterdir())
    with one_cycle_at_a_time(tmp_path):
        assert why_it_cannot_be_taken(tmp_path) is None


def test_on_a_full_disk_the_lock_is_held_though_its_holder_is_not_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with (
        one_cycle_at_a_time(tmp_path),
        pytest.raises(LockHeldError, match="only just started"),
        one_cycle_at_a_time(tmp_path),
    ):
        pass
