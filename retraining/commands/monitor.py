"""`monitor`: what traffic shows, from the prediction log. The page, the routes and cron all read this one run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from retraining.commands import Answer
from retraining.disks import write_whole
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
    command.add_argument(
        "--html", type=Path, metavar="FILE", help="write the live page, drawn once, to a file"
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
    now = project.now()
    seen = look(project, asked.days, now)
    text = in_words(seen, asked.days, settings)
    if asked.html is not None:
        from retraining.commands.live_facts import page_drawn_once

        _write(asked.html, page_drawn_once(settings, seen, asked.days, now))
        text = f"Wrote {asked.html}."
    return Answer(seen.to_json(), text)


def _write(path: Path, html: str) -> None:
    """Write the page whole.

    Raises:
        UsageError: the file cannot be written.
    """
    try:
        write_whole(path, html)
    except OSError as error:
        raise UsageError(
            f"--html {path}: {error.strerror or error}.",
            remedy="Name a file in a folder that is there and may be written to.",
        ) from error
