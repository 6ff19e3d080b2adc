"""What is said of a new version's score: why it has no interval, and what a model that learned
nothing reaches.
"""

from __future__ import annotations

import numpy as np
import pytest

from retraining.records import Column, Schema, Score
from retraining.registering.baseline import Baseline
from retraining.registering.words import majority_in_words
from retraining.statistics import Predictions

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


def scored(metric: str, positives: int) -> Baseline:
    """A perfect model on 1,000 rows, so many of them positive."""
    truth = np.array([1] * positives + [0] * (1000 - positives))
    answers = Predictions(truth, truth, None, np.arange(1000) // 100, 2)
    return Baseline(Score(metric, 1.0, 1000), 10, answers)


SCHEMA = Schema((Column("speed", "number"),), "target", "string", ("no", "yes"), "yes")
HARDLY_ANY = "Only 0.5% of these rows are 'yes', so accuracy says little of them: METRIC="


@pytest.mark.parametrize(
    ("metric", "positives", "said"),
    [
        ("accuracy", 5, ["Always answering 'no' reaches accuracy 0.9950 on", HARDLY_ANY]),
        ("accuracy", 400, ["Always answering 'no' reaches accuracy 0.6000 on"]),
        ("error_rate", 600, ["Always answering 'yes' reaches error_rate 0.4000 on"]),
        ("f1", 5, ["Always answering 'no' reaches f1 0.0000 on"]),
        ("roc_auc", 5, ["Always answering 'no' reaches roc_auc 0.5000 on"]),
    ],
)
def test_a_score_stands_beside_that_of_always_answering_the_commonest_class(
    metric: str, positives: int, said: list[str]
) -> None:
    lines = list(majority_in_words(scored(metric, positives), SCHEMA))
    assert len(lines) == len(said)
    assert all(line.startswith(start) for line, start in zip(lines, said, strict=True))


def test_without_rows_to_score_on_nothing_is_set_beside_it() -> None:
    assert list(majority_in_words(Baseline(None, 0, None), SCHEMA)) == []
