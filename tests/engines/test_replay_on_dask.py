"""`replay` on an engine: the same output as in one process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.replay.histories import drifting, made

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.slow
def test_replay_on_two_workers_tells_the_very_same(tmp_path: Path) -> None:
    replaying = made(tmp_path, drifting(480))
    policy = tmp_path / "eager.env"
    policy.write_text("RETRAIN_WHEN=always\n")
    words = ("--policy", f"current,{policy},always,static", "--offsets", "2")
    here = replaying.replay(*words)
    assert replaying.replay(*words, ENGINE="dask") == here
