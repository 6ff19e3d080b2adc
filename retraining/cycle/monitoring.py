"""How the production version does on fresh files, and how past decisions look on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from retraining.cycle.drifting import Sketch, judge_drift
from retraining.cycle.never_seen import NeverSeen, columns_never_seen
from retraining.cycle.preflight import Model, load_model
from retraining.cycle.rows import leave_out_learned, predictions, whole_files
from retraining.cycle.serving import served_answers
from retraining.decisions import Health
from retraining.errors import DamagedModelError
from retraining.ledger import REGISTERED, BackOff, back_off
from retraining.logs import log
from retraining.phrases import first_few, gained_or_lost, how_many
from retraining.records import Comparison, DataFile, Decision, Drift, Hindsight, Score
from retraining.statistics import (
    Estimate,
    compare,
    compare_with_record,
    estimate,
    metric,
    t_interval,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from retraining.cycle.opening import Cycle
    from retraining.cycle.rows import Section
    from retraining.records import CycleRecord, ProbationResult
    from retraining.statistics import PairedResult, Predictions


@dataclass(frozen=True)
class Monitored:
    """What monitoring found.

    Attributes:
        health: what the triggers look at.
        served: production's score on this cycle's files, with its error.
        probation: the new version against the one before it, where it is on probation.
        skipped: why a probation that was due could not be held.
        hindsight: the last challenger against its rival.
        moved: the histograms that drift was judged on; None where production carries none.
        never_seen: columns whose values production does not know, though it usually does.
    """

    health: Health
    served: Estimate
    probation: Comparison | None
    skipped: str | None
    hindsight: Hindsight | None
    moved: Moved | None
    never_seen: tuple[NeverSeen, ...] = ()


@dataclass(frozen=True)
class Moved:
    """Histograms of what production learned from and of this cycle's rows."""

    reference: Sketch
    current: Sketch


def monitor(cycle: Cycle) -> Monitored:
    """Score production on the files of this cycle, judge drift, hold probation, and grade the last decision."""
    settings = cycle.job.settings
    sections = whole_files(cycle.claimed.files)
    with cycle.job.stage("scoring"):
        answers = served_answers(cycle, sections)
        served = estimate(metric(settings.metric), answers)
    score = Score(
        settings.metric, served.value, served.rows, t_interval(served, settings.confidence)
    )
    with cycle.job.stage("drift"):
        drift, moved = _judge_drift(cycle, sections, answers)
        never_seen = columns_never_seen(cycle, moved.reference if moved is not None else None)
    with cycle.job.stage("hindsight"):
        probation, skipped = _hold_probation(cycle)
        hindsight = _grade_the_last_decision(cycle, probation)
    records = cycle.recovered.ledger.records
    health = Health(
        served=score,
        drop=_drop(cycle, served, records),
        drift=drift,
        now=cycle.started,
        last_training=max((record.started for record in records if _trained(record)), default=None),
        records=records,
        hindsight=hindsight,
    )
    _log_monitoring(cycle, score)
    return Monitored(health, served, probation, skipped, hindsight, moved, never_seen)


def _judge_drift(
    cycle: Cycle, sections: Sequence[Section], answers: Predictions
) -> tuple[Drift, Moved | None]:
    content = cycle.job.registry.sketches(cycle.production.version)
    if not content:
        return Drift(), None
    reference = Sketch.from_json(content)
    drift, current = judge_drift(cycle.job, reference, sections, cycle.production.schema, answers)
    moved = drift.moved
    if moved:
        log.info(
            "drift was detected in %s",
            first_few(moved, 10),
        )
    return drift, Moved(reference, current)


def _log_monitoring(cycle: Cycle, score: Score) -> None:
    if cycle.run_id is None:
        return
    metrics = {"data/new_rows": float(score.rows)}
    if score.value is not None:
        metrics[f"{score.metric}/production_on_new"] = score.value
    cycle.job.registry.log_stage(
        cycle.run_id,
        "ModelMonitoring",
        metrics=metrics,
        params={
            "production_version": str(cycle.production.number),
            "files": str(len(cycle.claimed.files)),
        },
        dataset=("new_data", cycle.batch_digest, score.rows),
    )


def _trained(record: CycleRecord) -> bool:
    return record.ending == REGISTERED or record.outcome.challenger_version is not None


def _drop(cycle: Cycle, served: Estimate, records: Sequence[CycleRecord]) -> Decision:
    """Against this version's own record: its scores on the batches that it served."""
    own = [
        Estimate(record.served.value, record.served_error, record.served.rows, record.served_blocks)
        for record in records
        if record.served is not None
        and record.outcome.previous_version == cycle.production.number
        and record.served.metric == cycle.job.settings.metric
    ]
    if not own:
        return Decision(False, f"v{cycle.production.number} has no earlier score to compare with")
    found = compare_with_record(
        metric(cycle.job.settings.metric), own, served, confidence=cycle.job.settings.confidence
    )
    if found.improvement is None:
        return Decision(False, "the drop could not be judged on these rows")
    worse = found.verdict == "worse"
    moved = gained_or_lost(found.improvement)
    record = f"its own record on {how_many(len(own), 'batch', 'batches')}"
    significant = "significantly worse" if worse else "no significant drop"
    return Decision(worse, f"production {moved} against {record}: {significant}")


