"""What the live page tells of past cycles, of the version that serves and of waiting files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retraining.commands.reading import read_story
from retraining.failed_start import last_failed_start
from retraining.hindsight import graded_decisions
from retraining.model_registry.names import REPORT
from retraining.report.live.material import Books

if TYPE_CHECKING:
    from retraining.commands.reading import Story
    from retraining.settings import Settings


def read_books(settings: Settings) -> Books:
    """Ask the registry and the folders.

    Raises:
        UnreachableError, StoreError: the registry does not answer, or not well.
        FolderGoneError: a folder is not there.
    """
    story = read_story(settings)
    project, ledger, production = story.project, story.ledger, story.production
    waiting = project.inbox.waiting(
        ledger.judged(project.deciding), {*ledger.archive, *ledger.withdrawn}
    )
    return Books(
        read=project.now(),
        cycles=ledger.cycles,
        hindsight=graded_decisions(ledger.cycles, settings.confidence),
        holder=story.holder,
        reason="" if production is None else production.why,
        promised=_promised(story),
        waiting=len(waiting.fresh),
        quarantined=len(project.inbox.quarantined()),
        hold=story.facts.hold,
        awaiting_approval=story.facts.challenger,
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
    story = read_story(settings)
    runs = [record.run_id for record in story.ledger.cycles if record.cycle_id == cycle_id]
    if not runs or runs[0] is None:
        return None
    return story.project.registry.read_text(runs[0], REPORT)
