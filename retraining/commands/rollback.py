"""`rollback`: put an earlier version back and hold promotions; `--resume` lifts the hold."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from retraining.commands import Answer
from retraining.commands.people import user_name, version_number
from retraining.cycle import books
from retraining.cycle.commit import marks_of_one_rolled_back, note_move, put_back
from retraining.cycle.gate import mark_the_end
from retraining.cycle.job import Job
from retraining.cycle.production import (
    ORCHESTRATOR,
    REGISTER,
    another_that_loads,
    best_to_hold_it,
    how_to_assign,
    no_model,
)
from retraining.cycle.recovery import finish_what_a_dead_cycle_left
from retraining.errors import (
    ArtifactsElsewhereError,
    DamagedModelError,
    NoProductionModelError,
    PersonNeededError,
    UsageError,
)
from retraining.folders.lock import one_cycle_at_a_time
from retraining.model_registry.production import load_model
from retraining.records import Marks

if TYPE_CHECKING:
    import argparse

    from retraining.cycle.job import Recovered
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


def answer(args: argparse.Namespace, settings: Settings) -> Answer:
    """Move the alias, or lift the hold, under the project's lock.

    Where nobody holds the alias, `--to` gives it to a version.
    """
    with one_cycle_at_a_time(settings.state_dir):
        job = Job.open(settings)
        job.begin()
        recovered = finish_what_a_dead_cycle_left(job, replacing=not args.resume)
        if args.resume:
            return _resume(job, recovered)
        return _roll_back(job, recovered, args.to, args.why)


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
    holder = recovered.facts.aliases.get(job.settings.production_alias)
    current = job.registry.version(holder) if holder is not None else None
    if current is None:
        return _give_back(job, recovered, to, why)
    target = _target(job, current, to)
    hold = _hold(job, f"rolled back from v{current.number} to v{target}", why)
    job.registry.mark(current.number, marks_of_one_rolled_back(current, target, hold))
    put_back(job, target, current.number, hold)
    note_move(job, current.number, target, _by_whom(why))
    books.leave(job, recovered.ledger, replace(recovered.left, production_version=target))
    text = (
        f"v{target} is in production again, v{current.number} is out. Promotions are held until"
        f" `{job.settings.command} rollback --resume`."
    )
    result = {"production_version": target, "previous_version": current.number, "hold": hold}
    return Answer(result, text)


def _give_back(job: Job, recovered: Recovered, to: int | None, why: str) -> Answer:
    """Give the alias, which nobody holds, to a version.

    Promotions are held, unless it held the alias last: then nothing is undone.
    """
    last = recovered.left.production_version
    if to is None:
        raise _nobody_holds_it(job, recovered, last)
    target = _that_loads(job, to, but=None)
    hold = recovered.hold
    if last not in (None, target):
        hold = _hold(job, f"the alias, which no version held, was given to v{target}", why)
        job.registry.mark(target, Marks(status="approved"))
        note_move(job, last, target, _by_whom(why))
    job.registry.set_alias(job.settings.production_alias, target)
    books.leave(job, recovered.ledger, replace(recovered.left, production_version=target))
    text = f"v{target} is in production."
    if hold is not None:
        text += f" Promotions are held until `{job.settings.command} rollback --resume`."
    return Answer({"production_version": target, "previous_version": None, "hold": hold}, text)


def _nobody_holds_it(job: Job, recovered: Recovered, last: int | None) -> NoProductionModelError:
    if not job.registry.versions():
        return no_model(job)
    alias, name = job.settings.production_alias, job.settings.model_name
    remedy = how_to_assign(alias, name, *best_to_hold_it(job, recovered))
    held = "" if last is None else f"; v{last} held it when the last cycle ended"
    return NoProductionModelError(f"No version holds the alias {alias!r}{held}.", remedy=remedy)


def _hold(job: Job, what: str, why: str) -> str:
    """Hold promotions before the alias moves; the words that say who did, when and why."""
    said = f": {why}" if why else ""
    hold = f"by {user_name()} {job.now():%Y-%m-%dT%H:%M:%SZ}: {what}{said}"
    job.registry.hold(hold)
    return hold


def _by_whom(why: str) -> str:
    said = f": {why}" if why else ""
    return f"`rollback` by {user_name()}{said}"


def _target(job: Job, holder: Version, to: int | None) -> int:
    if to is not None and to == holder.number:
        raise UsageError(f"v{to} is in production already.", remedy="Name another version.")
    if to is not None:
        return _that_loads(job, to, but=holder.number)
    if holder.previous is None:
        raise PersonNeededError(
            f"v{holder.number} is the first version: there is none before it.",
            remedy=_another(job, but=holder.number),
        )
    return _that_loads(job, holder.previous, but=holder.number, before=holder.number)


def _that_loads(job: Job, number: int, *, but: int | None, before: int | None = None) -> int:
    """A version that can serve: it is loaded, so that a damaged one is never put into production.

    Args:
        but: the version that another one is looked for in place of, if this one cannot serve.
        before: the version that it was the previous one of, where nobody named it.
    """
    if job.registry.version(number) is None:
        if before is not None:
            what = f"v{number}, which v{before} replaced, was deleted."
            raise PersonNeededError(what, remedy=_another(job, but=but))
        raise UsageError(f"There is no version {number}.", remedy=_another(job, but=but))
    try:
        model = load_model(job.registry, number)
        is_whole = model is None or model.estimator is not None
    except ArtifactsElsewhereError:
        raise
    except DamagedModelError as error:
        raise DamagedModelError(error.what, remedy=_another(job, but=but)) from error
    if model is None:
        raise PersonNeededError(
            f"Version {number} is not one of this job's.",
            remedy=f"Adopt it first: `python register_first_model.py --adopt {number}`.",
        )
    if not is_whole:
        raise PersonNeededError(f"v{number} holds no model.", remedy=_another(job, but=but))
    return number


def _another(job: Job, *, but: int | None) -> str:
    """What to type in place of a version that cannot serve: only one that was loaded is named."""
    other = another_that_loads(job.registry, but)
    if other is not None:
        return f"`{ORCHESTRATOR} rollback --to {other}` goes to v{other}, which can be loaded."
    return (
        f"No other version that served can be loaded. `{REGISTER} --set-alias` registers a new"
        " one from used_data/, if files, settings or recipe changed since."
    )
