"""Past decisions in words: an interval is told the same way round as the number that it belongs
to.
"""

from __future__ import annotations

import pytest

from retraining.commands.history import promotions_in_words
from retraining.hindsight import in_words, promotions_together
from retraining.records import Hindsight


def seen(gain: float, low: float, high: float, *, promoted: bool) -> Hindsight:
    return Hindsight(3, 2, promoted, gain, (low, high), rows=400, blocks=10, batches=2)


def test_what_a_rejection_saved_lies_in_its_interval() -> None:
    told = in_words(seen(-0.4322, -0.5395, -0.3249, promoted=False), "accuracy")
    assert told == "rejecting v3 saved 0.4322 [+0.3249, +0.5395] on 2 fresh batches (accuracy)"


def test_what_a_promotion_gained_or_lost_is_told_in_plain_words() -> None:
    assert "v3 lost 0.0200 [+0.0100, +0.0300]" in in_words(
        seen(-0.02, -0.03, -0.01, promoted=True), "accuracy"
    )


def promotion(version: int, gain: float, low: float, high: float) -> Hindsight:
    error = (high - low) / 4
    return Hindsight(version, version - 1, True, gain, (low, high), 400, error, 10)


def test_promotions_are_told_together_with_those_that_harmed() -> None:
    good = [promotion(n, 0.01, -0.01, 0.03) for n in range(2, 6)]
    rejected = seen(-0.4, -0.5, -0.3, promoted=False)
    found = promotions_together([*good, rejected])
    assert found is not None
    assert (found.count, found.harmful) == (4, ())
    assert found.gain == pytest.approx(0.01)
    assert promotions_in_words(found, "accuracy").startswith(
        "4 promotions gained +1.0 points on average ["
    )
    assert promotions_in_words(found, "accuracy").endswith("; none harmed")
    worse = promotions_together([*good, promotion(7, -0.05, -0.08, -0.02)])
    assert worse is not None
    assert promotions_in_words(worse, "accuracy").endswith("; 1 harmed (v7)")


def test_promotions_that_lost_together_are_told_as_a_loss() -> None:
    found = promotions_together([promotion(2, -0.02, -0.03, -0.01)])
    assert found is not None
    assert (
        promotions_in_words(found, "accuracy")
        == "1 promotion lost 2.0 points on average [+1.0, +3.0]; 1 harmed (v2)"
    )


def test_without_promotions_nothing_is_told_of_them() -> None:
    assert promotions_together([seen(-0.4, -0.5, -0.3, promoted=False)]) is None
