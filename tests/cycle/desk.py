"""A project on a registry in memory: what each phase of a cycle is handed, without MLflow."""

from __future__ import annotations

import copy
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import pipeline_orchestrator
from retraining import registering
from retraining import settings as settings_module
from retraining.cycle.claiming import claim_and_validate
from retraining.cycle.gate import ask_the_gate
from retraining.cycle.job import Job
from retraining.cycle.monitoring import monitor
from retraining.cycle.opening import open_cycle
from retraining.cycle.production import find_production
from retraining.cycle.recovery import finish_what_a_dead_cycle_left
from retraining.folders.local_state import LocalState, ReadOnlyState
from retraining.inbox import Inbox
from retraining.inbox.read_only import ReadOnlyInbox
from retraining.model_registry.dry_run import ReadOnlyRegistry
from retraining.model_registry.memory import MemoryRegistry
from retraining.project import utc_now
from tests.projects import Project, tables

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from retraining.cycle.monitoring import Monitored
    from retraining.cycle.opening import Cycle
    from retraining.cycle.outcome import Ending
    from retraining.model_registry.interface import Registry
    from retraining.records import Outcome, Version

RECIPE = """
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier

def train_model(X_train, y_train):
    numbers = make_column_transformer(("passthrough", make_column_selector(dtype_include="number")))
    tree = DecisionTreeClassifier(max_depth=2, random_state=0)
    return make_pipeline(numbers, tree).fit(X_train, y_train)
"""


@dataclass(frozen=True)
class Desk:
    """A project's folder and its registry."""

    project: Project
    registry: MemoryRegistry

    @classmethod
    def made(cls, folder: Path) -> Desk:
        """Version 1 of twelve archived files serves; the inbox is empty, the recipe quick."""
        project = Project.made(folder, MIN_TEST_ROWS="20")
        (folder / "train_classification_model.py").write_text(RECIPE)
        project.deliver(*tables(12, seed=1), to="used_data", age=7200)
        desk = cls(project, MemoryRegistry())
        job = desk.job()
        request = registering.Request(train_from=job.settings.used_data_dir, set_alias=True)
        registering.register(job, request)
        return desk

    def copied(self, folder: Path) -> Desk:
        """The same once more, in another folder."""
        shutil.copytree(self.project.folder, folder)
        project = Project(folder, dict(self.project.settings))
        return Desk(project, copy.deepcopy(self.registry))

    # --- starts -----------------------------------------------------------------------------------
    def job(self, *, force: bool = False, **settings: str) -> Job:
        """One start, with some settings changed for good."""
        self.project.configure(**settings)
        loaded = settings_module.load(self.project.folder, {})
        state = LocalState(loaded.state_dir)
        inbox = Inbox(loaded, state, durable=False)
        registry = cast("Registry", self.registry)
        return Job(loaded, state, inbox, lambda: registry, utc_now, force=force, shows_pages=False)

    def dry_job(self, **settings: str) -> Job:
        """The same as a dry run."""
        loaded = self.job(**settings).settings
        state = ReadOnlyState(loaded.state_dir)
        registry = cast("Registry", ReadOnlyRegistry(cast("Registry", self.registry)))
        inbox = ReadOnlyInbox(loaded, state)
        return Job(loaded, state, inbox, lambda: registry, utc_now, dry_run=True, shows_pages=False)

    def cycle(self, **how: Any) -> Outcome:
        """A whole cycle."""
        return pipeline_orchestrator.run_cycle(self.job(**how))

    @contextmanager
    def opened(self, job: Job | None = None, **how: Any) -> Iterator[Cycle]:
        """A cycle that passed the gate, as the story opens it."""
        job = job or self.job(**how)
        recovered = finish_what_a_dead_cycle_left(job)
        production = find_production(job, recovered)
        claimed = claim_and_validate(job, ask_the_gate(job).waiting, production.schema)
        with open_cycle(job, recovered, production, claimed) as cycle:
            yield cycle

    @contextmanager
    def decided(
        self, job: Job | None = None, **how: Any
    ) -> Iterator[tuple[Cycle, Monitored, Ending]]:
        """A cycle that has decided how it ends, and has done nothing about it."""
        with self.opened(job, **how) as cycle:
            monitored = monitor(cycle)
            yield cycle, monitored, pipeline_orchestrator._decide(cycle, monitored)

    # --- files and versions -----------------------------------------------------------------------
    def deliver(self, count: int = 3, *, seed: int = 2, **how: Any) -> list[str]:
        """Put files into the inbox; their names."""
        return [path.name for path in self.project.deliver(*tables(count, seed=seed, **how))]

    def version(self, number: int) -> Version:
        found = self.registry.version(number)
        assert found is not None
        return found

    @property
    def aliases(self) -> dict[str, int]:
        return dict(self.registry.facts().aliases)
