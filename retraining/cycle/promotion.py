"""What an ending asks for: the loser marked, the winner offered or committed, a failure undone.

An ending was decided before; here is the one act that follows. A person may have moved the alias
meanwhile: then theirs stands, and the cycle ends `superseded`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from retraining.cycle import books
from retraining.cycle.commit import complete_promotion, marks_of_one_rolled_back, put_back
from retraining.cycle.outcome import Ending, count_files, outcome_of, record_of
from retraining.cycle.probation import probation_result
from retraining.errors import NoProductionModelError
from retraining.logs import log
from retraining.model_registry.names import CHALLENGER, COMPARISON
from retraining.records import Marks
from retraining.report import description

if TYPE_CHECKING:
    from retraining.cycle.comparing import Compared
    from retraining.cycle.monitoring import Monitored
    from retraining.cycle.opening import Cycle
    from retraining.ledger import Ledger
    from retraining.outcomes import Cause, EndingName
    from retraining.records import Decision, Status


@dataclass(frozen=True)
class Attempt:
    """A training and its comparison: why there was one, the version it made (None in a dry run)."""

    cause: Cause | None
    version: int | None
    compared: Compared

    def ending(self, name: EndingName, reason: str, holder: int | None = None) -> Ending:
        """An ending of the cycle with this attempt in it."""
        return Ending(name, reason, holder, self.version, self.cause, self.compared)


class Done(NamedTuple):
    """How the cycle ends after all, and the ledger as the act left it: promotions archive files."""

    ending: Ending
    ledger: Ledger


def failed_probation(cycle: Cycle, failure: Decision) -> Ending:
    """The ending of a version that does worse than the one before it: that one is put back."""
    failed, previous = cycle.production.number, cycle.production.version.previous
    if previous is None:
        raise ValueError(f"v{failed} is on probation, but it replaced no version")
    return Ending(
        "rolled_back", f"v{failed} failed its probation: {failure.reason}", holder=previous
    )


def carry_out(cycle: Cycle, monitored: Monitored, ending: Ending) -> Done:
    """Do what an ending asks for. A dry run does nothing."""
    untouched = Done(ending, cycle.recovered.ledger)
    if cycle.run_id is None:
        return untouched
    if ending.name == "rolled_back":
        return Done(_roll_back(cycle, monitored, ending), cycle.recovered.ledger)
    _note_probation(cycle, monitored)
    if ending.compared is None:  # kept, or rejected because the same attempt lost before
        return untouched
    if ending.name == "promoted":
        return _promote(cycle, monitored, ending)
    if ending.name == "rejected":
        _mark_challenger(cycle, monitored, ending, "rejected")
        return untouched
    if ending.name != "awaiting_approval":
        raise ValueError(f"nothing says what {ending.name!r} asks for")
    _mark_challenger(cycle, monitored, ending)
    _offer_to_a_person(cycle, ending)
    return untouched


def _offer_to_a_person(cycle: Cycle, ending: Ending) -> None:
    """The winner waits under the alias `challenger`, and its files with it."""
    version = _version_of(ending)
    _supersede_the_one_that_waited(cycle, version)
    cycle.registry.set_alias(CHALLENGER, version)


def _promote(cycle: Cycle, monitored: Monitored, ending: Ending) -> Done:
    """Commit by moving the alias, unless a person moved it; then archive what was consumed."""
    registry, alias = cycle.registry, cycle.settings.production_alias
    version = _version_of(ending)
    _save_the_decision(cycle, monitored, ending)
    _mark_challenger(cycle, monitored, ending)
    if registry.facts().aliases.get(alias) != cycle.production.number:
        return Done(_superseded(cycle, ending), cycle.recovered.ledger)
    registry.set_alias(alias, version)
    cycle.job.tally.committed = True
    if registry.facts().aliases.get(alias) != version:
        return Done(_superseded(cycle, ending), cycle.recovered.ledger)
    return Done(ending, _complete(cycle, version))


def _complete(cycle: Cycle, promoted: int) -> Ledger:
    job = cycle.job
    version = job.registry.version(promoted)
    if version is None:
        raise NoProductionModelError(
            f"v{promoted} was deleted right after it was promoted.",
            unchanged="Its files were not archived.",
            remedy="Assign the alias to a version in the MLflow UI.",
        )
    with job.stage("archiving"):
        facts = job.registry.facts()
        ledger = complete_promotion(job, cycle.recovered.ledger, version, facts, by_person=False)
        _supersede_the_one_that_waited(cycle, promoted)
    return ledger


def _roll_back(cycle: Cycle, monitored: Monitored, ending: Ending) -> Ending:
    """Go back to the version before, unless a person moved the alias since."""
    job, failed, previous = cycle.job, cycle.production.version, ending.holder
    assert previous is not None
    if job.registry.facts().aliases.get(job.settings.production_alias) != failed.number:
        return _superseded(cycle, ending)
    _save_the_decision(cycle, monitored, ending)
    marks = replace(
        marks_of_one_rolled_back(failed, previous, ending.reason),
        rolled_back_in=cycle.run_id,
        probation="failed",
    )
    job.registry.mark(failed.number, marks, _description(cycle, monitored, ending))
    job.tally.committed = True
    put_back(job, previous, failed.number, ending.reason)
    log.warning("%s; v%d is in production again", ending.reason, previous)
    return ending


def _superseded(cycle: Cycle, ending: Ending) -> Ending:
    """What becomes of an ending when a person moved the alias while the cycle ran."""
    registry, alias = cycle.registry, cycle.settings.production_alias
    holder = registry.facts().aliases.get(alias)
    where = f"v{holder}" if holder is not None else "no version"
    start = cycle.production.number
    reason = (
        f"a person moved the alias {alias!r} from v{start} to {where} while the cycle ran: "
        "theirs stands"
    )
    if ending.challenger is not None and ending.challenger != holder:
        registry.mark(ending.challenger, Marks(reason=reason, status="superseded"))
    return replace(ending, name="superseded", reason=reason, holder=holder)


def _mark_challenger(
    cycle: Cycle, monitored: Monitored, ending: Ending, status: Status | None = None
) -> None:
    """Mark the challenger with its verdict, describe it, and put its score on its model."""
    assert ending.compared is not None
    comparison, version = ending.compared.comparison, _version_of(ending)
    marks = Marks(verdict=comparison.verdict, reason=ending.reason, status=status)
    registry, metric = cycle.registry, cycle.settings.metric
    registry.mark(version, marks, _description(cycle, monitored, ending))
    if comparison.challenger.value is not None:
        registry.log_model_metrics(version, {metric: comparison.challenger.value})
    _log_comparison(cycle, ending.compared)


def _description(cycle: Cycle, monitored: Monitored, ending: Ending) -> str:
    return description(outcome_of(cycle, monitored, ending), cycle.settings.command)


def _log_comparison(cycle: Cycle, compared: Compared) -> None:
    comparison, name = compared.comparison, cycle.settings.metric
    metrics = {
        f"{name}/production_on_test": comparison.champion.value,
        f"{name}/challenger_on_test": comparison.challenger.value,
        f"{name}/improvement": comparison.improvement,
        "data/test_rows": float(comparison.rows),
        "data/test_rows_left_out": float(comparison.rows_dropped),
    }
    kept = {key: value for key, value in metrics.items() if value is not None}
    params = {"verdict": comparison.verdict}
    cycle.registry.log_stage(str(cycle.run_id), COMPARISON, metrics=kept, params=params)


def _save_the_decision(cycle: Cycle, monitored: Monitored, ending: Ending) -> None:
    """Before the alias moves: a later start closes this cycle, should it die right after."""
    files = count_files(cycle, cycle.recovered.ledger, ending.name)
    outcome = outcome_of(cycle, monitored, ending, files)
    books.save_decision(cycle.job, record_of(cycle, monitored, outcome))


def _supersede_the_one_that_waited(cycle: Cycle, newer: int) -> None:
    registry = cycle.registry
    waited = registry.facts().challenger
    if waited is not None and waited != newer:
        reason = f"v{newer} was trained later, on more files"
        registry.mark(waited, Marks(reason=reason, status="superseded"))
        registry.drop_alias(CHALLENGER)


def _note_probation(cycle: Cycle, monitored: Monitored) -> None:
    """Close a probation that was passed, or that cannot be held."""
    if probation_result(cycle, monitored.probation) == "passed":
        mark = "passed"
    elif monitored.skipped:
        mark = f"not held: {monitored.skipped}"
    else:
        return
    cycle.registry.mark(cycle.production.number, Marks(probation=mark))


def _version_of(ending: Ending) -> int:
    """The challenger's version: every cycle that writes registers the one that it trains."""
    assert ending.challenger is not None
    return ending.challenger
