"""The corpus: every file is read as exactly these rows, or refused with a reason that a person can
act on.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from retraining.errors import UnreadableFileError
from tests.datasets.corpus import CASES, OTHER_COLUMNS, Case
from tests.datasets.files import put, rows_of, store

if TYPE_CHECKING:
    from pathlib import Path

ACCEPTED = [case for case in (*CASES, *OTHER_COLUMNS) if case.rows is not None]
REFUSED = [case for case in CASES if case.rows is None]


@pytest.mark.parametrize("case", ACCEPTED, ids=lambda case: case.title)
def test_an_accepted_file_is_read_as_exactly_what_it_says(case: Case, tmp_path: Path) -> None:
    file, tables = put(tmp_path, case.content, case.name), store(tmp_path, **case.settings)
    facts = tables.validate(file, case.schema)
    rows = rows_of(tables.table(file, case.schema), case.schema)
    # repr: -0.0 is not 0.0, nor 1 True
    assert [repr(row) for row in rows] == [repr(row) for row in case.rows or ()]
    assert facts == tables.validate(file, case.schema), "the columnar copy must tell the same"
    assert (facts.rows, dict(facts.unknown_labels)) == (len(rows), {})
    assert {name: getattr(facts, name) for name in case.facts} == case.facts
    if "extra_columns" not in case.facts and "extra" not in case.title:
        assert facts.extra_columns == ()


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.title)
def test_a_refused_file_gets_a_reason_that_names_the_place_and_leaves_nothing_behind(
    case: Case, tmp_path: Path
) -> None:
    tables = store(tmp_path, **case.settings)
    with pytest.raises(UnreadableFileError) as refusal:
        tables.validate(put(tmp_path, case.content, case.name), case.schema)
    reason = str(refusal.value)
    assert [word for word in case.refused if word not in reason] == [], reason
    assert len(reason) < 500, reason
    assert reason.isprintable()
    assert not re.search(r"Error|Arrow", reason), "words of ours, not of a library"
    assert list(tmp_path.rglob("*.tmp")) == []


def test_the_corpus_is_large_and_its_titles_differ() -> None:
    assert len({case.title for case in CASES}) == len(CASES) > 200
