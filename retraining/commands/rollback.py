"""`rollback`: put an earlier version back and hold promotions; `--resume` lifts the hold."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from retraining.commands import Answer
from retraining.commands.people import user_name, version_number
from retraining.cycle import books
from retraining.cycle.commit import marks_of_one_rolled_back, put_back
from retraining.cycle.gate import mark_the_end
from retraining.cycle.job import Job
from retraining.cycle.recovery import finish_what_a_dead_cycle_left
from retraining.errors import NoProductionModelError, PersonNeededError, UsageError
from retraining.folders.lock import one_cycle_at_a_time
from retraining.model_registry.production import load_model

if TYPE_CHECKING:
    import argparse

    from retraining.cycle.recovery import Recovered
    from retraining.records import Version
    from retraining.settings import Settings


def add_flags(command: argparse.ArgumentParser) -> None:
    """Where to go back to and why, or that the hold is over."""
    command.add_argument(
        "--to",
        type=version_number,
        metavar="N",
        help="the version to go back to; the previous one by default",
    )
    command.add_argument("--resume", action="store_true", help="lift the hold; the alias stays")
    command.add_argument(
        "--why", default="", metavar="TEXT", help="the reason, kept in the registry"
    )


def answer(asked: argparse.Namespace, settings: Settings) -> Answer:
    """Move the alias, or lift the hold, under the project's lock."""
    with one_cycle_at_a_time(settings.state_dir):
        job = Job.open(settings)
        job.begin()
        recovered = finish_what_a_dead_cycle_left(job, replacing=not asked.resume)
        if asked.resume:
            return _resume(job, recovered)
        return _roll_back(job, recovered, asked.to, asked.why)


def _resume(job: Job, recovered: Recovered) -> Answer:
    if recovered.hold is None:
        mark_the_end(job, recovered.facts)
        return Answer(
            {"hold": None, "changed": False}, "Promotions are not held; nothing was changed."
        )
    job.registry.lift_hold()
    mark_the_end(job, recovered.facts)
    return Answer(
        {"hold": None, "changed": True},
        f"Lifted the hold ({recovered.hold}). The alias stays where it is.",
    )


def _roll_back(job: Job, recovered: Recovered, to: int | None, why: str) -> Answer:
    registry, alias = job.registry, job.settings.production_alias
    holder = recovered.facts.aliases.get(alias)
    current = registry.version(holder) if holder is not None else None
    if holder is None or current is None:
        raise NoProductionModelError(
            f"No version holds the alias {alias!r}.", remedy="Assign it in the MLflow UI."
        )
    target = _target(job, current, to)
    hold = (
        f"by {user_name()} {job.now():%Y-%m-%dT%H:%M:%SZ}: rolled back from v{holder} to v{target}"
        + (f": {why}" if why else "")
    )
    registry.hold(hold)
    registry.mark(holder, marks_of_one_rolled_back(current, target, hold))
    put_back(job, target, holder, hold)
    books.leave(job, recovered.ledger, replace(recovered.left, production_version=target))
    text = (
        f"v{target} is in production again, v{holder} is out. Promotions are held until"
        f" `{job.settings.command} rollback --resume`."
    )
    return Answer({"production_version": target, "previous_version": holder, "hold": hold}, text)


def _target(job: Job, holder: Version, to: int | None) -> int:
    if to is not None and to == holder.number:
        raise UsageError(f"v{to} is in production already.", remedy="Name another version.")
    named = to if to is not None else holder.previous
    if named is None:
        raise PersonNeededError(
            f"v{holder.number} is the first version: there is none before it.",
            remedy="Name a version with --to N.",
        )
    if job.registry.version(named) is None:
        raise UsageError(
            f"There is no version {named}.",
            remedy="`python pipeline_orchestrator.py history` and the MLflow UI list them.",
        )
    model = load_model(job.registry, named)
    if model is None:
        raise PersonNeededError(
            f"Version {named} is not one of this job's.",
            remedy=f"Take it up first: `python register_first_model.py --adopt {named}`.",
        )
    if model.estimator is None:  # loaded, so that a damaged version is never put into production
        raise PersonNeededError(
            f"v{named} holds no model.", remedy="Name another version with --to N."
        )
    return model.number
