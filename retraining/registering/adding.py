"""The version itself: scored on rows that it has not seen, registered, given the alias,
recorded.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from retraining.commands import Answer
from retraining.cycle import books
from retraining.cycle.calibrating import calibration_of
from retraining.cycle.commit import note_move
from retraining.cycle.drift import sketch_of
from retraining.cycle.gate import mark_the_end
from retraining.cycle.sources import note_the_schema
from retraining.cycle.training import candidate, sections_of
from retraining.ledger import REGISTERED, ranges_outside
from retraining.logs import log
from retraining.model_registry.names import FIRST_MODEL, PREVIOUS
from retraining.records import CycleRecord, Left, Marks, Outcome, Score, Version
from retraining.registering.baseline import beside_production, score_on_unseen_rows
from retraining.registering.plan import with_reservations
from retraining.registering.remarks import as_json, remarks_on
from retraining.registering.thresholds import suggested_thresholds
from retraining.registering.words import (
    Registered,
    beside_in_words,
    description_of,
    in_words,
    reason_of,
)
from retraining.settings import SUGGESTED_THRESHOLDS
from retraining.trainer import load_recipe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from retraining.cycle.drift import Sketch
    from retraining.cycle.job import Job, Recovered
    from retraining.cycle.rows import Section
    from retraining.registering.baseline import Baseline
    from retraining.registering.plan import Plan


@dataclass(frozen=True)
class Made:
    """What a version is made of: the estimator, the code that trained it as a text, and what it
    needs installed.
    """

    estimator: Any
    recipe_text: str
    pip_requirements: tuple[str, ...]


def add_version(
    job: Job,
    recovered: Recovered,
    plan: Plan,
    made: Made,
    sections: Sequence[Section],
    *,
    set_alias: bool,
) -> Answer:
    """Register, score on rows that the model has not seen, and say how to go on."""
    baseline = score_on_unseen_rows(job, plan, made.estimator, sections)
    beside = beside_production(job, plan, made.estimator, sections) if job.shows_pages else None
    remarks = remarks_on(job, plan)
    run_id = books.begin_run(job, plan.cycle_id, plan.started)
    recipe = load_recipe(job.settings.recipe_path)
    marks = replace(plan.marks, parent_run_id=run_id, reason=reason_of(baseline.score))
    record = _record(recovered.ledger.next_number, plan, run_id, baseline.score, None)
    books.save_decision(job, record)
    wanted = replace(
        candidate(recipe, made.estimator, plan.manifest, marks, _sketch(job, plan, baseline)),
        recipe_text=made.recipe_text,
        pip_requirements=made.pip_requirements,
        calibration=calibration_of(baseline.answers, plan.schema),
    )
    version = job.registry.register(wanted, parent=run_id, run_name=FIRST_MODEL)
    if baseline.value is not None:
        job.registry.log_model_metrics(version, {job.settings.metric: baseline.value})
    job.registry.mark(version, Marks(), description_of(plan, baseline.score))
    if beside is not None:
        log.info("%s", beside_in_words(beside, version))
    holder = plan.manifest.champion
    if set_alias:
        _give_the_alias(job, version, holder)
        holder = version
    finish(job, recovered, plan, run_id, version, baseline.score, holder=holder)
    if job.shows_pages:
        _note_thresholds(job, version, baseline)
    result = {
        "version": version,
        "changed": True,
        "alias": set_alias,
        "score": baseline.value,
        "production_score": beside.production.value if beside and beside.production else None,
        "remarks": [as_json(remark) for remark in remarks],
    }
    registered = Registered(version, baseline, beside, remarks, set_alias)
    return Answer(result, in_words(job, plan, registered))


def _sketch(job: Job, plan: Plan, baseline: Baseline) -> Sketch:
    """What later drift is judged against: histograms of the learned rows."""
    files = {file.sha256: file for file in plan.files}
    learned = [
        (files[file.sha256], ranges_outside(file.rows, file.reserved))
        for file in with_reservations(plan)
    ]
    return sketch_of(job, sections_of(learned), plan.schema, baseline.answers)


def _give_the_alias(job: Job, version: int, holder: int | None) -> None:
    """Move the production alias to a version, and note who held it before."""
    job.registry.set_alias(job.settings.production_alias, version)
    if holder is not None:
        job.registry.set_alias(PREVIOUS, holder)
        note_move(job, holder, version, "registered, and given the alias")


def _note_thresholds(job: Job, version: int, baseline: Baseline) -> None:
    """For the error of a setting that is missing, after METRIC was changed: it asks no registry."""
    thresholds = suggested_thresholds(baseline, job.settings.confidence)
    with job.state.if_possible():
        job.state.write(SUGGESTED_THRESHOLDS, {"version": version, "thresholds": thresholds})


def _record(
    number: int, plan: Plan, run_id: str, baseline: Score | None, version: int | None
) -> CycleRecord:
    outcome = Outcome(
        REGISTERED,
        reason_of(baseline),
        cycle_id=plan.cycle_id,
        run_id=run_id,
        challenger_version=version,
    )
    return CycleRecord(
        number,
        plan.cycle_id,
        run_id,
        plan.started,
        outcome,
        batch=plan.batch,
    )


def finish(
    job: Job,
    recovered: Recovered,
    plan: Plan,
    run_id: str,
    version: int,
    baseline: Score | None,
    holder: int | None = None,
) -> None:
    """End the run, and leave registry and local notes as a cycle would."""
    number = recovered.ledger.next_number
    record = _record(number, plan, run_id, baseline, version)
    books.end_run(job, record)
    if holder is None:
        holder = recovered.facts.aliases.get(job.settings.production_alias)
    if holder == version:
        note_the_schema(job, plan.schema)
    found = {file.sha256: file.name for file in plan.files}
    ledger = replace(recovered.ledger, archive={**recovered.ledger.archive, **found})
    books.leave(job, ledger, Left(number, run_id, holder), record)


def say_again(job: Job, recovered: Recovered, same: Version, *, set_alias: bool) -> Answer:
    """Say that there is such a version already.

    Give it the alias where that was asked for and nobody holds it.
    """
    alias = job.settings.production_alias
    holder = recovered.facts.aliases.get(alias)
    text = f"It is registered already as v{same.number}; no new version was made."
    if set_alias and holder is None:
        job.registry.set_alias(alias, same.number)
        left = replace(recovered.left, production_version=same.number)
        books.leave(job, recovered.ledger, left)
        text += f" It holds the alias {alias!r} now."
    elif set_alias and holder != same.number:
        text += (
            f" The alias {alias!r} stays on v{holder}; give it to v{same.number} in the MLflow UI "
            "if that is what you want."
        )
    mark_the_end(job, recovered.facts)
    return Answer({"version": same.number, "changed": set_alias and holder is None}, text)
