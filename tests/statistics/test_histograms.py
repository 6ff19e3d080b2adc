"""Histograms by block: every row is in exactly one bin, and what moves can be seen to move."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from retraining.statistics import (
    CategoryBins,
    NumberBins,
    category_bins,
    category_codes,
    category_histograms,
    number_bins,
    number_histograms,
)
from retraining.statistics.histograms import MOST_CATEGORIES


def one_block(values, bins):
    values = np.asarray(values, float)
    return number_histograms(values, bins, np.zeros(values.size, int), 1)[0]


def test_bins_hold_equal_shares_of_what_they_were_made_from():
    values = np.random.default_rng(0).normal(size=10_000)
    counts = one_block(values, number_bins(values))
    assert counts.size == 11
    assert counts[-1] == 0
    assert np.abs(counts[:-1] - 1000).max() <= 1


@given(arrays(float, st.integers(1, 30), elements=st.floats(allow_infinity=False)), st.data())
@settings(max_examples=100, deadline=None)
def test_every_row_is_in_exactly_one_bin_of_its_block(values, data):
    bins = number_bins(
        np.array(data.draw(st.lists(st.floats(allow_infinity=False), max_size=20)), float)
    )
    blocks = np.array(
        data.draw(st.lists(st.integers(0, 2), min_size=values.size, max_size=values.size)), int
    )
    counts = number_histograms(values, bins, blocks, 3)
    assert counts.shape == (3, bins.count)
    assert list(counts.sum(axis=1)) == list(np.bincount(blocks, minlength=3))
    assert counts[:, -1].sum() == np.isnan(values).sum()


def test_counts_equal_numpy_histogram():
    rng = np.random.default_rng(1)
    values = rng.normal(size=500)
    bins = number_bins(values)
    expected, _ = np.histogram(values, [-np.inf, *bins.edges, np.inf])
    assert list(one_block(values, bins)[:-1]) == list(expected)


@pytest.mark.parametrize(
    ("reference", "moved"),
    [
        ([3.0] * 50, [4.0] * 50),  # a constant that changes
        ([3.0] * 50, [2.0] * 50),
        # zero in most rows, and now just above
        ([0.0] * 45 + [1.0, 2.0, 3.0, 4.0, 5.0], [0.1] * 50),
        ([0.0, 1.0] * 25, [1.0] * 50),
        ([1.0] * 50, [float("nan")] * 50),
    ],
)
def test_a_value_that_many_rows_share_shows_when_it_moves(reference, moved):
    bins = number_bins(np.array(reference))
    before, after = one_block(reference, bins), one_block(moved, bins)
    assert np.abs(before - after).sum() / 2 >= 25


def test_a_column_without_a_number_has_bins_all_the_same():
    bins = number_bins(np.full(5, np.nan))
    assert bins == NumberBins(())
    assert list(one_block([np.nan, 1.0], bins)) == [1, 1]


def test_the_largest_number_there_is_makes_bins_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        bins = number_bins(np.full(9, np.finfo(float).max))
    assert one_block([0.0, np.finfo(float).max], bins).tolist() == [1, 1, 0, 0]


def test_categories_have_a_bin_each_and_others_and_missing_one():
    bins = category_bins(["a", "b"], [10, 90])
    codes = category_codes(["b", None, "new", "a", "b"], bins)
    counts = category_histograms(codes, bins, np.array([0, 0, 0, 1, 1]), 2)
    assert counts.tolist() == [[0, 1, 1, 1], [1, 1, 0, 0]]


def test_rare_categories_share_the_bin_of_the_others():
    names = [f"c{i:02}" for i in range(50)]
    bins = category_bins(names, list(range(50)))
    assert bins == CategoryBins(tuple(names[-MOST_CATEGORIES:]))
    assert category_codes(["c00", "c49"], bins).tolist() == [MOST_CATEGORIES, MOST_CATEGORIES - 1]
