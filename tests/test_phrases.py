"""Several things in one line."""

from __future__ import annotations

from retraining.phrases import first_few, in_brackets


def test_a_list_that_is_cut_says_how_many_more_there_are() -> None:
    assert first_few(["a", "b", "c"], 3) == "a, b, c"
    assert first_few(["a", "b", "c"], 2) == "a, b and 1 more"
    assert first_few(map(str, range(3000)), 1) == "0 and 2,999 more"
    assert first_few([], 2) == ""


def test_an_interval_is_shown_with_both_ends_in_one_format() -> None:
    assert in_brackets((-0.01, 0.25)) == "[-0.0100, +0.2500]"
    assert in_brackets((0.8, 0.95), ".2f") == "[0.80, 0.95]"
