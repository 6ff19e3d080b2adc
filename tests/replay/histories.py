"""Histories with a known concept, and a recipe that fits in milliseconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from tests.projects import Project

if TYPE_CHECKING:
    from pathlib import Path

NUMBERS_ONLY = """
from sklearn.tree import DecisionTreeClassifier

def train_model(X_train, y_train):
    return DecisionTreeClassifier(max_depth=4, random_state=0).fit(X_train, y_train)
"""


def drifting(rows: int, *, turn_at: float = 0.5, seed: int = 0) -> pd.DataFrame:
    """Two numbers and a label that follows the first of them, and from some share of the rows on
    the second; one row in twenty is wrong.
    """
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(rng.normal(size=(rows, 2)).round(4), columns=["speed", "load"])
    turned = np.arange(rows) >= turn_at * rows
    label = np.where(turned, table["load"], table["speed"]) > 0
    table["target"] = (label ^ (rng.random(rows) < 0.05)).astype(int)
    return table


@dataclass(frozen=True)
class Replaying:
    """A project with a quick recipe, and a stream as a file beside it."""

    project: Project
    stream: Path
    more: tuple[Path, ...] = ()

    def replay(self, *words: str, **environment: str) -> dict[str, list[dict[str, object]]]:
        """Play the stream in small cycles; what `--json` prints."""
        sizes = ("--rows-per-cycle", "60", "--files-per-cycle", "10", "--initial-rows", "120")
        told = (
            self.project.start(
                "replay",
                *map(str, (self.stream, *self.more)),
                *sizes,
                "--json",
                *words,
                **environment,
            )
            .expect(0)
            .json
        )
        return dict(told)


def made(
    folder: Path, table: pd.DataFrame, recipe: str = NUMBERS_ONLY, **settings: str
) -> Replaying:
    """A project whose recipe is quick, and the table as one CSV."""
    project = Project.made(folder / "project", **settings)
    (project.folder / "train_classification_model.py").write_text(recipe)
    stream = folder / "stream.csv"
    table.to_csv(stream, index=False)
    return Replaying(project, stream)
