"""Why a new version's score has no interval, in words."""

from __future__ import annotations

import pytest

from retraining.records import Score
from retraining.registering.baseline import Baseline

FEW = "no interval, for these rows are in 4 blocks and it takes 5"
UNDEFINED = "no interval, for the score is undefined on some of the blocks"


@pytest.mark.parametrize(
    ("value", "interval", "blocks", "why"),
    [
        (0.9, None, 4, FEW),
        (0.9, None, 5, UNDEFINED),
        (0.9, (0.85, 0.95), 5, None),
        (None, None, 5, None),
    ],
)
def test_a_score_without_an_interval_has_a_reason(
    value: float | None, interval: tuple[float, float] | None, blocks: int, why: str | None
) -> None:
    score = Score("roc_auc", value, 100, interval)
    assert Baseline(score, blocks, None).why_no_interval == why
