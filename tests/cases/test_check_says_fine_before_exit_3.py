"""`check` reads what waits as the dry run does, and ends with the code that the cycle would end
with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from retraining.commands import waiting_files
from tests.projects import Project, table, tables

if TYPE_CHECKING:
    from pathlib import Path


def words_of(seed: int) -> str:
    """A table whose label is a word."""
    head, *rows = table(seed=seed).splitlines()
    named = [row[:-1] + {"0": "no", "1": "yes"}[row[-1]] for row in rows]
    return "\n".join([head, *named]) + "\n"


@pytest.fixture
def words(tmp_path: Path, empty_store: Path) -> Project:
    made = Project.made(tmp_path / "words")
    made.deliver(*(words_of(seed) for seed in range(8)), to="used_data", age=7200)
    made.take_store(empty_store)
    made.register()
    return made


def problems(project: Project, code: int) -> list[dict[str, str]]:
    found: list[dict[str, str]] = project.start("check", "--json").expect(code).json["problems"]
    return found


def test_a_class_never_seen_in_two_files_is_found_before_the_cycle_ends_with_3(
    words: Project,
) -> None:
    texts = [words_of(seed) for seed in range(10, 14)]
    words.deliver(*texts[:2], *(text.replace("yes", "yes.") for text in texts[2:]))
    (problem,) = problems(words, 3)
    assert (
        "2 files bring a class of 'target' that the production version has never seen"
        in problem["what"]
    )
    assert "'yes.'" in problem["what"]
    assert words.start("run").expect(3).error[0] == problem["what"]
    assert len(words.names("new_data")) == 4


def test_every_waiting_file_refused_is_found_and_nothing_is_moved(registered: Project) -> None:
    registered.deliver("speed,load\n1,2\n", "speed,load\n2,3\n", "speed,load\n3,4\n")
    (problem,) = problems(registered, 3)
    assert "Every file that waited" in problem["what"]
    assert len(registered.names("new_data")) == 3
    assert not (registered.folder / "quarantine").exists()
    assert registered.start("run").expect(3)


def test_one_bad_file_among_good_ones_is_a_warning_with_its_reason(registered: Project) -> None:
    registered.deliver(*tables(3, seed=2))
    registered.put("odd.csv", "speed,load\n1,2\n")
    (problem,) = problems(registered, 0)
    assert "1 waiting file would be refused: odd.csv: " in problem["what"]


def test_behind_a_closed_gate_it_is_a_warning_for_the_cycle_would_end_with_0(
    registered: Project,
) -> None:
    registered.put("odd.csv", "speed,load\n1,2\n")
    (problem,) = problems(registered, 0)
    assert problem["what"].startswith("Once the gate opens: ")
    assert registered.start("run").expect(0)


def test_what_was_not_read_in_time_is_said(
    registered: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    registered.deliver(*tables(4, seed=2))
    monkeypatch.setattr(waiting_files, "SECONDS", 0.0)
    (problem,) = problems(registered, 0)
    assert problem["what"].startswith("4 of 4 waiting files were not read within 0 s: ")
    assert "run --dry-run" in problem["try"]


def test_a_sound_inbox_is_no_problem(registered: Project) -> None:
    registered.deliver(*tables(4, seed=2))
    assert problems(registered, 0) == []
