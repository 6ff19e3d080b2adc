"""One value, written in two ways."""

from __future__ import annotations

import pytest

from retraining.datasets import known_by_spelling, spelling_key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1", "1.0"),
        ("1", "01"),
        ("-3", "-3.00"),
        ("yes", "Yes "),
        ("<=50K", "<=50K."),
        (" New  York", "new york"),
        ("0", "000"),
    ],
)
def test_two_spellings_of_a_value_have_the_same_key(one: str, other: str) -> None:
    assert spelling_key(one) == spelling_key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("1", "10"), ("1", "-1"), ("1.5", "1"), ("yes", "yess"), ("<=50K", ">50K"), (".", "")],
)
def test_two_values_have_two_keys(one: str, other: str) -> None:
    assert spelling_key(one) != spelling_key(other)


def test_of_two_known_spellings_the_first_is_named() -> None:
    assert known_by_spelling(["yes", "Yes", "no"]) == {"yes": "yes", "no": "no"}
