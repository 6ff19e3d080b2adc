"""`approve`: a person gives the production alias to the version that waits for a decision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retraining.commands import Answer
from retraining.commands.people import add_version_that_waits, the_one_that_waits, user_name
from retraining.cycle.commit import note_move
from retraining.cycle.job import Job
from retraining.cycle.recovery import finish_what_a_dead_cycle_left
from retraining.errors import NoProductionModelError, PersonNeededError
from retraining.folders.lock import one_cycle_at_a_time
from retraining.model_registry.production import load_model

if TYPE_CHECKING:
    import argparse

    from retraining.cycle.job import Recovered
    from retraining.settings import Settings


def add_flags(command: argparse.ArgumentParser) -> None:
    """Which version is meant."""
    add_version_that_waits(command)


def answer(args: argparse.Namespace, settings: Settings) -> Answer:
    """Move the alias as a person does in the MLflow UI: the next cycle archives the files and tags
    the version.
    """
    with one_cycle_at_a_time(settings.state_dir):
        job = Job.open(settings)
        job.begin()
        recovered = finish_what_a_dead_cycle_left(job)
        holder = recovered.facts.aliases.get(settings.production_alias)
        if holder is not None and args.version == holder:
            return _said(job, recovered, holder, holder)
        number = the_one_that_waits(recovered, args.version)
        _must_load(job, number)
        job.registry.set_alias(settings.production_alias, number)
        last = recovered.left.production_version
        if last not in (None, number):
            note_move(job, last, number, f"`approve` by {user_name()}")
        return _said(job, recovered, number, holder)


def _must_load(job: Job, number: int) -> None:
    """A damaged version is never put into production."""
    model = load_model(job.registry, number)
    if model is None:
        raise NoProductionModelError(
            f"v{number} waits for approval, but is not one of this job's.",
            remedy="Delete its alias 'challenger' in the MLflow UI.",
        )
    if model.estimator is None:
        raise PersonNeededError(
            f"v{number} holds no model.",
            remedy="`python pipeline_orchestrator.py reject` drops it.",
        )


def _said(job: Job, recovered: Recovered, number: int, before: int | None) -> Answer:
    result = {"production_version": number, "previous_version": before, "changed": number != before}
    if number == before:
        return Answer(result, f"v{number} is in production already; nothing was changed.")
    left = f", {f'v{before}' if before is not None else 'no version'} is out"
    lines = [
        f"v{number} is in production{left}.",
        "The next start archives the files that it learned, and tags it `approved`.",
        f"To undo it: `{job.settings.command} rollback`.",
    ]
    if recovered.hold is not None:
        lines.append(
            f"Later promotions are still held ({recovered.hold}); "
            f"`{job.settings.command} rollback --resume` lifts that."
        )
    return Answer(result, "\n".join(lines))
