"""Whether a challenger is trained, and on which rows; else how the cycle ends without one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from retraining.cycle import probation, training, training_set
from retraining.cycle.outcome import Ending
from retraining.cycle.promotion import failed_probation
from retraining.decisions import fails_probation, should_retrain

if TYPE_CHECKING:
    from retraining.cycle.monitoring import Monitored
    from retraining.cycle.opening import Cycle
    from retraining.cycle.training_set import FrozenTestSet, Lineage
    from retraining.decisions import Trigger


@dataclass(frozen=True)
class TrainingPlan:
    """A training that is worth its time.

    Attributes:
        trigger: what calls for it.
        files: what is learned, and what is kept from learning.
        test_set: the rows on which challenger and champion are compared.
    """

    trigger: Trigger
    files: Lineage
    test_set: FrozenTestSet


def plan_training(cycle: Cycle, monitored: Monitored) -> TrainingPlan | Ending:
    """Plan the training that the monitored scores call for. Nothing is trained or moved.

    Returns:
        The cycle's ending where there is none to make: production failed its probation, nothing
        calls for a retrain, no row could test the challenger, or this very attempt lost before.
    """
    job, settings = cycle.job, cycle.settings
    failure = fails_probation(monitored.probation)
    if failure.act and settings.auto_retrain_enabled:
        return failed_probation(cycle, failure)

    back_off = probation.back_off_now(cycle, monitored.probation)
    trigger = should_retrain(monitored.health, settings, back_off, force=job.force)
    if not trigger.act:
        return Ending("kept", trigger.reason)

    files = training_set.trace_lineage(cycle)
    test_set = training_set.freeze_test_set(cycle, files)
    if not test_set.rows:
        why = training_set.why_nothing_is_comparable(test_set)
        return Ending("kept", f"{trigger.reason}, but {why}", trigger=trigger.name)
    loser = training.lost_before(cycle, training_set.attempt_key(cycle, files))
    if loser is not None and not job.force:
        why = f"v{loser.number} lost this very attempt before ({loser.reason or ''})"
        reason = f"{why}; --force tries it again"
        return Ending("rejected", reason, challenger=loser.number, trigger=trigger.name)
    return TrainingPlan(trigger, files, test_set)
