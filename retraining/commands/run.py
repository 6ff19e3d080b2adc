"""`run`: one cycle, with its notices around it."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

from retraining.commands import Answer
from retraining.cycle.job import Job
from retraining.inbox import Inbox
from retraining.local_state import LocalState
from retraining.report.note import verdict_block
from retraining.report.told import outcome_to_json

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from retraining.logs import CycleLog
    from retraining.model_registry.interface import Registry
    from retraining.records import Outcome
    from retraining.settings import Settings


def answer(asked: argparse.Namespace, settings: Settings, kept: CycleLog, run_cycle: Callable[[Job], Outcome]) -> Answer:
    """Run one cycle and say how it ended."""
    job = new_job(settings, dry_run=asked.dry_run, force=asked.force)
    job.on_begin = lambda: kept.keep(f"{job.now():%Y%m%dT%H%M%SZ}-{os.getpid()}")
    job.log_lines = lambda: kept.lines
    outcome = run_cycle(job)
    if job.source_error is not None:
        outcome = replace(outcome, exit_code=job.source_error.exit_code)
    return Answer(outcome_to_json(outcome), verdict_block(outcome), outcome.exit_code, job.source_error)


def new_job(settings: Settings, *, dry_run: bool = False, force: bool = False) -> Job:
    """A job on the real clock, folders and registry of a project."""
    state = LocalState(settings.state_dir)
    inbox = Inbox(settings, state, dry_run=dry_run)
    return Job(settings, state, inbox, lambda: open_registry(settings, dry_run=dry_run), lambda: datetime.now(UTC), dry_run, force)


def open_registry(settings: Settings, *, dry_run: bool = False) -> Registry:
    """The project's registry on MLflow; a dry run's writes go nowhere."""
    from retraining.model_registry.mlflow_registry import MlflowRegistry

    registry: Registry = MlflowRegistry(settings)
    if not dry_run:
        return registry
    from retraining.model_registry.dry_run import ReadOnlyRegistry

    return cast("Registry", ReadOnlyRegistry(registry))
