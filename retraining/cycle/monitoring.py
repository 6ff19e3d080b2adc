"""How the production version does on fresh files, and how past decisions look on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from retraining.cycle.copies import archived_files, leave_out_learned, tell
from retraining.cycle.drift import Sketch, judge_drift
from retraining.cycle.hidden_copies import hidden_copies
from retraining.cycle.never_seen import NeverSeen, columns_never_seen
from retraining.cycle.probation import grade_the_last_decision, hold_probation
from retraining.cycle.rows import predictions, whole_files
from retraining.cycle.traffic_drift import drift_since
from retraining.decisions import NOTHING_TO_SCORE, Health
from retraining.errors import DamagedModelError, UnpredictableRowsError
from retraining.ledger import REGISTERED
from retraining.logs import log
from retraining.model_registry.names import MONITORING
from retraining.phrases import first_few, gained_or_lost, how_many
from retraining.records import NO_COPIES, Copies, Decision, Drift, Score
from retraining.statistics import (
    Estimate,
    compare_with_record,
    estimate,
    metric,
    t_interval,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from retraining.cycle.opening import Cycle
    from retraining.cycle.rows import Section
    from retraining.records import Comparison, CycleRecord, DataFile, Hindsight
    from retraining.statistics import Predictions

NOT_JUDGED = "the drop could not be judged on these rows"


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
        copies: the new rows that its score leaves out: they were there when it was made.
    """

    health: Health
    served: Estimate
    probation: Comparison | None
    skipped: str | None
    hindsight: Hindsight | None
    moved: Moved | None
    never_seen: tuple[NeverSeen, ...] = ()
    copies: Copies = NO_COPIES


@dataclass(frozen=True)
class Moved:
    """Histograms of what production learned from and of this cycle's rows."""

    reference: Sketch
    current: Sketch


def monitor(cycle: Cycle) -> Monitored:
    """Score production on the files of this cycle, judge drift, hold probation, and grade the last
    decision.
    """
    settings = cycle.settings
    with cycle.job.stage("scoring"):
        sections, copies = _rows_never_seen(cycle)
        answers = served_answers(cycle, sections)
        served = estimate(metric(settings.metric), answers)
    score = Score(
        settings.metric, served.value, served.rows, t_interval(served, settings.confidence)
    )
    with cycle.job.stage("drift"):
        drift, moved = _judge_drift(cycle, sections, answers)
        never_seen = columns_never_seen(cycle, moved.reference if moved is not None else None)
        traffic_drift = _drift_of_traffic(cycle)
    with cycle.job.stage("hindsight"):
        probation, skipped = hold_probation(cycle)
        hindsight = grade_the_last_decision(cycle, probation)
    records = cycle.recovered.ledger.records
    health = Health(
        served=score,
        drop=_drop(cycle, served, records),
        drift=drift,
        now=cycle.started,
        last_training=max((record.started for record in records if _trained(record)), default=None),
        records=records,
        hindsight=hindsight,
        traffic_drift=traffic_drift,
    )
    _log_monitoring(cycle, score)
    return Monitored(health, served, probation, skipped, hindsight, moved, never_seen, copies)


def _rows_never_seen(cycle: Cycle) -> tuple[tuple[Section, ...], Copies]:
    """The new rows without copies of those that were there when production was made.

    Those that it learned would flatter it; those that were kept from it are not new either.
    """
    production = cycle.production
    sections, copies = leave_out_learned(
        cycle.job,
        whole_files(cycle.claimed.files),
        production.schema,
        [production.seen],
        archived_files(cycle.job),
        with_its_label=True,
    )
    tell(copies, "new")
    hidden = hidden_copies(cycle) if cycle.job.shows_pages else None
    if hidden is not None:
        log.warning("%s: they are scored as new; %s", hidden.in_words(), hidden.remedy)
    return sections, copies


