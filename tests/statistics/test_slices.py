"""The guard over slices vetoes what hurts, and leaves equal challengers alone."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import precision_recall_fscore_support

from retraining.statistics import Predictions, judge_slices, metric, per_class, subset
from retraining.statistics.slices import holm
from tests.statistics.samples import answers, two_models

ACCURACY = metric("accuracy")


def judged(champion, challenger, slices, **options):
    return judge_slices(ACCURACY, champion, challenger, slices.items(), max_loss=0.05, **options)


def a_slice_that_loses(share, rows=200, blocks=10):
    """The first half of every block is `north`.

    There the challenger is wrong on `share` of the rows, else both are right.
    """
    block = np.repeat(np.arange(blocks), 2 * rows // blocks)
    place = np.arange(block.size) % (2 * rows // blocks)
    north = place < rows // blocks
    wrong = north & (np.random.default_rng(1).random(block.size) < share)
    return (
        answers(np.ones(block.size), block),
        answers(~wrong, block),
        {"north": north, "south": ~north},
    )


def test_holm_on_a_hand_worked_example():
    # the example of R's p.adjust and of most textbooks: .01 x 3, .04 x 1 (but not under .06), .03 x
    # 2, .005 x 4
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))
    assert holm([0.5, 0.9]) == pytest.approx((1.0, 1.0))
    assert holm([]) == ()


def test_a_slice_that_loses_much_vetoes_and_the_others_do_not():
    north, south = judged(*a_slice_that_loses(0.15))
    assert (north.name, north.rows, north.blocks) == ("north", 200, 10)
    assert north.loss == pytest.approx(0.15, abs=0.05)
    assert north.vetoes
    assert (south.loss, south.vetoes) == (0.0, False)


def test_a_loss_within_what_is_allowed_does_not_veto_however_sure():
    north, _ = judged(*a_slice_that_loses(0.03, rows=4000, blocks=20))
    assert north.loss < 0.05
    assert north.p < 0.001
    assert not north.vetoes


def test_a_large_loss_that_one_odd_block_explains_does_not_veto():
    blocks = np.repeat(np.arange(8), 15)
    (whole,) = judged(
        answers(np.ones(120), blocks), answers(blocks != 3, blocks), {"all": np.ones(120, bool)}
    )
    assert whole.loss == pytest.approx(1 / 8)
    assert whole.p == pytest.approx(stats.t.sf(1, 7))
    assert not whole.vetoes


def test_p_is_the_paired_t_test_over_blocks():
    champion, challenger = two_models(blocks=12, rows_per_block=80, correlation=0.1, seed=4)
    (whole,) = judged(champion, challenger, {"all": np.ones(960, bool)})
    losses = (
        (champion.predicted == champion.truth) * 1.0 - (challenger.predicted == challenger.truth)
    ).reshape(12, 80)
    assert whole.p == pytest.approx(
        stats.ttest_1samp(losses.mean(axis=1), 0, alternative="greater").pvalue
    )


@pytest.mark.parametrize("rows", [98, 100])
def test_a_slice_is_judged_from_a_hundred_rows(rows):
    north, _ = judged(*a_slice_that_loses(0.9, rows=rows, blocks=2))
    assert north.rows == rows
    assert north.vetoes == (rows == 100)
    assert (north.p is None) == (rows < 100)


def test_a_slice_within_one_block_is_shown_and_not_judged():
    champion, challenger, slices = a_slice_that_loses(0.5, blocks=1)
    north, _ = judged(champion, challenger, slices)
    assert north.loss > 0.4
    assert (north.p, north.vetoes) == (None, False)


def test_more_slices_demand_more_of_each():
    champion, challenger, slices = a_slice_that_loses(0.08)
    alone = judged(champion, challenger, {"north": slices["north"]})[0]
    among = judged(champion, challenger, {f"{i}": slices["north"] for i in range(10)})[0]
    assert among.p == pytest.approx(min(1.0, 10 * alone.p))


def test_ten_slices_seldom_refuse_an_equal_challenger():
    vetoed = 0
    for seed in range(100):
        champion, challenger = two_models(
            blocks=15, rows_per_block=100, correlation=0.03, seed=seed
        )
        place = np.random.default_rng(seed).integers(0, 10, 1500)
        vetoed += any(
            result.vetoes
            for result in judged(champion, challenger, {str(i): place == i for i in range(10)})
        )
    assert vetoed <= 10  # uncorrected: about 30


def test_slices_work_for_a_metric_of_probabilities_and_where_a_slice_lacks_a_class():
    champion, challenger = two_models(blocks=10, rows_per_block=60)
    slices = {
        "yes": champion.truth == 1,
        "mixed": np.arange(600) % 2 == 0,
        "empty": np.zeros(600, bool),
    }
    yes, mixed, empty = judge_slices(
        metric("roc_auc"), champion, challenger, slices.items(), max_loss=0.05
    )
    assert (yes.loss, yes.p, yes.vetoes) == (None, None, False)
    assert mixed.p is not None
    assert (empty.rows, empty.loss) == (0, None)


def test_per_class_equals_scikit_learn():
    rng = np.random.default_rng(2)
    truth, blocks = rng.integers(0, 3, 90), np.zeros(90, int)
    models = [Predictions(truth, rng.integers(0, 3, 90), None, blocks, 3) for _ in "ab"]
    found = per_class(*models, classes=("low", "mid", "high"))
    before, after = (precision_recall_fscore_support(truth, model.predicted) for model in models)
    assert [result.name for result in found] == ["low", "mid", "high"]
    assert [result.support for result in found] == list(before[3])
    for side, (precision, recall, f1, _) in (("champion", before), ("challenger", after)):
        for name, expected in (("precision", precision), ("recall", recall), ("f1", f1)):
            assert [getattr(result, f"{side}_{name}") for result in found] == pytest.approx(
                list(expected)
            )


def test_a_class_without_rows_or_never_predicted_has_no_shares_to_show():
    blocks = np.zeros(4, int)
    silent = Predictions(np.array([0, 0, 1, 1]), np.zeros(4, int), None, blocks, 3)
    none, one, two = per_class(silent, silent, classes=(0, 1, 2))
    assert (none.champion_recall, none.champion_precision) == (1.0, 0.5)
    assert (one.champion_recall, one.champion_precision, one.champion_f1) == (0.0, None, 0.0)
    assert (two.support, two.champion_recall, two.champion_f1) == (0, None, None)


def test_a_slice_of_both_models_keeps_rows_together():
    champion, challenger = two_models()
    rows = np.arange(1000) % 3 == 0
    (found,) = judged(champion, challenger, {"third": rows})
    expected = (subset(champion, rows).predicted == champion.truth[rows]).mean() - (
        challenger.predicted[rows] == champion.truth[rows]
    ).mean()
    assert found.loss == pytest.approx(expected)
