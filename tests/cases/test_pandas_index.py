"""Frames of positives and negatives that were put together, shuffled, and written to Parquet with
their index.
"""

from __future__ import annotations

import io
import os
import time
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tests.projects import REGISTER, Project

if TYPE_CHECKING:
    from pathlib import Path


def day(seed: int, *, shuffled: bool) -> pd.DataFrame:
    """200 rows whose label follows `a`, one in five turned round.

    The index tells the side of the concat.
    """
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=200), rng.normal(size=200)
    word = rng.choice(["x", "y"], 200)
    label = ((a > 0) != (rng.random(200) < 0.2)).astype(int)
    rows = pd.DataFrame({"a": a, "b": b, "word": word, "target": label})
    if not shuffled:
        return rows
    sides = [rows[rows["target"] == 1], rows[rows["target"] == 0]]
    return pd.concat(sides, ignore_index=True).sample(frac=1, random_state=seed)


def put(project: Project, folder: str, name: str, frame: pd.DataFrame, age: float) -> None:
    sink = io.BytesIO()
    frame.to_parquet(sink)
    path = project.put(name, sink.getvalue(), to=folder)
    os.utime(path, (time.time() - age,) * 2)


def test_the_index_is_not_learned_and_not_asked_of_later_files(
    tmp_path: Path, empty_store: Path
) -> None:
    project = Project.made(tmp_path / "project", RETRAIN_THRESHOLD="0.5")
    for number in range(10):
        put(project, "used_data", f"u{number}.parquet", day(number, shuffled=True), 7200 - number)
    project.take_store(empty_store)
    words = ("--train-from", "used_data", "--set-alias", "--json")
    told = project.start(*words, script=REGISTER).expect(0).json
    assert 0.65 < told["score"] < 0.85, "0.98 is what a model has that learned the index"
    (remark,) = told["remarks"]
    assert (remark["column"], remark["file"]) == ("__index_level_0__", "u0.parquet")
    assert remark["what"] == "is the index of a pandas frame"

    for number in range(3):
        put(project, "new_data", f"n{number}.parquet", day(50 + number, shuffled=False), 60)
    outcome = project.cycle()
    assert (outcome["ending"], outcome["files"]["quarantined"]) == ("kept", 0)
