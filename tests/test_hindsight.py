"""Past decisions in words: an interval is told the same way round as the number that it belongs to."""

from __future__ import annotations

from retraining.hindsight import in_words
from retraining.records import Hindsight, Score
from retraining.registering.words import suggested_threshold


def seen(gain: float, low: float, high: float, *, promoted: bool) -> Hindsight:
    return Hindsight(3, 2, promoted, gain, (low, high), rows=400, blocks=10, batches=2)


def test_what_a_rejection_saved_lies_in_its_interval() -> None:
    told = in_words(seen(-0.4322, -0.5395, -0.3249, promoted=False), "accuracy")
    assert told == "rejecting v3 saved 0.4322 [+0.3249, +0.5395] on 2 fresh batches (accuracy)"


def test_what_a_promotion_gained_or_lost_is_told_in_plain_words() -> None:
    assert "v3 lost 0.0200 [+0.0100, +0.0300]" in in_words(
        seen(-0.02, -0.03, -0.01, promoted=True), "accuracy"
    )


def test_without_an_interval_by_blocks_the_suggested_threshold_still_lies_below_the_score() -> None:
    few = Score("accuracy", 0.9, 90, None)
    assert suggested_threshold(few, greater_is_better=True) == 0.83
    assert suggested_threshold(Score("accuracy", 0.9994, 1000), greater_is_better=True) == 0.99
    whole = Score("accuracy", 0.9, 90, (0.84, 0.96))
    assert suggested_threshold(whole, greater_is_better=True) == 0.84
    assert suggested_threshold(Score("error_rate", 0.1, 90, None), greater_is_better=False) == 0.17
