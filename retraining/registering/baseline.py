"""How well the new version does on rows that it has not learned, and how production does on the
same rows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from retraining.cycle.calibrating import answers_on_test_rows
from retraining.cycle.copies import leave_out_learned, tell
from retraining.cycle.rows import Section, predictions
from retraining.errors import DamagedModelError, UnreadableFileError
from retraining.model_registry.production import Model, load_model
from retraining.records import NO_COPIES, Copies, Score, Version
from retraining.scoring import coding
from retraining.statistics import metric, score, score_interval
from retraining.statistics.comparison import BLOCKS_FOR_AN_INTERVAL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from retraining.cycle.job import Job
    from retraining.records import Label, Schema
    from retraining.registering.plan import Plan
    from retraining.statistics import Predictions

NO_ROWS = "there was no row to score it on that it had not seen"


@dataclass(frozen=True)
class Baseline:
    """The new version's score, None where there are no rows for one, on so many blocks of rows."""

    score: Score | None
    blocks: int
    answers: Predictions | None
    copies: Copies = NO_COPIES  # of the rows kept from it, those that equal rows that it learned

    @property
    def value(self) -> float | None:
        """The score's value, None where there is none."""
        return self.score.value if self.score is not None else None

    @property
    def why_no_interval(self) -> str | None:
        """Why the score has no interval; None where it has one, or there is no score."""
        if self.score is None or self.score.interval is not None or self.score.value is None:
            return None
        least = BLOCKS_FOR_AN_INTERVAL
        if self.blocks < least:
            return f"no interval, for these rows are in {self.blocks} blocks and it takes {least}"
        return "no interval, for the score is undefined on some of the blocks"


@dataclass(frozen=True)
class Majority:
    """What the commonest class of the scored rows would reach, if it were always answered.

    Attributes:
        label: of that class.
        value: its score.
        rarest: the label of the rarest class, and its share of the rows.
    """

    label: Label
    value: float | None
    rarest: tuple[Label, float]


def majority_of(baseline: Baseline, schema: Schema) -> Majority | None:
    """None where nothing was scored."""
    answers = baseline.answers
    if baseline.score is None or answers is None or not len(answers.truth):
        return None
    labels = coding(schema)
    shares = np.bincount(answers.truth, minlength=len(labels)) / len(answers.truth)
    most, least = int(np.argmax(shares)), int(np.argmin(shares))
    always = replace(
        answers,
        predicted=np.full_like(answers.predicted, most),
        probabilities=np.tile(shares, (len(answers.truth), 1)),
    )
    value = score(metric(baseline.score.metric), always)
    return Majority(labels[most], value, (labels[least], float(shares[least])))


@dataclass(frozen=True)
class Beside:
    """Production and the new version on rows that neither has learned.

    `why_not` says why that could not be had.
    """

    version: int
    production: Score | None = None
    new: Score | None = None
    why_not: str = ""


def score_on_unseen_rows(
    job: Job, plan: Plan, estimator: Any, sections: Sequence[Section]
) -> Baseline:
    """The new version's score on sections, without rows whose values it has learned."""
    if not sections:
        return Baseline(None, 0, None)
    model = _new(job, plan)
    kept, copies = _less_learned(job, plan, sections, [model])
    tell(copies, "reserved")
    with job.stage("scoring"):
        answers = answers_on_test_rows(job, model, kept, estimator)
    if not len(answers.truth):
        return Baseline(None, 0, None, copies)
    return Baseline(_by_metric(job, answers), len(np.unique(answers.blocks)), answers, copies)


def beside_production(
    job: Job, plan: Plan, estimator: Any, sections: Sequence[Section]
) -> Beside | None:
    """Both versions on the same rows; None where nothing is in production."""
    number = plan.manifest.champion
    if number is None:
        return None
    try:
        production = load_model(job.registry, number)
        if production is None:
            return Beside(number, why_not="this job does not know it")
        new = _new(job, plan)
        kept, _ = _less_learned(job, plan, sections, [new, production])
        ours = predictions(job, new, kept, estimator)
        if not len(ours.truth):
            return Beside(number, why_not="there is no row that neither has learned")
        theirs = predictions(job, production, kept)
    except (DamagedModelError, UnreadableFileError) as error:
        return Beside(number, why_not=str(error).rstrip("."))
    return Beside(number, _by_metric(job, theirs), _by_metric(job, ours))


def _new(job: Job, plan: Plan) -> Model:
    return Model(Version(0, "", ""), plan.manifest, job.registry)


def _less_learned(
    job: Job, plan: Plan, sections: Sequence[Section], models: Sequence[Model]
) -> tuple[tuple[Section, ...], Copies]:
    files = {file.sha256: file for file in plan.files}
    learned = [model.learned for model in models]
    return leave_out_learned(job, sections, plan.schema, learned, files)


def scored_by(name: str, answers: Predictions, confidence: float) -> Score:
    """The score by a metric, with its interval."""
    chosen = metric(name)
    interval = score_interval(chosen, answers, confidence)
    return Score(name, score(chosen, answers), len(answers.truth), interval)


def _by_metric(job: Job, answers: Predictions) -> Score:
    return scored_by(job.settings.metric, answers, job.settings.confidence)