def _judge_drift(
    cycle: Cycle, sections: Sequence[Section], answers: Predictions
) -> tuple[Drift, Moved | None]:
    content = cycle.registry.sketches(cycle.production.version)
    if not content or not len(answers.truth):
        return Drift(), None
    reference = Sketch.from_json(content)
    drift, current = judge_drift(cycle.job, reference, sections, cycle.production.schema, answers)
    if drift.moved:
        log.info("drift was detected in %s", first_few(drift.moved, 10))
    return drift, Moved(reference, current)


def _drift_of_traffic(cycle: Cycle) -> Drift | None:
    """Of the logged predictions since the last cycle.

    Looked at only where the trigger asks, and never by a replay.
    """
    if "drift" not in cycle.settings.retrain_when or not cycle.job.shows_pages:
        return None
    records = cycle.recovered.ledger.records
    since = max((record.started for record in records), default=None)
    return drift_since(cycle.settings, cycle.production, since)


def _log_monitoring(cycle: Cycle, score: Score) -> None:
    if cycle.run_id is None:
        return
    metrics = {"data/new_rows": float(score.rows)}
    if score.value is not None:
        metrics[f"{score.metric}/production_on_new"] = score.value
    cycle.registry.log_stage(
        cycle.run_id,
        MONITORING,
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
    if served.value is None:
        return Decision(False, NOT_JUDGED if served.rows else NOTHING_TO_SCORE)
    own = [
        Estimate(record.served.value, record.served_error, record.served.rows, record.served_blocks)
        for record in records
        if record.served is not None
        and record.served.value is not None
        and record.outcome.previous_version == cycle.production.number
        and record.served.metric == cycle.settings.metric
    ]
    if not own:
        first = f"v{cycle.production.number} has no earlier score to compare with"
        return Decision(False, f"{first}: its record begins with this batch")
    result = compare_with_record(
        metric(cycle.settings.metric), own, served, confidence=cycle.settings.confidence
    )
    if result.improvement is None:
        return Decision(False, NOT_JUDGED)
    worse = result.verdict == "worse"
    moved = gained_or_lost(result.improvement)
    record = f"its own record on {how_many(len(own), 'batch', 'batches')}"
    significant = "significantly worse" if worse else "no significant drop"
    return Decision(worse, f"production {moved} against {record}: {significant}")


# --- production's answers on this cycle's files ---------------------------------------------------


def served_answers(cycle: Cycle, sections: Sequence[Section]) -> Predictions:
    """Production's answers on the labelled rows of this cycle's files.

    Raises:
        UnpredictableRowsError: it raises on the rows of some files; they were refused.
        DamagedModelError: it raises on those of every file.
    """
    try:
        return predictions(cycle.job, cycle.production, sections)
    except DamagedModelError:
        _refuse_those_to_blame(cycle)
        raise


def _refuse_those_to_blame(cycle: Cycle) -> None:
    """Some values are too much for some models (1e300 for a tree of 32-bit floats): one file must
    not stop all others for ever.
    """
    files, folder = cycle.claimed.files, cycle.settings.quarantine_dir
    reasons = {file: reason for file in files if (reason := _why_not_predicted(cycle, file))}
    if not reasons or len(reasons) == len(files):
        return
    for file, reason in reasons.items():
        cycle.job.refuse(
            file.name,
            f"production (v{cycle.production.number}) cannot predict its rows: {reason}",
            file.sha256,
        )
    first = next(iter(reasons))
    what = (
        f"v{cycle.production.number} cannot predict the rows of {len(reasons)} of {len(files)}"
        f" files: {first.name!r}: {reasons[first]}."
    )
    if cycle.job.dry_run:
        raise UnpredictableRowsError(
            what, remedy="Mend them where they lie, or let the recipe cope with such values."
        )
    raise UnpredictableRowsError(
        what,
        unchanged=f"These files are in {folder}, each with its reason beside it; no alias moved.",
        remedy=(
            "The next start goes on without them. Mend and `requeue` them, or let the recipe cope"
            " with such values."
        ),
    )


def _why_not_predicted(cycle: Cycle, file: DataFile) -> str | None:
    try:
        predictions(cycle.job, cycle.production, whole_files([file]))
    except DamagedModelError as error:
        return str(error.__cause__ or error.what).strip().rstrip(".")
    return None
