"""`monitor`: what traffic shows, from the prediction log.

The page, the routes and cron all read this one run.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from retraining.commands import Answer
from retraining.errors import UsageError
from retraining.folders.disks import write_whole

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from datetime import datetime

    from retraining.commands.traffic_seen import Seen
    from retraining.project import Project
    from retraining.settings import Settings

USUAL_DAYS = 30
MOST_DAYS = 3650
ALERTS = 4  # the exit code that says so


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
        "--html", type=Path, metavar="FILE", help="write the live page, as it is now, to a file"
    )
    command.add_argument(
        "--alert",
        action="store_true",
        help=(
            "report each alert once, when it begins (alerts.jsonl, WEBHOOK_URL, METRICS_TEXTFILE); "
            f"exit with {ALERTS} while one holds"
        ),
    )

    command.add_argument(
        "--export",
        type=Path,
        metavar="DIR",
        help=(
            "write predictions.csv (of these days) and reference.csv (rows that production learned)"
            " for other tools"
        ),
    )
    command.add_argument(
        "--export-labelled",
        type=Path,
        metavar="DIR",
        help=(
            "write the rows whose label is of a new class, for register_first_model.py --train-from"
        ),
    )


def answer(args: argparse.Namespace, settings: Settings) -> Answer:
    """Read the log once and say what it shows."""
    if args.html is not None and str(args.html) == "-":
        raise UsageError(
            "--html - names no file: the page is not written to stdout.",
            remedy="Name a file, such as --html page.html.",
        )
    if not 1 <= args.days <= MOST_DAYS:
        raise UsageError(
            f"--days {args.days} is not a number of days from 1 to {MOST_DAYS}.",
            remedy="Give a whole number of days, such as --days 30.",
        )
    from retraining.commands.traffic_seen import in_words, look  # loads what --help must not
    from retraining.cycle.production import no_store, store_was_lost
    from retraining.project import Project

    project = Project.open(settings, read_only=True)
    if store_was_lost(project):  # without it, labels would not count and no alert would hold
        raise no_store(settings)
    now = project.now()
    seen = look(project, args.days, now)
    written = list(_write_what_was_asked_for(args, project, seen, now))
    text = "\n".join(written) if written else in_words(seen, args.days, settings)
    if not args.alert:
        return Answer(seen.to_json(), text)
    from retraining.commands.alerting import tell

    tell(settings, seen.drift.reference_version, seen.alerts, now)
    return Answer(seen.to_json(), text, code=ALERTS if seen.alerts else 0)


def _write_what_was_asked_for(
    args: argparse.Namespace, project: Project, seen: Seen, now: datetime
) -> Iterator[str]:
    """Write files; a sentence for each."""
    settings = project.settings
    if args.html is not None:
        from retraining.commands.live_facts import page_drawn_once

        _write(args.html, page_drawn_once(settings, seen, args.days, now))
        yield f"Wrote {args.html}."
    if args.export is None and args.export_labelled is None:
        return
    from retraining.commands import exporting
    from retraining.commands.traffic_seen import production_of
    from retraining.cycle.traffic import first_moment

    production = production_of(project, project.registry.facts())
    if args.export is not None:
        since = first_moment(args.days, now)
        yield exporting.export_traffic(project, production, since, args.export)
    if args.export_labelled is not None:
        found = exporting.export_labelled(project, production, args.export_labelled)
        folder = args.export_labelled.absolute()
        yield exporting.labelled_in_words(found, folder, settings.register_command)


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
