"""Fleets for tests: copies of a project that is ready, and `fleet` started on them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from retraining.settings import RECIPE_NAME
from tests.projects import CLONE, ORCHESTRATOR, Finished, Project, environment_of_cron, tables

if TYPE_CHECKING:
    from pathlib import Path

KEYS_OF_CHANCE = {"cycle_id", "run_id", "run_url", "seconds", "project"}
QUICK_RECIPE = """
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier

def train_model(X_train, y_train):
    numbers = make_column_transformer(("passthrough", make_column_selector(dtype_include="number")))
    tree = DecisionTreeClassifier(max_depth=3, random_state=0)
    return make_pipeline(numbers, tree).fit(X_train, y_train)
"""


def ready_project(folder: Path, empty_store: Path) -> Project:
    """A project with version 1 in production, whose last start ended well."""
    made = Project.made(folder)
    (folder / RECIPE_NAME).write_text(QUICK_RECIPE)
    made.deliver(*tables(12, seed=1), to="used_data", age=7200)
    made.take_store(empty_store)
    made.register()
    assert made.cycle()["ending"] == "unchanged"
    return made


@dataclass(frozen=True)
class Maker:
    """Makes copies of a ready project with files that open the gate, or too few."""

    ready: Project
    folder: Path

    def __call__(
        self, name: str, *, opens: bool = True, recipe: str | None = None, **more: str
    ) -> Project:
        made = Project(self.folder / name, dict(self.ready.settings))
        shutil.copytree(self.ready.folder, made.folder)
        made.configure(**more)
        if recipe is not None:
            (made.folder / RECIPE_NAME).write_text(recipe)
        made.deliver(*tables(3 if opens else 1, seed=5, rows=400, turned=True))
        return made


def fleet_command(*words: str) -> list[str]:
    return [sys.executable, str(CLONE / ORCHESTRATOR), "fleet", *words]


def fleet(*words: str, **environment: str) -> Finished:
    done = subprocess.run(
        fleet_command(*words),
        cwd="/",
        env={**environment_of_cron(CLONE), **environment},
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    return Finished(done.returncode, done.stdout, done.stderr)


def lasting(cycle: dict[str, Any]) -> dict[str, Any]:
    """A cycle's object without what differs by chance."""
    return {key: value for key, value in cycle.items() if key not in KEYS_OF_CHANCE}
