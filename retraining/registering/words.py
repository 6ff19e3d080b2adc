"""The sentences about a registration: in the registry, in the log and on the terminal."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from retraining.cycle.production import how_to_assign, public_uri
from retraining.phrases import copies_in_words, first_few, in_brackets
from retraining.registering.baseline import majority_of
from retraining.registering.remarks import remarks_in_words
from retraining.registering.thresholds import (
    ROWS_COUNT_ALIKE,
    suggested_threshold,
    threshold_source,
)
from retraining.scoring import coding
from retraining.settings import spelled_out

if TYPE_CHECKING:
    from collections.abc import Iterator

    from retraining.cycle.job import Job
    from retraining.datasets.survey import Remark
    from retraining.records import Schema, Score
    from retraining.registering.baseline import Baseline, Beside
    from retraining.registering.plan import Plan
    from retraining.settings import Settings


NAMES_SHOWN = 30  # of columns of a kind, of classes
PERFECT = {"error_rate": 0.0, "neg_log_loss": 0.0, "neg_brier_score": 0.0}  # else 1
RARE = 0.05  # share of rows, below which a class hardly counts where all rows count alike


def reason_of(baseline: Score | None) -> str:
    """Why the version is there."""
    if baseline is None or baseline.value is None:
        return "registered by a person; there was no row to score it on that it had not seen"
    score = f"{baseline.metric} {_with_interval(baseline)}"
    return f"registered by a person; {score} on {baseline.rows:,} rows that it had not seen"


def _with_interval(baseline: Score) -> str:
    interval = f" {in_brackets(baseline.interval, '.4f')}" if baseline.interval else ""
    return f"{baseline.value:.4f}{interval}"


def description_of(plan: Plan, baseline: Score | None) -> str:
    """The version's description in the UI."""
    reason = reason_of(baseline)
    learned = f"It learned from {len(plan.manifest.files)} files."
    undo = "Undo: move the production alias to another version in the MLflow UI."
    return f"{reason[0].upper()}{reason[1:]}. {learned} {undo}"


@dataclass(frozen=True)
class Registered:
    """What came of a registration, as far as a person is told of it."""

    version: int
    baseline: Baseline
    beside: Beside | None
    remarks: tuple[Remark, ...]
    holds_the_alias: bool


def in_words(job: Job, plan: Plan, registered: Registered) -> str:
    """What a person reads after a registration."""
    settings, schema = job.settings, plan.schema
    where = public_uri(settings.mlflow_tracking_uri)
    reason = reason_of(registered.baseline.score)
    why = registered.baseline.why_no_interval
    end = f" ({why})." if why else "."
    name, classes = settings.model_name, first_few(map(str, coding(schema)), NAMES_SHOWN)
    lines = [
        f"Registered v{registered.version} of {name!r} in {where}: {reason}{end}",
        f"Columns: {_columns_in_words(schema)}; classes of {schema.target!r}: {classes}.",
    ]
    lines += remarks_in_words(registered.remarks)
    copies = registered.baseline.copies
    if copies_in_words(copies):
        lines.append(f"{'Warning: ' if copies.most else ''}{copies_in_words(copies, 'reserved')}")
    lines += majority_in_words(registered.baseline, schema)
    lines += _scores_in_words(settings, registered)
    if plan.left_out:
        count, first = len(plan.left_out), next(iter(plan.left_out.values()))
        lines.append(
            f"Left out, by this version and those after it: {count} files of the archive that lack"
            f" something, such as {first}."
        )
    lines.append(_alias_in_words(settings, plan, registered))
    return "\n".join(lines)


def _columns_in_words(schema: Schema) -> str:
    counted = []
    for kind in ("number", "boolean", "string"):
        names = [column.name for column in schema.columns if column.kind == kind]
        if names:
            counted.append(f"{len(names)} {kind} ({first_few(names, NAMES_SHOWN)})")
    return "; ".join(counted)


def majority_in_words(baseline: Baseline, schema: Schema) -> Iterator[str]:
    """What a score says beside that of always answering the commonest class."""
    always = majority_of(baseline, schema)
    if always is None or baseline.score is None:
        return
    name = baseline.score.metric
    reached = "has no" if always.value is None else "reaches"
    value = "" if always.value is None else f" {always.value:.4f}"
    yield f"Always answering {str(always.label)!r} {reached} {name}{value} on these rows."
    label, share = always.rarest
    if name in ROWS_COUNT_ALIKE and share < RARE:
        better = "f1 or average_precision" if len(schema.classes) == 2 else "f1_macro"
        yield (
            f"Only {share:.1%} of these rows are {str(label)!r}, so {name} says little of them:"
            f" METRIC={better} says more."
        )


def _scores_in_words(settings: Settings, registered: Registered) -> Iterator[str]:
    score = registered.baseline.score
    if score is not None and score.value is not None:
        if score.value == PERFECT.get(score.metric, 1.0):
            yield (
                f"A perfect {score.metric} of {score.value:.1f} is seldom true: look for a column "
                "that is made from the label, or known only after it."
            )
        greater = settings.greater_is_better
        threshold = suggested_threshold(registered.baseline, greater_is_better=greater)
        if threshold == 0 and greater:
            why = f"No RETRAIN_THRESHOLD is suggested: no {score.metric} falls below 0."
            yield why + (_asked_for_all_the_same(settings) if _must_be_set(settings) else "")
        else:
            source = threshold_source(registered.baseline, greater_is_better=greater)
            yield f"Suggested: RETRAIN_THRESHOLD={threshold:g} ({source})"
    elif _must_be_set(settings):
        why = "No RETRAIN_THRESHOLD can be suggested without a score."
        yield why + _asked_for_all_the_same(settings)
    if registered.beside is not None:
        yield beside_in_words(registered.beside, registered.version)


def _must_be_set(settings: Settings) -> bool:
    """Whether `run` and `check` want a RETRAIN_THRESHOLD that has no default."""
    return "threshold" in settings.retrain_when and math.isnan(settings.retrain_threshold)


def _asked_for_all_the_same(settings: Settings) -> str:
    return (
        f" `run` and `check` ask for one: the worst {settings.metric} that you accept; or take"
        " threshold out of RETRAIN_WHEN."
    )


def beside_in_words(beside: Beside, version: int) -> str:
    """How production does on the rows that the new version was scored on."""
    production, new = beside.production, beside.new
    if production is None or new is None:
        return (
            f"v{beside.version}, which is in production, cannot be compared with it: "
            f"{beside.why_not}."
        )
    return (
        f"v{beside.version}, which is in production: {production.metric} "
        f"{_value(production)} on {production.rows:,} rows that neither has learned; "
        f"v{version}: {_value(new)}."
    )


def _value(found: Score) -> str:
    return "undefined" if found.value is None else _with_interval(found)


def _alias_in_words(settings: Settings, plan: Plan, registered: Registered) -> str:
    alias, holder = settings.production_alias, plan.manifest.champion
    if registered.holds_the_alias:
        before = f"; v{holder} held it before" if holder is not None else ""
        return f"It holds the alias {alias!r}{before}."
    advice = spelled_out(how_to_assign(alias, settings.model_name), settings)
    return f"It does not hold the alias {alias!r} yet. {advice}"
