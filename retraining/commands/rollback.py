"""`rollback`: put an earlier version back and hold promotions; `--resume` lifts the hold."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING

from retraining.commands import Answer
from retraining.commands.run import new_job
from retraining.cycle.bookkeeping import leave, save_ledger
from retraining.cycle.completion import put_back
from retraining.cycle.gate import mark_the_end
from retraining.cycle.preflight import load_model
from retraining.cycle.recovery import HOLD, ROLLED_BACK_TO, finish_what_a_dead_cycle_left
from retraining.errors import NoProductionModelError, PersonNeededError, UsageError
from retraining.kill_points import kill_point
from retraining.lock import one_cycle_at_a_time

if TYPE_CHECKING:
    import argparse

    from retraining.cycle.job import Job
    from retraining.cycle.recovery import Recovered
    from retraining.settings import Settings


def answer(asked: argparse.Namespace, settings: Settings) -> Answer:
    """Move the alias, or lift the hold, under the project's lock."""
    with one_cycle_at_a_time(settings.state_dir):
        job = new_job(settings)
        job.begin()
        recovered = finish_what_a_dead_cycle_left(job)
        done = _resume(job, recovered) if asked.resume else _roll_back(job, recovered, asked.to, asked.why)
        mark_the_end(job, recovered)
        return done


def _resume(job: Job, recovered: Recovered) -> Answer:
    if recovered.hold is None:
        return Answer({"hold": None, "changed": False}, "Promotions are not held; nothing was changed.")
    job.registry.untag_model([HOLD])
    return Answer({"hold": None, "changed": True}, f"Lifted the hold ({recovered.hold}). The alias stays where it is.")


def _roll_back(job: Job, recovered: Recovered, to: int | None, why: str) -> Answer:
    registry, alias = job.registry, job.settings.production_alias
    holder = recovered.facts.aliases.get(alias)
    if holder is None:
        raise NoProductionModelError(f"No version holds the alias {alias!r}.", remedy="Assign it in the MLflow UI.")
    target = _target(job, holder, to)
    hold = f"by {_user()} {job.now():%Y-%m-%dT%H:%M:%SZ}: rolled back from v{holder} to v{target}" + (f": {why}" if why else "")
    registry.tag_model({HOLD: hold})
    kill_point("rollback_after_hold")
    registry.tag_version(holder, {ROLLED_BACK_TO: str(target), "retraining.reason": hold, "validation_status": "rolled_back"})
    kill_point("rollback_after_tag")
    put_back(registry, alias, target)
    kill_point("after_roll_back")
    left = recovered.left
    leave(job, number=int(left.get("number", 0)), run_id=str(left.get("run_id", "")), production_version=target)
    save_ledger(job, registry.facts(), recovered.ledger)
    text = f"v{target} is in production again, v{holder} is out. Promotions are held until `{job.settings.command} rollback --resume`."
    return Answer({"production_version": target, "previous_version": holder, "hold": hold}, text)


def _target(job: Job, holder: int, to: int | None) -> int:
    if to is not None and to == holder:
        raise UsageError(f"v{to} is in production already.", remedy="Name another version.")
    current = job.registry.version(holder)
    named = to if to is not None else current.tags.get("retraining.previous_version") if current else None
    if named is None:
        raise PersonNeededError(f"v{holder} is the first version: there is none before it.", remedy="Name a version with --to N.")
    if job.registry.version(int(named)) is None:
        raise UsageError(f"There is no version {named}.", remedy="`python pipeline_orchestrator.py history` and the MLflow UI list them.")
    model = load_model(job.registry, int(named))
    if model is None:
        raise PersonNeededError(
            f"Version {named} is not one of this job's.", remedy=f"Take it up first: `python register_first_model.py --adopt {named}`."
        )
    if model.estimator is None:  # loaded, so that a damaged version is never put into production
        raise PersonNeededError(f"v{named} holds no model.", remedy="Name another version with --to N.")
    return model.number


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "somebody"
