"""A mistyped --project, and a command line that is refused, leave nothing behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.projects import Project

if TYPE_CHECKING:
    from pathlib import Path

COMMANDS = (
    ["run"],
    ["run", "--dry-run"],
    ["status"],
    ["history"],
    ["explain"],
    ["check"],
    ["monitor"],
    ["approve"],
    ["rollback"],
    ["requeue", "--all"],
)


@pytest.mark.parametrize("words", COMMANDS)
def test_a_folder_that_is_no_project_is_refused_and_stays_as_it_was(
    tmp_path: Path, words: list[str]
) -> None:
    wrong = Project(tmp_path / "wrong")
    wrong.folder.mkdir()
    (wrong.folder / "letter.txt").write_text("no data")
    ended = wrong.start(*words).expect(2)
    if words != ["check"]:
        assert "is no project: it has neither .env nor new_data/" in ended.error[0]
    assert [path.name for path in wrong.folder.iterdir()] == ["letter.txt"]


def test_an_inbox_that_was_taken_away_is_no_mistyped_project(registered: Project) -> None:
    (registered.folder / "new_data").rmdir()
    assert "new_data" in registered.start("run").expect(3).error[0]


def test_a_refused_init_leaves_neither_folder_nor_notes(tmp_path: Path) -> None:
    new = Project(tmp_path / "new")
    new.start("init", str(new.folder), str(tmp_path / "none.csv")).expect(2)
    assert not new.folder.exists()
