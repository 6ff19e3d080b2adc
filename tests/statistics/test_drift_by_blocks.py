"""Drift: equal to published procedures where they apply, silent without drift, awake with it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from retraining.statistics import (
    benjamini_hochberg,
    drift,
    expected_psi,
    number_bins,
    number_histograms,
)
from retraining.statistics.permutation import (
    distance,
    effective_rows,
    intraclass_correlation,
    permuted_distances,
    random_labellings,
    run_length,
    side_of,
)
from tests.statistics.samples import alike


def histograms(rng, blocks, rows, *, correlation=0.0, shift=0.0, bins):
    values, block = alike(blocks, rows, correlation, rng)
    return number_histograms(values + shift, bins, block, blocks)


NORMAL_BINS = number_bins(np.random.default_rng(0).normal(size=20_000))


def windows(seed, features=15, shift=0.0, reference=(20, 100), current=(15, 100), correlation=0.0):
    rng = np.random.default_rng(seed)
    before = {
        f"x{i}": histograms(rng, *reference, correlation=correlation, bins=NORMAL_BINS)
        for i in range(features)
    }
    after = {
        name: histograms(
            rng,
            *current,
            correlation=correlation,
            shift=shift if name == "x0" else 0.0,
            bins=NORMAL_BINS,
        )
        for name in before
    }
    return before, after


def judged(before, after, threshold=0.1, **options):
    return drift(before, after, threshold=threshold, **options)


def sides(before, after, nominal=False):
    return side_of(before, nominal=nominal), side_of(after, nominal=nominal)


# --- against published procedures ---


def test_benjamini_hochberg_on_the_example_of_its_paper():
    # Benjamini and Hochberg (1995), section 3.2: fifteen p values, of which the first four are
    # rejected at 5 %
    published = [
        .0001, .0004, .0019, .0095, .0201, .0278, .0298, .0344, .0459, .3240,
        .4262, .5719, .6528, .7590, 1.0,
    ]  # fmt: skip
    assert [q <= 0.05 for q in benjamini_hochberg(published)] == [True] * 4 + [False] * 11


@given(st.lists(st.floats(0, 1), max_size=20))
def test_benjamini_hochberg_equals_scipy(p_values):
    expected = stats.false_discovery_control(p_values) if p_values else []
    assert benjamini_hochberg(p_values) == pytest.approx(tuple(expected), abs=1e-12)


def test_distance_is_the_kolmogorov_smirnov_distance_of_binned_values():
    rng = np.random.default_rng(3)
    places = [rng.integers(0, 10, 300), rng.integers(2, 11, 200)]
    before, after = (np.bincount(place, minlength=11)[None, :] for place in places)
    (found,) = judged({"x": before}, {"x": after})
    assert found.distance == pytest.approx(stats.ks_2samp(*places).statistic)


def test_distance_of_unordered_bins_is_total_variation():
    before, after = {"x": np.array([[50, 30, 20]])}, {"x": np.array([[20, 30, 50]])}
    assert judged(before, after, nominal={"x"})[0].distance == pytest.approx(0.3)


@pytest.mark.parametrize("nominal", [False, True])
def test_p_with_blocks_of_one_size_is_that_of_scipys_permutation_test(nominal):
    rng = np.random.default_rng(7)
    before = histograms(rng, 6, 40, correlation=0.1, bins=NORMAL_BINS)
    after = histograms(rng, 5, 40, correlation=0.1, shift=0.35, bins=NORMAL_BINS)

    def moved(reference, current, axis):
        difference = (current.mean(axis=axis) - reference.mean(axis=axis)) / 40
        if nominal:
            return np.abs(difference).sum(axis=-1) / 2
        return np.abs(np.cumsum(difference, axis=-1)).max(axis=-1)

    everything = np.concatenate([before, after])
    every = stats.permutation_test(
        (np.arange(6), np.arange(6, 11)),
        lambda x, y, axis: moved(everything[x], everything[y], -2),
        vectorized=True, axis=-1, alternative="greater", n_resamples=np.inf,
    )  # fmt: skip
    two = sides(before, after, nominal)
    labels = random_labellings(11, 1, 20_000, seed=0)
    found = permuted_distances(two, intraclass_correlation(two), labels, nominal=nominal)
    observed = distance(two[1].pooled - two[0].pooled, nominal=nominal)
    assert observed == pytest.approx(every.statistic)
    assert (found >= observed - 1e-9).mean() == pytest.approx(every.pvalue, abs=0.01)


@pytest.mark.parametrize(
    ("reference", "current", "correlation_of_rows"),
    [
        ((20, 500), (15, 500), 0.0),
        ((20, 1000), (15, 7), 0.0),
        ((10, 20), (15, 500), 0.0),
        ((20, 1000), (15, 7), 0.3),
    ],
)
def test_permuted_distances_are_as_large_as_those_of_real_windows_without_drift(
    reference, current, correlation_of_rows
):
    observed, permuted = [], []
    for seed in range(150):
        before, after = windows(
            seed, 1, reference=reference, current=current, correlation=correlation_of_rows
        )
        two = sides(before["x0"], after["x0"])
        labels = random_labellings(reference[0] + current[0], 1, 50, seed=seed)
        observed.append(distance(two[1].pooled - two[0].pooled, nominal=False))
        permuted.append(
            permuted_distances(two, intraclass_correlation(two), labels, nominal=False).mean()
        )
    assert np.mean(permuted) == pytest.approx(np.mean(observed), rel=0.1)


@pytest.mark.parametrize("share", [0.0, 0.02, 0.3])
def test_the_intraclass_correlation_is_what_the_rows_were_drawn_with(share):
    rng = np.random.default_rng(1)
    side = histograms(
        rng, 4000, 50, correlation=share, bins=number_bins(np.array([-0.01, 0.0, 0.01]), 2)
    )
    # two halves of a normal that correlates by r agree with correlation 2 asin(r) / pi (Sheppard,
    # 1899)
    assert intraclass_correlation(sides(side[:2500], side[2500:])) == pytest.approx(
        2 * np.arcsin(share) / np.pi, abs=0.015
    )


def test_rows_alike_within_blocks_count_for_less():
    side = side_of(np.array([[50, 50]] * 10), nominal=True)
    assert effective_rows(side, 0.0) == pytest.approx(1000)
    assert effective_rows(side, 1.0) == pytest.approx(10)
    assert effective_rows(side, 3 / 99) == pytest.approx(250)  # design effect 4


@pytest.mark.parametrize("rows", [100, 500, 5000])
def test_psi_without_drift_has_the_published_mean(rows):
    rng = np.random.default_rng(rows)
    found = []
    for _ in range(200):
        before, after = (rng.multinomial(size, [0.1] * 10)[None, :] for size in (20_000, rows))
        found.append(judged({"x": before}, {"x": after})[0])
    # half a row added to each bin shrinks small samples' PSI a little
    assert np.mean([result.psi for result in found]) == pytest.approx(
        expected_psi(10, 20_000, rows), rel=0.15
    )
    assert abs(np.mean([result.psi_corrected for result in found])) < 0.01


def test_psi_with_rows_alike_is_corrected_by_what_the_blocks_are_worth():
    corrected, plain = [], []
    for seed in range(20):
        before, after = windows(seed, features=3, correlation=0.1)
        results = judged(before, after)
        corrected += [result.psi_corrected for result in results]
        plain += [result.psi - expected_psi(10, 2000, 1500) for result in results]
    assert abs(np.mean(corrected)) < 0.02
    assert np.mean(plain) > 2 * abs(np.mean(corrected))


# --- what is detected ---


def test_a_large_move_is_detected_and_material_and_the_rest_is_neither():
    results = judged(*windows(1, shift=0.5))
    assert [result.name for result in results] == [f"x{i}" for i in range(15)]
    assert (results[0].detected, results[0].material) == (True, True)
    assert results[0].psi_corrected >= 0.1
    assert not any(result.detected or result.material for result in results[1:])


def test_a_small_but_certain_move_is_detected_and_not_material():
    (result,) = judged(*windows(1, features=1, shift=0.1, reference=(40, 2000), current=(20, 2000)))
    assert (result.detected, result.material) == (True, False)


def test_a_large_move_that_may_be_chance_is_not_material():
    before, after = windows(6, features=1, reference=(10, 20), current=(4, 20), correlation=0.6)
    (result,) = judged(before, after, threshold=-1.0)
    assert result.psi > 0.1
    assert result.psi_corrected > -1
    assert (result.detected, result.material) == (False, False)


def test_a_move_is_material_by_its_corrected_psi():
    before, after = windows(1, features=1, shift=0.5, current=(15, 10))
    (result,) = judged(before, after)
    assert result.detected
    between = (result.psi + result.psi_corrected) / 2
    assert result.psi_corrected < between < result.psi
    assert not judged(before, after, threshold=between)[0].material
    assert judged(before, after, threshold=result.psi_corrected)[0].material


def test_under_eight_blocks_there_are_figures_and_no_judgement():
    (result,) = judged(*windows(1, features=1, shift=3.0, reference=(4, 100), current=(3, 100)))
    assert result.distance > 0.8
    assert result.psi > 1
    assert (result.p, result.q, result.detected, result.material) == (None, None, None, None)


def test_a_side_without_rows_is_not_judged():
    before, _ = windows(1, features=1)
    (result,) = judged(before, {"x0": np.zeros((0, 11), int)})
    assert (result.distance, result.psi, result.detected) == (0.0, 0.0, None)
    assert judged(before, {"x0": np.zeros((9, 11), int)})[0].detected is None


def test_blocks_without_rows_change_nothing():
    before, after = windows(2, features=1, shift=0.3)
    padded = {"x0": np.concatenate([after["x0"], np.zeros((3, 11), int)])}
    assert judged(before, padded) == judged(before, after)


def test_a_constant_column_has_not_moved():
    same = np.tile([0, 50, 0, 0], (10, 1))
    (result,) = judged({"x": same}, {"x": same[:8]})
    assert (result.distance, result.p, result.detected) == (0.0, 1.0, False)
    assert result.psi_corrected < 0.1


def test_new_categories_are_detected_and_material():
    before = np.tile([60, 40, 0, 0], (12, 1))
    after = np.tile([30, 30, 40, 0], (12, 1))
    (result,) = judged({"x": before}, {"x": after}, nominal={"x"})
    assert (result.distance, result.detected, result.material) == (pytest.approx(0.4), True, True)


def test_the_same_inputs_give_the_same_result():
    assert judged(*windows(3)) == judged(*windows(3))


def test_different_bins_are_refused_with_the_features_name():
    with pytest.raises(ValueError, match="age: histograms"):
        judged({"age": np.ones((9, 4), int)}, {"age": np.ones((9, 5), int)})


def test_thousands_of_blocks_are_judged_like_a_few():
    (result,) = judged(*windows(1, features=1, shift=0.5, reference=(3000, 5), current=(1500, 5)))
    assert result.detected
    (result,) = judged(*windows(1, features=1, reference=(3000, 5), current=(1500, 5)))
    assert not result.detected


@pytest.mark.parametrize(
    ("reference", "current", "correlation"),
    [
        ((20, 500), (15, 7), 0.0),  # a window of a hundred rows
        ((20, 100), (15, 100), 3 / 99),  # design effect 4
        ((20, 500), (15, 33), 3 / 32),
        ((10, 50), (15, 500), 0.0),
    ],
)
def test_without_drift_few_windows_are_detected_whatever_the_sizes(reference, current, correlation):
    alarms = sum(
        any(
            r.detected
            for r in judged(
                *windows(seed, reference=reference, current=current, correlation=correlation)
            )
        )
        for seed in range(60)
    )
    assert alarms <= 8  # 5 % of 60 is 3; more than 8 happen twice in a thousand


def test_a_fifth_of_a_sigma_is_mostly_detected_in_a_thousand_rows():
    found = sum(
        judged(*windows(seed, shift=0.2, reference=(20, 1000), current=(15, 67)))[0].detected
        for seed in range(15)
    )
    assert found >= 11


# --- blocks that follow each other in time ---


def walk(rng, blocks, correlation):
    level, levels = rng.normal(), []
    for _ in range(blocks):
        level = correlation * level + np.sqrt(1 - correlation**2) * rng.normal()
        levels.append(level)
    values = np.repeat(0.5 * np.array(levels), 40) + rng.normal(size=40 * blocks)
    return number_histograms(values, NORMAL_BINS, np.repeat(np.arange(blocks), 40), blocks)


def test_neighbours_that_are_alike_stay_together():
    rng = np.random.default_rng(4)
    lengths = {}
    for correlation in (0.0, 0.7):
        two = [sides(*np.split(walk(rng, 80, correlation), [60])) for _ in range(10)]
        lengths[correlation] = [run_length(pair, intraclass_correlation(pair)) for pair in two]
    assert np.median(lengths[0.0]) == 1
    assert min(lengths[0.7]) >= 5


def test_runs_move_as_a_whole():
    labels = random_labellings(10, 3, 50, seed=1)
    assert (np.sort(labels, axis=1) == np.arange(10)).all()
    for order in labels:
        for start in (0, 3, 6):
            place = int(np.flatnonzero(order == start)[0])
            assert list(order[place : place + 3]) == [start, start + 1, start + 2]
