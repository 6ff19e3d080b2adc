"""Intervals and verdicts: against formulas worked apart, and against the truth of simulated
models.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import f1_score, roc_auc_score

from retraining.statistics import (
    Predictions,
    compare,
    estimate,
    estimate_improvement,
    metric,
    score,
    score_interval,
    spent_alpha,
    subset,
)
from retraining.statistics.resampling import (
    bootstrap_error,
    jackknife_error,
    join_neighbours,
    mean_error,
    pair_counts,
)
from tests.statistics.samples import answers, two_models

ACCURACY = metric("accuracy")
KINDS = (
    "accuracy",
    "error_rate",
    "f1",
    "balanced_accuracy",
    "roc_auc",
    "average_precision",
    "neg_log_loss",
)


def judged(name, champion, challenger, confidence=0.95, min_rows=50):
    return compare(metric(name), champion, challenger, confidence=confidence, min_rows=min_rows)


@pytest.mark.parametrize("name", KINDS)
def test_improvement_is_the_plain_difference_and_lies_in_the_interval(name):
    champion, challenger = two_models(gain=0.2)
    result = judged(name, champion, challenger)
    difference = score(metric(name), challenger) - score(metric(name), champion)
    assert result.improvement == pytest.approx(-difference if name == "error_rate" else difference)
    assert result.improvement > 0
    assert result.interval[0] < result.improvement < result.interval[1]
    assert (result.rows, result.blocks) == (1000, 20)


@pytest.mark.parametrize("name", KINDS)
def test_the_other_way_round_everything_changes_sign(name):
    champion, challenger = two_models(gain=0.5)
    forth, back = judged(name, champion, challenger), judged(name, challenger, champion)
    assert back.improvement == pytest.approx(-forth.improvement)
    assert back.interval == pytest.approx((-forth.interval[1], -forth.interval[0]))
    assert (forth.verdict, back.verdict) == ("better", "worse")


@pytest.mark.parametrize("name", KINDS)
def test_the_same_answers_differ_by_exactly_nothing(name):
    champion, _ = two_models()
    result = judged(name, champion, champion)
    assert (result.improvement, result.interval, result.verdict) == (
        0.0,
        (0.0, 0.0),
        "not_enough_evidence",
    )


@pytest.mark.parametrize("name", KINDS)
def test_the_same_inputs_give_the_same_result(name):
    assert judged(name, *two_models()) == judged(name, *two_models())


def test_interval_of_equal_blocks_is_the_t_interval_over_block_means():
    champion, challenger = two_models(blocks=12, rows_per_block=80, correlation=0.1, seed=4)
    gains = (challenger.predicted == challenger.truth).astype(float) - (
        champion.predicted == champion.truth
    )
    means = gains.reshape(12, 80).mean(axis=1)
    expected = stats.t.interval(0.9, 11, loc=means.mean(), scale=stats.sem(means))
    # else the rows would set the error
    assert stats.sem(means) > gains.std(ddof=1) / math.sqrt(gains.size)
    assert judged("accuracy", champion, challenger, confidence=0.9).interval == pytest.approx(
        expected
    )


def test_error_of_nearly_equal_blocks_is_that_of_the_ratio_estimate():
    rng = np.random.default_rng(8)
    blocks = np.repeat(np.arange(30), rng.integers(95, 106, 30))
    values = rng.normal(size=blocks.size) + rng.normal(size=30)[blocks]
    totals = np.bincount(blocks, weights=values - values.mean())
    cochran = math.sqrt(30 / 29 * float(totals @ totals)) / values.size
    assert mean_error(values, blocks) == pytest.approx(cochran, rel=0.01)


def test_one_block_larger_than_all_others_does_not_fake_certainty():
    blocks = np.repeat(np.arange(6), [5000, 20, 20, 20, 20, 20])
    right = np.random.default_rng(0).random(blocks.size) < np.where(blocks == 0, 0.9, 0.5)
    champion, challenger = (
        answers(np.full(blocks.size, 1) & (np.arange(blocks.size) % 5 > 0), blocks),
        answers(right, blocks),
    )
    result = judged("accuracy", champion, challenger)
    assert result.improvement > 0.05
    assert result.verdict == "not_enough_evidence"


def test_rows_that_are_alike_widen_the_interval():
    widths = []
    for correlation in (0.0, 0.1):
        pairs = [
            two_models(blocks=30, rows_per_block=60, correlation=correlation, seed=seed)
            for seed in range(10)
        ]
        widths.append(np.mean([judged("accuracy", *pair).standard_error for pair in pairs]))
    assert widths[1] > 1.25 * widths[0]


def test_blocks_that_happen_to_agree_prove_no_more_than_their_rows():
    blocks = np.repeat(np.arange(5), 10)
    champion = answers(np.tile([0] + [1] * 9, 5), blocks)
    challenger = answers(np.ones(50), blocks)
    # one row gained in each of five blocks: McNemar's exact test says p = .06, and the blocks alone
    # would say p = 0
    result = judged("accuracy", champion, challenger)
    assert result.improvement == pytest.approx(0.1)
    assert result.verdict == "not_enough_evidence"


@pytest.mark.parametrize("name", ["f1", "average_precision"])
def test_blocks_that_are_copies_leave_an_error_for_other_metrics_too(name):
    champion, challenger = two_models(blocks=1, rows_per_block=40, gain=0.3, seed=2)
    rows = np.tile(np.arange(40), 6)
    copies = [
        dataclasses.replace(subset(model, rows), blocks=np.repeat(np.arange(6), 40))
        for model in (champion, challenger)
    ]
    assert judged(name, *copies).standard_error > 0.005


def test_a_challenger_right_where_the_champion_is_always_wrong_is_better():
    blocks = np.repeat(np.arange(6), 10)
    result = judged("accuracy", answers(np.zeros(60), blocks), answers(np.ones(60), blocks))
    assert (result.improvement, result.interval, result.verdict) == (1.0, (1.0, 1.0), "better")


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize(("blocks", "rows_per_block"), [(4, 400), (8, 6)])
def test_too_few_blocks_or_rows_are_never_enough_evidence(name, blocks, rows_per_block):
    result = judged(name, *two_models(blocks, rows_per_block, gain=3.0), min_rows=50)
    assert result.verdict == "not_enough_evidence"
    assert result.interval[0] <= 0 <= result.improvement <= result.interval[1]


@pytest.mark.parametrize("name", KINDS)
def test_one_block_has_an_improvement_and_no_interval(name):
    result = judged(name, *two_models(1, 400, gain=1.0))
    assert result.improvement > 0
    assert (result.interval, result.standard_error, result.verdict) == (
        None,
        None,
        "not_enough_evidence",
    )


@pytest.mark.parametrize("name", KINDS)
def test_no_rows_are_not_enough_evidence(name):
    nothing = [subset(model, slice(0, 0)) for model in two_models()]
    result = judged(name, *nothing)
    assert dataclasses.astuple(result) == (None, None, "not_enough_evidence", None, 0, 0)


def test_undefined_scores_are_not_enough_evidence():
    champion, challenger = two_models()
    broken = dataclasses.replace(challenger, probabilities=np.full((1000, 2), np.nan))
    assert judged("roc_auc", champion, broken).improvement is None
    one_class = [subset(model, champion.truth == 0) for model in (champion, challenger)]
    assert judged("roc_auc", *one_class).verdict == "not_enough_evidence"
    assert score_interval(metric("roc_auc"), one_class[0], 0.95) is None


def test_models_on_different_rows_are_never_compared():
    champion, challenger = two_models()
    with pytest.raises(ValueError, match="same rows"):
        judged("accuracy", champion, subset(challenger, slice(0, 500)))
    with pytest.raises(ValueError, match="same rows"):
        judged(
            "accuracy", champion, dataclasses.replace(challenger, blocks=challenger.blocks[::-1])
        )


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_the_verdict_says_what_the_interval_shows(data):
    size = data.draw(st.integers(0, 40))
    bits = st.lists(st.integers(0, 1), min_size=size, max_size=size)
    blocks = np.array(
        data.draw(st.lists(st.integers(0, 7), min_size=size, max_size=size)), dtype=int
    )
    models = [
        Predictions(np.array(data.draw(bits), int), np.array(data.draw(bits), int), None, blocks, 2)
        for _ in "ab"
    ]
    models[1] = dataclasses.replace(models[1], truth=models[0].truth)
    name = data.draw(st.sampled_from(["accuracy", "f1", "matthews_corrcoef"]))
    result = judged(name, *models, min_rows=20)
    if result.interval is None:
        assert result.verdict == "not_enough_evidence"
        return
    low, high = result.interval
    assert math.isfinite(low)
    assert math.isfinite(high)
    assert low - 1e-12 <= result.improvement <= high + 1e-12
    assert result.verdict == (
        "better" if low > 0 else "worse" if high < 0 else "not_enough_evidence"
    )
    assert result.verdict == "not_enough_evidence" or (result.blocks >= 5 and result.rows >= 20)


# --- the resampling behind it ---


def test_block_pair_counts_add_up_to_the_auc_of_any_resample():
    model, _ = two_models(blocks=7, rows_per_block=9, seed=6)
    scores = model.probabilities[:, 1].round(1)  # so that scores tie
    counts = pair_counts(model.truth, scores, model.blocks, 7)
    weights = np.array([2, 0, 1, 1, 3, 0, 0])
    rows = np.concatenate(
        [np.flatnonzero(model.blocks == b) for b in range(7) for _ in range(weights[b])]
    )
    pairs = [
        (weights * np.bincount(model.blocks[model.truth == code], minlength=7)).sum()
        for code in (0, 1)
    ]
    assert weights @ counts @ weights / math.prod(pairs) == pytest.approx(
        roc_auc_score(model.truth[rows], scores[rows])
    )


def test_blocks_that_lack_a_class_are_pooled():
    champion, challenger = two_models(blocks=24, rows_per_block=50, gain=0.5, seed=3)
    order = np.argsort(champion.truth, kind="stable")  # now almost every block is of one class
    sorted_models = [
        dataclasses.replace(subset(model, order), blocks=champion.blocks)
        for model in (champion, challenger)
    ]
    result = judged("roc_auc", *sorted_models)
    assert result.improvement == pytest.approx(judged("roc_auc", champion, challenger).improvement)
    assert result.verdict == "better"


def resampled_by_hand(function, model, blocks, times):
    rng = np.random.default_rng(99)
    rows_of = [np.flatnonzero(model.blocks == block) for block in range(blocks)]
    drawn = (
        np.concatenate([rows_of[block] for block in rng.integers(0, blocks, blocks)])
        for _ in range(times)
    )
    return np.std([function(rows) for rows in drawn]) * math.sqrt(blocks / (blocks - 1))


def test_bootstrap_error_is_that_of_resampling_whole_blocks_row_by_row():
    model, _ = two_models(blocks=15, rows_per_block=40, correlation=0.1, seed=5)
    by_hand = resampled_by_hand(
        lambda rows: f1_score(model.truth[rows], model.predicted[rows]), model, 15, 150
    )
    assert bootstrap_error(metric("f1"), [model], model.blocks, seed=0) == pytest.approx(
        by_hand, rel=0.25
    )
    by_hand = resampled_by_hand(
        lambda rows: roc_auc_score(model.truth[rows], model.probabilities[rows, 1]), model, 15, 150
    )
    assert bootstrap_error(metric("roc_auc"), [model], model.blocks, seed=0) == pytest.approx(
        by_hand, rel=0.25
    )


def test_bootstrap_error_of_a_few_blocks_is_that_of_the_closed_form():
    pair = two_models(blocks=6, rows_per_block=50, correlation=0.2, seed=1)
    gains = (pair[1].predicted == pair[1].truth).astype(float) - (
        pair[0].predicted == pair[0].truth
    )
    # micro-averaged F1 of single labels is accuracy, by another road
    found = bootstrap_error(metric("f1_micro"), pair, pair[0].blocks, seed=0)
    assert found == pytest.approx(mean_error(gains, pair[0].blocks), rel=0.04)


def test_jackknife_and_bootstrap_agree():
    pair = two_models(blocks=30, rows_per_block=50, correlation=0.1, seed=5)
    by_bootstrap = bootstrap_error(metric("roc_auc"), pair, pair[0].blocks, seed=0)
    assert jackknife_error(metric("roc_auc"), pair, pair[0].blocks) == pytest.approx(
        by_bootstrap, rel=0.1
    )


def test_thousands_of_blocks_are_joined_with_their_neighbours():
    joined, count = join_neighbours(np.arange(1001), 200)
    assert (count, joined.min(), joined.max()) == (200, 0, 199)
    assert set(np.bincount(joined)) == {5, 6}
    assert (np.diff(joined) >= 0).all()


def test_block_numbers_need_not_be_neighbours():
    champion, challenger = two_models(gain=0.2)
    spaced = [
        dataclasses.replace(model, blocks=model.blocks * 1000 - 7)
        for model in (champion, challenger)
    ]
    assert judged("f1", *spaced) == judged("f1", champion, challenger)


# --- one model's interval ---


@pytest.mark.parametrize("name", [*KINDS, "matthews_corrcoef"])
def test_the_interval_of_a_score_holds_the_score(name):
    model, _ = two_models()
    low, high = score_interval(metric(name), model, 0.95)
    assert low < score(metric(name), model) < high


def test_an_interval_stays_within_what_the_metric_can_be_and_never_claims_perfection():
    blocks = np.repeat(np.arange(6), 20)
    low, high = score_interval(ACCURACY, answers(np.ones(120), blocks), 0.95)
    assert high == 1
    assert 0.9 < low < 0.99
    assert score_interval(metric("error_rate"), answers(np.ones(120), blocks), 0.95)[0] == 0


def test_four_blocks_have_no_score_interval():
    model, _ = two_models(blocks=4)
    assert score_interval(ACCURACY, model, 0.95) is None
    assert estimate(ACCURACY, model).standard_error > 0


def test_higher_confidence_is_a_wider_interval():
    pair = two_models()
    widths = [
        np.diff(judged("f1", *pair, confidence=level).interval)[0]
        for level in (0.5, 0.9, 0.95, 0.999999)
    ]
    assert widths == sorted(widths)
    assert np.isfinite(widths).all()


@pytest.mark.parametrize(
    ("name", "correlation"), [("accuracy", 0.0), ("accuracy", 0.06), ("f1", 0.06)]
)
def test_intervals_of_equal_models_hold_zero_as_often_as_they_say(name, correlation):
    held = sum(
        judged(name, *two_models(12, 50, correlation=correlation, seed=seed)).verdict
        == "not_enough_evidence"
        for seed in range(60)
    )
    assert held >= 50  # 95 % of 60 is 57; fewer than 50 happen in one of two thousand series


# --- alpha spent over attempts ---


def test_spent_alpha_adds_up_to_alpha():
    shares = [spent_alpha(0.05, attempt) for attempt in range(1, 20001)]
    assert shares[0] == pytest.approx(0.05 * 0.6079271018540267)  # 6 over pi squared
    assert sum(shares) == pytest.approx(0.05, rel=1e-4)
    assert sum(shares) < 0.05


def test_attempts_are_counted_from_one():
    with pytest.raises(ValueError, match="counted from 1"):
        spent_alpha(0.05, 0)


def test_improvement_of_an_error_rate_is_what_it_falls_by():
    champion, challenger = two_models(gain=0.3)
    fallen = estimate_improvement(metric("error_rate"), champion, challenger)
    gained = estimate_improvement(ACCURACY, champion, challenger)
    assert fallen.value == pytest.approx(gained.value)
    assert fallen.standard_error == pytest.approx(gained.standard_error)
