"""What the live page tells of past cycles and of waiting files.

And the page drawn once, without a service.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from retraining.commands.reading import read_known_story
from retraining.folders.failed_start import last_failed_start
from retraining.hindsight import graded_decisions
from retraining.model_registry.names import REPORT
from retraining.notices.alerts import recent_alerts
from retraining.prediction_log.connection import JOB, PredictionLogError, open_database
from retraining.prediction_log.layout import layout_of
from retraining.prediction_log.traffic import as_told, recent_rows
from retraining.report.live.lists import MOST_ALERTS, MOST_PREDICTIONS
from retraining.report.live.material import Books, LiveFacts, PageSettings, Serving
from retraining.report.live.page import page
from retraining.report.live.seen import alert_line, logged_row, seen_traffic

if TYPE_CHECKING:
    from datetime import datetime

    from retraining.commands.reading import Story
    from retraining.commands.traffic_seen import Seen
    from retraining.report.live.material import LoggedRow
    from retraining.settings import Settings


def read_books(settings: Settings) -> Books:
    """Ask the registry and the folders.

    Raises:
        UnreachableError, StoreError: the registry does not answer, or not well.
        NoProductionModelError: the store is away, though this project had one.
        FolderGoneError: a folder is not there.
    """
    story = read_known_story(settings)
    project, ledger = story.project, story.ledger
    waiting = project.inbox.waiting(
        ledger.judged(project.deciding), {*ledger.archive, *ledger.withdrawn}
    )
    return Books(
        read=project.now(),
        cycles=ledger.cycles,
        hindsight=graded_decisions(ledger.cycles, settings.confidence),
        holder=story.holder,
        reason=story.why_it_serves,
        promised=_promised(story),
        waiting=len(waiting.fresh),
        quarantined=len(project.inbox.quarantined()),
        hold=story.facts.hold,
        awaiting_approval=story.waits_for_a_person,
        failed_start=last_failed_start(settings.state_dir),
    )


def _promised(story: Story) -> float | None:
    """What the version that serves scored on rows that it had not learned, when it was made."""
    if story.production is None:
        return None
    metrics = story.project.registry.metrics(story.production)
    return metrics.get(story.project.settings.metric)


def read_report(settings: Settings, cycle_id: str) -> str | None:
    """The page that a cycle left in the registry; None where there is none.

    Raises:
        UnreachableError, StoreError: the registry does not answer, or not well.
    """
    story = read_known_story(settings)
    runs = [record.run_id for record in story.ledger.cycles if record.cycle_id == cycle_id]
    if not runs or runs[0] is None:
        return None
    return story.project.registry.read_text(runs[0], REPORT)


def page_drawn_once(settings: Settings, seen: Seen, days: int, now: datetime) -> str:
    """The live page as a file: what `monitor` just found, and the registry beside it.

    Raises:
        UnreachableError, StoreError: the registry does not answer, or not well.
    """
    books = read_books(settings)
    alerts = recent_alerts(settings.state_dir, MOST_ALERTS)
    facts = LiveFacts(
        now=now,
        settings=PageSettings.of(settings),
        serving=Serving(version=books.holder, alias_version=books.holder),
        seen=seen_traffic(seen.to_json(), now, days),
        books=books,
        rows=_last_rows(settings),
        alerts=tuple(alert_line(line) for line in alerts),
    )
    return page(facts)


def _last_rows(settings: Settings) -> tuple[LoggedRow, ...] | None:
    """The last predictions, newest first; None where the log cannot be read."""
    if not settings.has_prediction_log:
        return ()
    try:
        with closing(open_database(settings.prediction_log_uri, JOB)) as database:
            if layout_of(database) is None:
                return ()
            with database.reading() as connection:
                rows = recent_rows(connection, settings.model_name, MOST_PREDICTIONS)
    except PredictionLogError:
        return None
    return tuple(logged_row(as_told(row)) for row in rows)
