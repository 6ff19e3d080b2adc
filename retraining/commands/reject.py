"""`reject`: a person rejects the version that waits for a decision."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retraining.commands import Answer
from retraining.commands.people import add_version_that_waits, the_one_that_waits, user_name
from retraining.cycle.gate import mark_the_end
from retraining.cycle.job import Job
from retraining.cycle.recovery import finish_what_a_dead_cycle_left
from retraining.folders.lock import one_cycle_at_a_time
from retraining.model_registry.names import CHALLENGER
from retraining.records import Marks

if TYPE_CHECKING:
    import argparse

    from retraining.settings import Settings


def add_flags(command: argparse.ArgumentParser) -> None:
    """Which version is meant, and why it is rejected."""
    add_version_that_waits(command)
    command.add_argument(
        "--why", required=True, metavar="TEXT", help="the reason, kept in the registry"
    )


def answer(args: argparse.Namespace, settings: Settings) -> Answer:
    """Mark the version that waits as rejected, then take its alias.

    The alias of production and the files stay.
    """
    with one_cycle_at_a_time(settings.state_dir):
        job = Job.open(settings)
        job.begin()
        recovered = finish_what_a_dead_cycle_left(job)
        number = the_one_that_waits(recovered, args.version)
        reason = f"rejected by {user_name()} {job.now():%Y-%m-%dT%H:%M:%SZ}: {args.why}"
        job.registry.mark(number, Marks(reason=reason, status="rejected"))
        job.registry.drop_alias(CHALLENGER)
        mark_the_end(job, job.registry.facts())
    holder = recovered.facts.aliases.get(settings.production_alias)
    stays = f"v{holder} stays in production" if holder is not None else "no version serves"
    result = {"rejected": number, "why": args.why, "production_version": holder}
    text = (
        f"v{number} is rejected and no longer waits; {stays}.\n"
        f"Its files stay in {settings.new_data_dir}, judged: a later version may learn them."
    )
    return Answer(result, text)
