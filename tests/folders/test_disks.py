"""Writing a file whole."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest

from retraining.folders import disks
from retraining.folders.disks import write_whole

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_is_written_afresh_and_nothing_stands_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "Straße.json"
    write_whole(path, "ä" * 100_000)
    write_whole(path, b"short", durable=True)
    assert path.read_bytes() == b"short"
    assert list(tmp_path.iterdir()) == [path]


def test_where_the_disk_refuses_the_old_content_stays_and_the_error_names_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "a.json"
    write_whole(path, "old")
    monkeypatch.setattr(disks, "sync", full)
    with pytest.raises(OSError, match="No space left") as caught:
        write_whole(path, "new", durable=True)
    assert caught.value.filename == str(tmp_path / ".a.json.tmp")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
