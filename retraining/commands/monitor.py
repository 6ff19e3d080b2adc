"""`monitor`: what traffic shows, from the prediction log. The page, the routes and cron all read this one run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retraining.commands import Answer
from retraining.errors import UsageError

if TYPE_CHECKING:
    import argparse

    from retraining.settings import Settings

USUAL_DAYS = 30
MOST_DAYS = 3650


def add_flags(command: argparse.ArgumentParser) -> None:
    """Its flags."""
    command.add_argument(
        "--days",
        type=int,
        default=USUAL_DAYS,
        metavar="N",
        help=f"look at the last N days (UTC), today among them; {USUAL_DAYS} by default",
    )


def answer(asked: argparse.Namespace, settings: Settings) -> Answer:
    """Read the log once and say what it shows."""
    if not 1 <= asked.days <= MOST_DAYS:
        raise UsageError(
            f"--days {asked.days} is not a number of days from 1 to {MOST_DAYS}.",
            remedy="Give a whole number of days, such as --days 30.",
        )
    from retraining.commands.traffic_seen import in_words, look  # loads what --help must not
    from retraining.project import Project

    project = Project.open(settings, read_only=True)
    seen = look(project, asked.days, project.now())
    return Answer(seen.to_json(), in_words(seen, asked.days, settings))
