"""Settings that name columns and classes are compared with production's: a name that is nowhere is
an error with the nearest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from retraining.cycle.fitting_settings import problems_of_names
from retraining.records import Column, Schema
from retraining.settings import load

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = Schema(
    columns=(Column("speed", "number"), Column("City", "string")),
    target="target",
    label_kind="string",
    classes=("no", "yes"),
    positive_class="yes",
    ignored=("record_id",),
)


def problems(folder: Path, **environment: str) -> tuple[str, ...]:
    return problems_of_names(load(folder, environment), SCHEMA, 7)


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"SLICE_COLUMNS": "city"},
         "SLICE_COLUMNS: 'city' is no column of v7; did you mean 'City'?"),
        ({"SLICE_COLUMNS": "frobnicate"}, "SLICE_COLUMNS: 'frobnicate' is no column of v7"),
        ({"IGNORE_COLUMNS": "recordid"},
         "IGNORE_COLUMNS: 'recordid' is no column of v7; did you mean 'record_id'?"),
        ({"POSITIVE_CLASS": "Yes"}, "POSITIVE_CLASS: 'Yes' is no class of v7; did you mean 'yes'?"),
        ({"TARGET_COLUMN": "label"}, "TARGET_COLUMN: 'label', but v7 predicts 'target'"),
    ],
)  # fmt: skip
def test_a_name_that_is_nowhere_is_a_problem_with_the_nearest(
    tmp_path: Path, environment: dict[str, str], said: str
) -> None:
    assert problems(tmp_path, **environment) == (said,)


def test_a_slice_of_an_ignored_column_is_a_problem_for_nothing_would_be_compared(
    tmp_path: Path,
) -> None:
    (said,) = problems(tmp_path, SLICE_COLUMNS="record_id")
    assert "is ignored by v7" in said


def test_settings_that_fit_say_nothing(tmp_path: Path) -> None:
    fitting = {"SLICE_COLUMNS": "City", "IGNORE_COLUMNS": "record_id", "POSITIVE_CLASS": "yes"}
    assert problems(tmp_path, **fitting) == ()
