"""What a verdict leads to: the loser remembered, the winner committed, the failed one rolled back."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from retraining.cycle.closing import Ending, close, outcome_of, record_of
from retraining.cycle.completion import (
    complete_promotion,
    marks_of_one_rolled_back,
    put_back,
)
from retraining.cycle.monitoring import probation_result
from retraining.errors import NoProductionModelError
from retraining.kill_points import kill_point
from retraining.logs import log
from retraining.model_registry.names import CHALLENGER
from retraining.records import Marks
from retraining.report import description
from retraining.serialisation import record_to_json

if TYPE_CHECKING:
    from retraining.cycle.comparing import Compared
    from retraining.cycle.monitoring import Monitored
    from retraining.cycle.opening import Cycle
    from retraining.cycle.training import Challenger
    from retraining.decisions import Trigger
    from retraining.outcomes import Cause, EndingName
    from retraining.records import Decision, Outcome, Status, Version


@dataclass(frozen=True)
class Attempt:
    """Why there was a training, what came of it, and how it compares."""

    trigger: Trigger
    challenger: Challenger
    compared: Compared

    def ending(self, name: EndingName, reason: str, holder: int | None = None) -> Ending:
        """An ending of the cycle with this attempt in it."""
        return Ending(
            name, reason, holder, self.challenger.version, self.trigger.name, self.compared
        )


def keep(cycle: Cycle, monitored: Monitored, reason: str, trigger: Cause | None = None) -> Outcome:
    """Production stays; the files wait, judged."""
    _note_probation(cycle, monitored)
    return close(cycle, monitored, Ending("kept", reason, trigger=trigger))


def remember_the_lost_attempt(
    cycle: Cycle, monitored: Monitored, trigger: Trigger, loser: Version
) -> Outcome:
    """The very same attempt lost before: it is not trained again."""
    _note_probation(cycle, monitored)
    reason = f"v{loser.number} lost this very attempt before ({loser.reason or ''}); --force tries it again"
    return close(
        cycle, monitored, Ending("rejected", reason, challenger=loser.number, trigger=trigger.name)
    )


def reject(cycle: Cycle, monitored: Monitored, attempt: Attempt, reason: str) -> Outcome:
    """The challenger lost: mark it, leave alias and files alone."""
    _note_probation(cycle, monitored)
    ending = attempt.ending("rejected", reason)
    _judge_version(cycle, monitored, ending, "rejected")
    return close(cycle, monitored, ending)


def leave_to_a_person(cycle: Cycle, monitored: Monitored, attempt: Attempt, reason: str) -> Outcome:
    """The challenger won, and a person moves the alias: it waits under the alias `challenger`, and its files with it."""
    _note_probation(cycle, monitored)
    ending = attempt.ending("awaiting_approval", reason)
    _judge_version(cycle, monitored, ending)
    if ending.challenger is not None:
        _supersede_the_one_that_waited(cycle, ending.challenger)
        kill_point("before_challenger")
        cycle.job.registry.set_alias(CHALLENGER, ending.challenger)
        kill_point("after_challenger")
    return close(cycle, monitored, ending)


def promote(cycle: Cycle, monitored: Monitored, attempt: Attempt, reason: str) -> Outcome:
    """Commit by moving the alias, unless a person moved it meanwhile; then archive what was consumed."""
    registry, alias = cycle.job.registry, cycle.job.settings.production_alias
    _note_probation(cycle, monitored)
    ending = attempt.ending("promoted", reason, attempt.challenger.version)
    if ending.challenger is None:
        return close(cycle, monitored, ending)
    _save_the_decision(cycle, monitored, ending)
    _judge_version(cycle, monitored, ending)
    kill_point("before_commit")
    if registry.facts().aliases.get(alias) != cycle.production.number:
        return _superseded(cycle, monitored, attempt)
    registry.set_alias(alias, ending.challenger)
    cycle.job.tally.committed = True
    kill_point("after_commit")
    if registry.facts().aliases.get(alias) != ending.challenger:
        return _superseded(cycle, monitored, attempt)
    return close(_complete(cycle, ending.challenger), monitored, ending)


def _complete(cycle: Cycle, promoted: int) -> Cycle:
    job = cycle.job
    version = job.registry.version(promoted)
    if version is None:
        raise NoProductionModelError(
            f"v{promoted} was deleted right after it was promoted.",
            unchanged="Its files were not archived.",
            remedy="Assign the alias to a version in the MLflow UI.",
        )
    with job.stage("archiving"):
        ledger = complete_promotion(
            job, cycle.recovered.ledger, version, job.registry.facts(), by_person=False
        )
        _supersede_the_one_that_waited(cycle, promoted)
    return replace(cycle, recovered=replace(cycle.recovered, ledger=ledger))


def roll_back(cycle: Cycle, monitored: Monitored, failure: Decision) -> Outcome:
    """The version on probation does worse than the one before it: put that one back, unless a person moved the alias since."""
    registry, alias = cycle.job.registry, cycle.job.settings.production_alias
    failed, previous = cycle.production.number, cycle.production.version.previous
    if previous is None:
        raise ValueError(f"v{failed} is on probation, but it replaced no version")
    ending = Ending(
        "rolled_back", f"v{failed} failed its probation: {failure.reason}", holder=previous
    )
    if cycle.run_id is None:
        return close(cycle, monitored, ending)
    if registry.facts().aliases.get(alias) != failed:
        return _superseded(cycle, monitored)
    _save_the_decision(cycle, monitored, ending)
    marks = replace(
        marks_of_one_rolled_back(cycle.production.version, previous, ending.reason),
        rolled_back_in=cycle.run_id,
        probation="failed",
    )
    said = description(outcome_of(cycle, monitored, ending), cycle.job.settings.command)
    registry.mark(failed, marks, said)
    kill_point("before_roll_back")
    cycle.job.tally.committed = True
    put_back(cycle.job, previous, failed, ending.reason)
    kill_point("after_roll_back")
    log.warning("%s; v%d is in production again", ending.reason, previous)
    return close(cycle, monitored, ending)


def _superseded(cycle: Cycle, monitored: Monitored, attempt: Attempt | None = None) -> Outcome:
    registry, alias = cycle.job.registry, cycle.job.settings.production_alias
    holder = registry.facts().aliases.get(alias)
    where = f"v{holder}" if holder is not None else "no version"
    reason = f"a person moved the alias {alias!r} from v{cycle.production.number} to {where} while the cycle ran: theirs stands"
    ending = (
        attempt.ending("superseded", reason, holder)
        if attempt
        else Ending("superseded", reason, holder)
    )
    if ending.challenger is not None and ending.challenger != holder:
        registry.mark(ending.challenger, Marks(reason=reason, status="superseded"))
    return close(cycle, monitored, ending)


def _judge_version(
    cycle: Cycle, monitored: Monitored, ending: Ending, status: Status | None = None
) -> None:
    """Mark the challenger with its verdict, describe it, and put its score on its model."""
    if ending.challenger is None or ending.compared is None:
        return
    kill_point("before_losing_tag" if ending.name == "rejected" else "before_winning_tag")
    comparison = ending.compared.comparison
    marks = Marks(verdict=comparison.verdict, reason=ending.reason, status=status)
    registry, metric = cycle.job.registry, cycle.job.settings.metric
    registry.mark(
        ending.challenger,
        marks,
        description(outcome_of(cycle, monitored, ending), cycle.job.settings.command),
    )
    kill_point("after_losing_tag" if ending.name == "rejected" else "after_winning_tag")
    if comparison.challenger.value is not None:
        registry.log_model_metrics(ending.challenger, {metric: comparison.challenger.value})
    _log_comparison(cycle, ending.compared)


def _log_comparison(cycle: Cycle, compared: Compared) -> None:
    comparison, name = compared.comparison, cycle.job.settings.metric
    metrics = {
        f"{name}/production_on_test": comparison.champion.value,
        f"{name}/challenger_on_test": comparison.challenger.value,
        f"{name}/improvement": comparison.improvement,
        "data/test_rows": float(comparison.rows),
        "data/test_rows_left_out": float(comparison.rows_dropped),
    }
    kept = {key: value for key, value in metrics.items() if value is not None}
    cycle.job.registry.log_stage(
        str(cycle.run_id), "ModelComparison", metrics=kept, params={"verdict": comparison.verdict}
    )


def _save_the_decision(cycle: Cycle, monitored: Monitored, ending: Ending) -> None:
    """Save the decision before the alias moves, so that a later start can close this cycle should it die right after."""
    record = record_of(cycle, outcome_of(cycle, monitored, ending), monitored)
    cycle.job.registry.save_files(
        str(cycle.run_id), {"decision.json": json.dumps(record_to_json(record), indent=1)}
    )


def _supersede_the_one_that_waited(cycle: Cycle, newer: int) -> None:
    registry = cycle.job.registry
    waited = registry.facts().challenger
    if waited is not None and waited != newer:
        reason = f"v{newer} was trained later, on more files"
        registry.mark(waited, Marks(reason=reason, status="superseded"))
        registry.drop_alias(CHALLENGER)


def _note_probation(cycle: Cycle, monitored: Monitored) -> None:
    """Close a probation that was passed, or that cannot be held."""
    if cycle.run_id is None:
        return
    said = (
        "passed"
        if probation_result(cycle, monitored) == "passed"
        else monitored.skipped and f"not held: {monitored.skipped}"
    )
    if said:
        cycle.job.registry.mark(cycle.production.number, Marks(probation=said))
