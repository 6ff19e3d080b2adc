"""How much memory a cycle may count on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retraining import memory

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def limits(tmp_path: Path, membership: str, files: dict[str, str]) -> list[int]:
    (tmp_path / "cgroup").write_text(membership)
    for name, text in files.items():
        file = tmp_path / "root" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return sorted(memory._limits(tmp_path / "cgroup", tmp_path / "root"))


def test_limits_of_the_group_and_of_those_above_it_count(tmp_path: Path) -> None:
    files = {
        "jobs.slice/night.service/memory.max": "max\n",
        "jobs.slice/memory.max": "8000\n",
        "memory.max": "9000\n",
    }
    assert limits(tmp_path, "0::/jobs.slice/night.service\n", files) == [8000, 9000]


def test_in_a_container_the_top_alone_is_there(tmp_path: Path) -> None:
    assert limits(tmp_path, "0::/docker/abc\n", {"memory.max": "7000\n"}) == [7000]


def test_the_older_groups_have_a_folder_and_a_name_of_their_own(tmp_path: Path) -> None:
    membership = "12:cpu:/jobs\n5:memory:/jobs\n"
    files = {"memory/jobs/memory.limit_in_bytes": "6000\n"}
    assert limits(tmp_path, membership, files) == [6000]


def test_a_cycle_may_count_on_half_and_shares_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory._Shared, "cycles", 1)
    alone = memory.half_a_share()
    assert alone == memory.granted() // 2
    memory.share_with(4)
    assert memory.half_a_share() == alone // 4
