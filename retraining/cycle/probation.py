"""Probation and hindsight: a past version beside another, on rows that neither has seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from retraining.cycle.copies import archived_files, leave_out_learned
from retraining.cycle.rows import predictions, whole_files
from retraining.errors import DamagedModelError
from retraining.ledger import BackOff, back_off
from retraining.logs import log
from retraining.model_registry.production import Model, load_model
from retraining.records import Comparison, Hindsight, Score
from retraining.statistics import compare, metric

if TYPE_CHECKING:
    from collections.abc import Sequence

    from retraining.cycle.opening import Cycle
    from retraining.cycle.rows import Section
    from retraining.records import Outcome, ProbationResult
    from retraining.statistics import PairedResult, Predictions


def hold_probation(cycle: Cycle) -> tuple[Comparison | None, str | None]:
    """The production version against the one before it, on the first batches after its promotion.

    Returns the comparison, where one was held; or why one that is due cannot be held.
    """
    version, settings = cycle.production.version, cycle.settings
    previous = version.previous
    if version.probation != "open" or settings.probation_batches == 0 or previous is None:
        return None, None
    try:
        before = load_model(cycle.registry, previous)
        if before is None:
            return None, f"v{previous} cannot be compared with v{version.number}"
        result = _side_by_side(cycle, before, cycle.production)
    except DamagedModelError as error:
        log.warning("probation skipped: v%s cannot be loaded: %s", previous, error)
        return None, f"v{previous} cannot be loaded"
    return (None if result is None else _as_comparison(cycle, result)), None


def probation_result(cycle: Cycle, comparison: Comparison | None) -> ProbationResult | None:
    """`failed`, `passed` after the last of PROBATION_BATCHES, or None while nothing was decided.

    A batch on which the metric is undefined (one class only) decides nothing, and is not counted.
    """
    if comparison is None or comparison.improvement is None:
        return None
    if comparison.verdict == "worse":
        return "failed"
    number = cycle.production.number
    held = sum(
        1
        for r in cycle.recovered.ledger.cycles
        if r.hindsight and r.hindsight.challenger == number and r.hindsight.promoted
    )
    return "passed" if held + 1 >= cycle.settings.probation_batches else None


def back_off_now(cycle: Cycle, comparison: Comparison | None) -> BackOff:
    """Roll-backs by probation in a row, and the files since the last one, this cycle's included."""
    earlier = back_off(cycle.recovered.ledger.records)
    here = len(cycle.batch.files) if cycle.batch is not None else 0
    return BackOff(
        0 if probation_result(cycle, comparison) == "passed" else earlier.failures,
        earlier.files_since + here,
    )


def grade_the_last_decision(cycle: Cycle, probation: Comparison | None) -> Hindsight | None:
    """The last challenger, promoted or rejected, beside the version it was compared with."""
    last = _last_attempt(cycle)
    if last is None or last.challenger_version is None:
        return None
    number, rival = last.challenger_version, last.previous_version or 0
    serves = number == cycle.production.number
    promoted = last.ending == "promoted" or serves
    if promoted and serves and probation is not None and probation.improvement is not None:
        return _graded(number, rival, probation, promoted=True)
    try:
        challenger = load_model(cycle.registry, number)
        champion = load_model(cycle.registry, rival)
        result = _side_by_side(cycle, champion, challenger) if challenger and champion else None
    except DamagedModelError as error:
        log.warning("hindsight skipped: %s", error)
        return None
    if result is None or result.improvement is None:
        return None
    return _graded(number, rival, _as_comparison(cycle, result), promoted=promoted)


def _last_attempt(cycle: Cycle) -> Outcome | None:
    """The last cycle's outcome that was about a challenger."""
    for record in reversed(cycle.recovered.ledger.cycles):
        if record.outcome.challenger_version is not None:
            return record.outcome
    return None


def _side_by_side(cycle: Cycle, rival: Model, challenger: Model) -> PairedResult | None:
    """The challenger against its rival on the fresh rows.

    None where there are none, or the two cannot read the same rows.
    """
    if not _read_alike(rival, challenger) or not _read_alike(challenger, cycle.production):
        return None
    sections = _fresh_sections(cycle, (rival, challenger))
    if not sections:
        return None
    answers = [predictions(cycle.job, model, sections) for model in (rival, challenger)]
    if not len(answers[0].truth):
        return None
    return _compared(cycle, *answers)


def _fresh_sections(cycle: Cycle, models: Sequence[Model]) -> tuple[Section, ...]:
    """Every block of the files that were not there when any of the models was made.

    Rows whose values one of them learned are left out.
    """
    exposed = frozenset().union(*(model.exposed for model in models))
    fresh = [file for file in cycle.claimed.files if file.sha256 not in exposed]
    sections, _ = leave_out_learned(
        cycle.job,
        whole_files(fresh),
        models[0].schema,
        [model.learned for model in models],
        archived_files(cycle.job),
    )
    return sections


def _compared(cycle: Cycle, rival: Predictions, challenger: Predictions) -> PairedResult:
    settings = cycle.settings
    return compare(
        metric(settings.metric),
        rival,
        challenger,
        confidence=settings.confidence,
        min_rows=settings.min_test_rows,
    )


def _read_alike(one: Model, other: Model) -> bool:
    return (one.schema.names, one.schema.classes, one.schema.target) == (
        other.schema.names,
        other.schema.classes,
        other.schema.target,
    )


def _as_comparison(cycle: Cycle, result: PairedResult) -> Comparison:
    """A paired result between two versions, without the scores of each."""
    name = cycle.settings.metric
    unknown = Score(name, None, result.rows)
    return Comparison(
        champion=unknown,
        challenger=unknown,
        improvement=result.improvement,
        interval=result.interval,
        confidence=cycle.settings.confidence,
        verdict=result.verdict,
        rows=result.rows,
        blocks=result.blocks,
        standard_error=result.standard_error,
    )


def _graded(challenger: int, rival: int, comparison: Comparison, *, promoted: bool) -> Hindsight:
    gain = comparison.improvement if comparison.improvement is not None else 0.0
    return Hindsight(
        challenger,
        rival,
        promoted,
        gain,
        comparison.interval,
        comparison.rows,
        comparison.standard_error,
        comparison.blocks,
    )
