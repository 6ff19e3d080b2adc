"""A threshold that no model reaches does not train every night.

One that every model reaches trains no more than the clock asks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tests.replay.histories import drifting, made

if TYPE_CHECKING:
    from pathlib import Path

CYCLES = 10
ROWS = 120 + 60 * CYCLES


def fits(folder: Path, *, coin: bool, threshold: float, when: str) -> int:
    """How often a policy trains over ten cycles of one day each."""
    table = drifting(ROWS)
    if coin:
        table["target"] = np.random.default_rng(14).integers(0, 2, ROWS)
    there = made(folder, table, RETRAIN_WHEN=when, RETRAIN_THRESHOLD=str(threshold))
    policies = there.replay("--policy", "current")["policies"]
    ((play,),) = policies.values()  # type: ignore[attr-defined]
    assert len(play["served"]) == CYCLES
    return int(play["fits"])


def test_a_threshold_that_no_model_reaches_waits_between_retrains(tmp_path: Path) -> None:
    trained = fits(tmp_path, coin=True, threshold=0.9, when="threshold")
    assert 0 < trained < CYCLES


def test_with_the_default_triggers_it_waits_too(tmp_path: Path) -> None:
    trained = fits(tmp_path, coin=True, threshold=0.9, when="threshold,drop,adaptive")
    assert 0 < trained < CYCLES


def test_a_threshold_that_every_model_reaches_never_trains_by_itself(tmp_path: Path) -> None:
    assert fits(tmp_path, coin=False, threshold=0.01, when="threshold") == 0
