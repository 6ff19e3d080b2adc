"""`status`: what waits, what serves, and why."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from retraining.commands import Answer
from retraining.commands.alias_moves import unseen_move
from retraining.commands.reading import Story, read_story
from retraining.commands.withdrawn import way_out, withdrawn_that_it_learned
from retraining.console.terminal import columns, labelled
from retraining.cycle.production import NOT_THERE, public_uri, store_was_lost
from retraining.errors import RetrainingError
from retraining.folders.failed_start import last_failed_start
from retraining.inbox.passed_over import passed_over
from retraining.logs import log
from retraining.phrases import first_few
from retraining.report.words import name, printable
from retraining.serialisation import cycle_to_json, move_to_json

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping, Sequence

    from retraining.folders.failed_start import FailedStart
    from retraining.prediction_log.counts import LogCounts
    from retraining.project import Project
    from retraining.records import AliasMove, CycleRecord
    from retraining.settings import Settings

LABEL_WIDTH = 12
SHOWN = 10  # skipped and refused files; --json has them all


def add_flags(_command: argparse.ArgumentParser) -> None:
    """None of its own."""


@dataclass(frozen=True)
class Status:
    """What is told of a project, in the order of `--json`; the first four are counts of files."""

    waiting: int
    judged: int
    used: int
    quarantined: int
    production_version: int | None
    previous_version: int | None
    previous_is_gone: bool
    reason: str
    last_cycle: CycleRecord | None
    probation: str | None
    hold: str | None
    awaiting_approval: int | None
    predictions: LogCounts | None
    skipped: Mapping[str, str]  # name -> why it is not read
    withdrawn_but_learned: tuple[str, ...]
    failed_start: FailedStart | None
    refused: tuple[str, ...]
    unseen_move: str | None  # of the alias by a person, which no start has acted on
    moves: tuple[AliasMove, ...]  # of the alias by people since the last cycle began
    way_out: str | None  # of what production learned and a person withdrew
    store_lost: bool  # what the registry alone knows is not known then

    def to_json(self) -> dict[str, Any]:
        """The object of `--json`."""
        last, predictions, failed = self.last_cycle, self.predictions, self.failed_start
        return {
            **vars(self),
            "moves": [move_to_json(move) for move in self.moves],
            "last_cycle": None if last is None else cycle_to_json(last, None),
            "predictions": None if predictions is None else asdict(predictions),
            "failed_start": None if failed is None else failed._asdict(),
        }


def answer(_asked: argparse.Namespace, settings: Settings) -> Answer:
    """Count files and say what the production version is there for."""
    status = _status_of(read_story(settings))
    return Answer(status.to_json(), _in_words(status, settings))


def _status_of(story: Story) -> Status:
    project, ledger, production = story.project, story.ledger, story.production
    judged = ledger.judged(project.deciding)
    waiting = project.inbox.waiting(judged, {*ledger.archive, *ledger.withdrawn})
    refused = tuple(path.name for path in project.inbox.quarantined())
    lost = _store_was_lost(project)
    last = ledger.cycles[-1] if ledger.cycles else None
    previous = production.previous if production else story.facts.previous_production
    poisoned = _poisoned(story)
    return Status(
        waiting=len(waiting.fresh),
        judged=len(waiting.judged),
        used=len(ledger.archive),
        quarantined=len(refused),
        production_version=story.holder,
        previous_version=previous,
        previous_is_gone=previous is not None and project.registry.version(previous) is None,
        reason=_not_known(project.settings) if lost else _why_it_is_there(story),
        last_cycle=last,
        probation=production.probation if production else None,
        hold=story.facts.hold,
        awaiting_approval=story.waits_for_a_person,
        predictions=_predictions(story),
        skipped=passed_over(waiting),
        withdrawn_but_learned=poisoned,
        failed_start=last_failed_start(project.settings.state_dir),
        refused=refused,
        store_lost=lost,
        unseen_move=None if lost else unseen_move(story),
        moves=tuple(
            move for move in story.facts.moves if last is None or move.time >= last.started
        ),
        way_out=_way_out(story) if poisoned else None,
    )


def _predictions(story: Story) -> LogCounts | None:
    """How many predictions are logged, labelled and exported.

    None where there is no log, or it cannot be asked now.
    """
    if not story.project.settings.has_prediction_log:
        return None
    from retraining.sources.predictions import looking  # loads the log's driver

    production = story.production
    schema = None
    if production is not None and production.is_ours:
        schema = story.project.registry.manifest(production).schema
    try:
        return looking.counts(story.project.settings, schema)
    except RetrainingError as error:
        log.warning("%s", error.what)
        return None


def _store_was_lost(project: Project) -> bool:
    """Whether the registry's store is away; a log that cannot be asked is no reason to say so."""
    try:
        return store_was_lost(project)
    except RetrainingError as error:
        log.warning("%s", error.what)
        return False


