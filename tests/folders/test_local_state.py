"""What this machine remembers: every file of it may be absent, old or damaged, and nothing but
speed is lost.
"""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pytest

from retraining.console.failures import in_three_lines
from retraining.folders import local_state
from retraining.folders.local_state import LocalState, ReadOnlyState


@pytest.fixture
def state(tmp_path: Path) -> LocalState:
    return LocalState(tmp_path / ".retraining")


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_clean_is_said_and_taken_back(state: LocalState) -> None:
    assert not state.is_clean
    state.mark_clean()
    assert state.is_clean
    state.mark_dirty()
    state.mark_dirty()
    assert not state.is_clean


def test_a_file_is_hashed_once_and_again_when_it_changed(
    state: LocalState, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[str] = []
    true_hash = local_state.sha256_of
    monkeypatch.setattr(
        local_state, "sha256_of", lambda path: (hashed.append(path.name), true_hash(path))[1]
    )
    (tmp_path / "a.csv").write_bytes(b"one")
    assert (
        state.digests(tmp_path, ["a.csv"])
        == state.digests(tmp_path, ["a.csv"])
        == {"a.csv": sha(b"one")}
    )
    assert hashed == ["a.csv"]
    (tmp_path / "a.csv").write_bytes(b"two")
    os.utime(tmp_path / "a.csv", ns=(1, 1))
    assert state.digests(tmp_path, ["a.csv"]) == {"a.csv": sha(b"two")}
    assert hashed == ["a.csv", "a.csv"]
    state.forget_digests()
    state.digests(tmp_path, ["a.csv"])
    assert len(hashed) == 3


def test_a_file_replaced_by_another_of_the_same_size_and_time_is_hashed_again(
    state: LocalState, tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"one")
    state.digests(tmp_path, ["a.csv"])
    other = tmp_path / "b.tmp"
    other.write_bytes(b"two")
    stat = path.stat()
    os.utime(other, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    other.replace(path)
    assert state.digests(tmp_path, ["a.csv"]) == {"a.csv": sha(b"two")}


def test_two_folders_with_the_same_names_are_kept_apart(state: LocalState, tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.csv").write_text(folder)
    assert state.digests(tmp_path / "one", ["a.csv"]) == {"a.csv": sha(b"one")}
    assert state.digests(tmp_path / "two", ["a.csv"]) == {"a.csv": sha(b"two")}


def test_a_vanished_file_has_no_digest(state: LocalState, tmp_path: Path) -> None:
    assert state.digests(tmp_path, ["gone.csv"]) == {}


@pytest.mark.parametrize("damage", [b"", b"{", b"\xff\xfe", b'{"a": 1'])
def test_a_damaged_table_counts_as_absent(state: LocalState, damage: bytes) -> None:
    state.write("gate", {"a": 1})
    state.append("cycles", {"a": 1})
    assert (state.read("gate"), state.lines("cycles")) == ({"a": 1}, [{"a": 1}])
    (state.folder / "gate.json").write_bytes(damage)
    with (state.folder / "cycles.jsonl").open("ab") as stream:
        stream.write(damage + b"\n")
    assert state.read("gate") is None
    assert state.lines("cycles") is None


def test_tables_that_were_never_written_are_absent_and_writing_leaves_no_temporary_file(
    state: LocalState,
) -> None:
    assert (state.read("gate"), state.lines("cycles")) == (None, None)
    state.replace_lines("cycles", [{"n": 1}, {"n": 2}])
    state.append("cycles", {"n": 3})
    state.write("gate", [])
    assert state.lines("cycles") == [{"n": 1}, {"n": 2}, {"n": 3}]
    assert sorted(path.name for path in state.folder.iterdir()) == ["cycles.jsonl", "gate.json"]


def full(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_digests_that_cannot_be_kept_are_worked_out_and_that_is_said_once(
    state: LocalState,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    (tmp_path / "a.csv").write_bytes(b"one")
    monkeypatch.setattr(Path, "write_bytes", full)
    assert (
        state.digests(tmp_path, ["a.csv"])
        == state.digests(tmp_path, ["a.csv"])
        == {"a.csv": sha(b"one")}
    )
    assert [
        f"{state.folder} cannot be written (No space left on device)" in line
        for line in caplog.messages
    ] == [True]


def test_a_table_for_which_the_disk_has_no_room_names_its_file_and_leaves_nothing(
    state: LocalState, monkeypatch: pytest.MonkeyPatch
) -> None:
    def written_in_part(path: Path, _: str) -> None:
        path.touch()
        full()

    monkeypatch.setattr(Path, "write_bytes", written_in_part)
    with pytest.raises(OSError, match="No space left") as caught:
        state.write("head", {"number": 1})
    _, (what, _, remedy) = in_three_lines(caught.value)
    assert what.startswith(f"The disk of {state.folder}/.head.json.tmp is full (")
    assert remedy.startswith("Free space")
    assert list(state.folder.iterdir()) == []


def test_a_read_only_state_keeps_digests_and_nothing_else(tmp_path: Path) -> None:
    state = ReadOnlyState(tmp_path / "state")
    (tmp_path / "a.csv").write_text("a")
    assert state.digests(tmp_path, ["a.csv"])
    state.write("table", {"a": 1})
    state.append("lines", {"a": 1})
    state.replace_lines("lines", [{"a": 1}])
    state.mark_clean()
    assert (state.read("table"), state.lines("lines"), state.is_clean) == (None, None, False)
    assert [path.suffix for path in state.folder.iterdir()] == [".json"]
    LocalState(state.folder).mark_clean()
    state.mark_dirty()
    state.drop("table")
    assert state.is_clean