# --- a past version beside another on rows that neither has seen ----------------------------------------------------------


def _fresh_sections(cycle: Cycle, models: Sequence[Model]) -> tuple[Section, ...]:
    """Every block of the files that were not there when any of the models was made, less rows whose values one of them learned."""
    exposed = frozenset().union(*(model.exposed for model in models))
    fresh = [file for file in cycle.claimed.files if file.sha256 not in exposed]
    folder = cycle.job.settings.used_data_dir
    archive = {
        sha: DataFile(names[0], sha, folder / names[0])
        for sha, names in cycle.job.inbox.archived().items()
    }
    sections, _ = leave_out_learned(
        cycle.job,
        whole_files(fresh),
        models[0].schema,
        [model.learned for model in models],
        archive,
    )
    return sections


def _side_by_side(cycle: Cycle, rival: Model, challenger: Model) -> PairedResult | None:
    """The challenger against its rival on the fresh rows; None where there are none, or the two cannot read the same rows."""
    if not _read_alike(rival, challenger) or not _read_alike(challenger, cycle.production):
        return None
    sections = _fresh_sections(cycle, (rival, challenger))
    if not sections:
        return None
    answers = [predictions(cycle.job, model, sections) for model in (rival, challenger)]
    if not len(answers[0].truth):
        return None
    return _compared(cycle, *answers)


def _compared(cycle: Cycle, rival: Predictions, challenger: Predictions) -> PairedResult:
    settings = cycle.job.settings
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


def _hold_probation(cycle: Cycle) -> tuple[Comparison | None, str | None]:
    """The production version against the one before it, on the first fresh batches after its promotion."""
    version, settings = cycle.production.version, cycle.job.settings
    previous = version.previous
    if version.probation != "open" or settings.probation_batches == 0 or previous is None:
        return None, None
    try:
        before = load_model(cycle.job.registry, previous)
        found = _side_by_side(cycle, before, cycle.production) if before is not None else None
    except DamagedModelError as error:
        log.warning("probation skipped: v%s cannot be loaded: %s", previous, error)
        return None, f"v{previous} cannot be loaded"
    if found is None or before is None:
        return (
            None,
            f"v{previous} cannot be compared with v{cycle.production.number}"
            if before is None
            else None,
        )
    return as_comparison(cycle, found), None


def as_comparison(cycle: Cycle, found: PairedResult) -> Comparison:
    """A paired result between two versions, without the scores of each."""
    name = cycle.job.settings.metric
    unknown = Score(name, None, found.rows)
    return Comparison(
        champion=unknown,
        challenger=unknown,
        improvement=found.improvement,
        interval=found.interval,
        confidence=cycle.job.settings.confidence,
        verdict=found.verdict,
        rows=found.rows,
        blocks=found.blocks,
        standard_error=found.standard_error,
    )


def _grade_the_last_decision(cycle: Cycle, probation: Comparison | None) -> Hindsight | None:
    """The last challenger, promoted or rejected, beside the version it was compared with."""
    last = next(
        (
            record.outcome
            for record in reversed(cycle.recovered.ledger.cycles)
            if record.outcome.challenger_version is not None
        ),
        None,
    )
    if last is None or last.challenger_version is None:
        return None
    number, rival = last.challenger_version, last.previous_version or 0
    promoted = last.ending == "promoted" or number == cycle.production.number
    if (
        promoted
        and probation is not None
        and number == cycle.production.number
        and probation.improvement is not None
    ):
        return _graded(number, rival, probation, promoted=True)
    try:
        challenger, champion = (
            load_model(cycle.job.registry, number),
            load_model(cycle.job.registry, rival),
        )
        found = _side_by_side(cycle, champion, challenger) if challenger and champion else None
    except DamagedModelError as error:
        log.warning("hindsight skipped: %s", error)
        return None
    if found is None or found.improvement is None:
        return None
    return _graded(number, rival, as_comparison(cycle, found), promoted=promoted)


def _graded(challenger: int, rival: int, found: Comparison, *, promoted: bool) -> Hindsight:
    gain = found.improvement if found.improvement is not None else 0.0
    return Hindsight(
        challenger,
        rival,
        promoted,
        gain,
        found.interval,
        found.rows,
        found.standard_error,
        found.blocks,
    )


def probation_result(cycle: Cycle, monitored: Monitored) -> ProbationResult | None:
    """`failed`, `passed` after the last of PROBATION_BATCHES, or None while nothing was decided.

    A batch on which the metric is undefined (one class only) decides nothing, and is not counted.
    """
    if monitored.probation is None or monitored.probation.improvement is None:
        return None
    if monitored.probation.verdict == "worse":
        return "failed"
    number = cycle.production.number
    held = sum(
        1
        for r in cycle.recovered.ledger.cycles
        if r.hindsight and r.hindsight.challenger == number and r.hindsight.promoted
    )
    return "passed" if held + 1 >= cycle.job.settings.probation_batches else None


def back_off_now(cycle: Cycle, monitored: Monitored) -> BackOff:
    """Roll-backs by probation in a row, and the files since the last one, this cycle's included."""
    earlier = back_off(cycle.recovered.ledger.records)
    here = len(cycle.batch.files) if cycle.batch is not None else 0
    return BackOff(
        0 if probation_result(cycle, monitored) == "passed" else earlier.failures,
        earlier.files_since + here,
    )
