"""How labels are coded so that any metric can be taken of them."""

from __future__ import annotations

import numpy as np
import pytest

from retraining.records import Schema
from retraining.scoring import coded, coding


@pytest.mark.parametrize(
    ("positive", "order", "codes"),
    [
        ("no", ("yes", "no"), [1, 0, 1]),  # the positive one of two is 1
        ("yes", ("no", "yes"), [0, 1, 0]),
        (None, ("no", "yes"), [0, 1, 0]),
    ],
)
def test_of_two_classes_the_positive_one_is_coded_1(
    positive: str | None, order: tuple[str, ...], codes: list[int]
) -> None:
    schema = Schema((), "target", "string", ("no", "yes"), positive)
    assert coding(schema) == order
    found = coded(np.array([0, 1, 0], np.int32), schema)  # positions in the schema's classes
    assert found.tolist() == codes
    assert found.dtype == np.int16  # answers on test rows are kept by the million


def test_of_more_classes_each_keeps_its_place() -> None:
    schema = Schema((), "target", "integer", (3, 7, 9), 3)
    assert coded(np.array([2, 0, 1]), schema).tolist() == [2, 0, 1]
