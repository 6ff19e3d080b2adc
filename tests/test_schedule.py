"""RETRAIN_SCHEDULE, which nobody reads, is answered with the crontab line that means it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from retraining.commands.schedule import answer_a_schedule, as_crontab_fields
from retraining.settings import load

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("0 2 * * *", "0 2 * * *"), ("*/15  *  * * MON-FRI", "*/15 * * * MON-FRI"),
        ("@daily", "17 2 * * *"), ("weekly", "17 2 * * 0"), ("03:30", "30 3 * * *"),
        ("every 6 hours", "17 */6 * * *"), ("6h", "17 */6 * * *"),
        ("25:00", None), ("when I like", None), ("0 2 * *", None),
    ],
)  # fmt: skip
def test_a_schedule_becomes_the_five_fields_that_mean_it(text: str, fields: str | None) -> None:
    assert as_crontab_fields(text) == fields


def test_check_answers_with_the_whole_line(tmp_path: Path) -> None:
    folder = tmp_path / "100%"
    folder.mkdir()
    (folder / ".env").write_text("RETRAIN_SCHEDULE=03:30\n")
    (found,) = answer_a_schedule(load(folder))
    assert found.code == 0
    assert "`crontab -e`, and this line: 30 3 * * *  " in found.remedy
    assert found.remedy.endswith(r"100\%' -q") or found.remedy.endswith(r"100\% -q")


def test_without_that_name_there_is_nothing_to_answer(tmp_path: Path) -> None:
    assert list(answer_a_schedule(load(tmp_path))) == []
