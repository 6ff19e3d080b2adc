"""Several things in one line."""

from __future__ import annotations

from retraining.phrases import first_few


def test_a_list_that_is_cut_says_how_many_more_there_are() -> None:
    assert first_few(["a", "b", "c"], 3) == "a, b, c"
    assert first_few(["a", "b", "c"], 2) == "a, b and 1 more"
    assert first_few(map(str, range(3000)), 1) == "0 and 2,999 more"
    assert first_few([], 2) == ""
