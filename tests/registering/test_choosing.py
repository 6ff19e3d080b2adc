"""Which columns a registration over the whole archive learns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.projects import REGISTER, Project, tables

if TYPE_CHECKING:
    from pathlib import Path

WITHOUT_IT = "column 'wind' is not learned: production ignored it, and 6 of 18 files have it"


def with_wind(text: str) -> str:
    head, *rows = text.splitlines()
    return "\n".join([f"wind,{head}", *(f"3,{row}" for row in rows)]) + "\n"


def test_a_column_that_a_cycle_ignored_in_some_files_does_not_stop_a_registration(
    registered: Project,
) -> None:
    texts = [with_wind(text) for text in tables(6, seed=2, rows=120, turned=True)]
    registered.deliver(*texts)
    assert registered.cycle()["ending"] == "promoted"
    registered.configure(HOLDOUT_FRACTION="0.3")
    again = registered.start("--train-from", "used_data", script=REGISTER).expect(0)
    assert WITHOUT_IT in again.err
    assert "Columns: 2 number (speed, load); 1 string (city)" in again.out


@pytest.fixture
def nothing_registered(tmp_path: Path, empty_store: Path) -> Project:
    made = Project.made(tmp_path / "project")
    made.take_store(empty_store)
    return made


def test_without_a_production_that_ignored_it_such_a_column_is_a_persons_choice(
    nothing_registered: Project,
) -> None:
    texts = tables(4, seed=1)
    nothing_registered.deliver(*texts[:3], with_wind(texts[3]), to="used_data", age=7200)
    failed = nothing_registered.start("--train-from", "used_data", script=REGISTER).expect(3)
    assert "it has also 'wind'" in failed.error[0]
