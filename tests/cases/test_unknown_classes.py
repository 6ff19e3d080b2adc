"""Eight classes that production does not know, delivered in two files: a person must read all of
them at once.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from tests.projects import REGISTER, Project

if TYPE_CHECKING:
    from pathlib import Path


def labelled_table(classes: list[str], seed: int) -> str:
    rng = random.Random(seed)
    lines = ["a,b,target"]
    for row in range(90):
        lines.append(f"{rng.random():.4f},{rng.random():.4f},{classes[row % len(classes)]}")
    return "\n".join(lines) + "\n"


def delivered(folder: Path, empty_store: Path, new_classes: list[str]) -> Project:
    """A project that knows the classes k1 and k2, and two files with k1 and the new ones in its
    inbox.
    """
    project = Project.made(folder, MIN_NEW_FILES="2")
    known = [labelled_table(["k1", "k2"], seed) for seed in range(10)]
    project.deliver(*known, to="used_data", age=7200)
    project.take_store(empty_store)
    project.start("--train-from", "used_data", "--set-alias", script=REGISTER).expect(0)
    for number in range(2):
        text = labelled_table(["k1", *new_classes], seed=100 + number)
        project.put(f"n{number}.csv", text, age=60 - number)
    return project


def test_all_eight_are_named_with_the_first_file_and_row_of_each(
    tmp_path: Path, empty_store: Path
) -> None:
    new = [f"n{number}" for number in range(8)]
    project = delivered(tmp_path / "project", empty_store, new)
    failed = project.start("run").expect(3)
    for number, name in enumerate(new):
        row, line = number + 2, number + 3
        told = f"'{name}' in 20 rows (first in n0.csv, row {row} (line {line}))"
        assert told in failed.error[0]
    assert project.names("new_data") == {"n0.csv", "n1.csv"}


def test_a_class_in_another_spelling_is_told_apart_from_a_new_one(
    tmp_path: Path, empty_store: Path
) -> None:
    project = delivered(tmp_path / "project", empty_store, ["K2.", "k3"])
    told = project.start("run").expect(3).error[0]
    assert "'K2.' in 60 rows (first in n0.csv, row 2 (line 3); another spelling of 'k2'?)" in told
    assert "'k3' in 60 rows (first in n0.csv, row 3 (line 4))" in told