def _not_known(settings: Settings) -> str:
    return f"not known: the store is {public_uri(settings.mlflow_tracking_uri)}, {NOT_THERE}"


def _why_it_is_there(story: Story) -> str:
    if story.holder is None:
        return "no version holds the production alias"
    return story.why_it_serves or "this job does not know that version"


def _poisoned(story: Story) -> tuple[str, ...]:
    """Withdrawn files that the production version learned."""
    if story.production is None:
        return ()
    return withdrawn_that_it_learned(
        story.project.registry, story.production, story.ledger.withdrawn
    )


def _way_out(story: Story) -> str:
    assert story.holder is not None
    return way_out(story.project, story.holder, story.ledger.withdrawn)


def _in_words(status: Status, settings: Settings) -> str:
    width = columns()
    lines: list[str] = []
    for label, text in _facts(status, settings):
        lines += labelled(label, printable(text, 2000), width, room=LABEL_WIDTH)
    return "\n".join(lines)


def _facts(status: Status, settings: Settings) -> Iterator[tuple[str, str]]:
    """Label and text of each line."""
    holder, previous = status.production_version, status.previous_version
    yield "production", f"{name(holder)}: {status.reason}" if holder else status.reason
    if status.unseen_move is not None:
        yield "ALIAS", status.unseen_move
    if not status.store_lost:
        gone = ", which was deleted" if status.previous_is_gone else ""
        yield "previous", f"{name(previous)}{gone}" if previous else "none"
    yield "files", _files(status, settings)
    if status.predictions is not None:
        rows = status.predictions
        counts = f"{rows.logged} logged, {rows.labelled} labelled, {rows.exported} exported"
        yield "predictions", counts
    if not status.store_lost:
        yield "last cycle", _last_cycle(status.last_cycle, holder, status.moves)
    if status.failed_start is not None:
        yield "FAILED", f"the last start: {status.failed_start.in_words()}"
    if status.store_lost:
        yield "try", f"`{settings.command} check` says what to do"
    else:
        yield "probation", _probation(status.probation, settings)
        yield "hold", status.hold or "none"
    if status.hold:
        yield "", f"no version is promoted until `{settings.command} rollback --resume`"
    if status.awaiting_approval:
        commands = (
            f"`{settings.command} approve` gives it the production alias, "
            f"`{settings.command} reject --why TEXT` rejects it"
        )
        yield "approval", f"v{status.awaiting_approval} waits: {commands}"
    yield from _files_aside(status)


def _probation(state: str | None, settings: Settings) -> str:
    """The production version's; an open one is not held while the setting switches it off."""
    if state == "open" and settings.probation_batches == 0:
        return "open, and not held while PROBATION_BATCHES=0"
    return state or "none"


def _files(status: Status, settings: Settings) -> str:
    """Counts of files; which of them were judged or learned, only the store tells."""
    if status.store_lost:
        in_inbox = f"{status.waiting + status.judged} in the inbox"
        return f"{in_inbox}, {status.quarantined} quarantined; judged and used: not known"
    counts = f"{status.judged} judged, {status.used} used, {status.quarantined} quarantined"
    return f"{status.waiting} waiting (a cycle opens at {settings.min_new_files}), {counts}"


def _files_aside(status: Status) -> Iterator[tuple[str, str]]:
    """Files that are not read, were refused, or should not have been learned."""
    for file, why in sorted(status.skipped.items())[:SHOWN]:
        yield "skipped", f"{file}: {why}"
    if len(status.skipped) > SHOWN:
        yield "", f"and {len(status.skipped) - SHOWN} more; --json lists them all"
    for file in status.refused[:SHOWN]:
        yield "quarantine", file
    if len(status.refused) > SHOWN:
        yield "", f"and {len(status.refused) - SHOWN} more, each with its reason beside it"
    if status.withdrawn_but_learned:
        files = first_few(status.withdrawn_but_learned, SHOWN)
        yield "WARNING", f"production learned from withdrawn files: {files}; {status.way_out}"


def _last_cycle(last: CycleRecord | None, holder: int | None, moves: Sequence[AliasMove]) -> str:
    if last is None:
        return "none yet"
    head = f"{last.started:%Y-%m-%d %H:%M} {last.ending}"
    new = last.outcome.challenger_version
    if last.ending == "promoted":
        return f"{head} {name(new)}{_since(new, holder)}"
    if last.ending == "awaiting_approval" and new in (holder, *(move.to for move in moves)):
        return f"{head} {name(new)}; since then a person approved it{_since(new, holder)}"
    return f"{head}: {last.outcome.reason}"


def _since(promoted: int | None, holder: int | None) -> str:
    """What became of the last promotion, where another version serves by now."""
    if holder == promoted or promoted is None:
        return ""
    if holder is None:
        return "; since then the alias was taken away"
    if holder < promoted:
        return f"; since then it was undone: {name(holder)} is in production again"
    return f"; since then {name(holder)} was given the alias"
