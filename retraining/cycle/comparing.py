"""Champion and challenger on the same frozen rows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.compute as pc

from retraining.cycle.on_traffic import fails_on_traffic, try_on_traffic
from retraining.cycle.rows import labelled_parts, predictions
from retraining.records import Comparison, Decision, Score
from retraining.scoring import coding
from retraining.statistics import (
    check_metric,
    compare,
    judge_slices,
    metric,
    per_class,
    score,
    score_interval,
    spent_alpha,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from retraining.cycle.opening import Cycle
    from retraining.cycle.training import Challenger
    from retraining.cycle.training_set import FrozenTestSet
    from retraining.outcomes import TrafficTrial
    from retraining.records import SliceResult
    from retraining.settings import Settings
    from retraining.statistics import Predictions

    Masks = Iterator[tuple[str, NDArray[np.bool_]]]

SLICES_AT_MOST = 50  # by column, the most frequent values


@dataclass(frozen=True)
class Compared:
    """The comparison, what the floors and the slices say, and both models' answers for the
    report.
    """

    comparison: Comparison
    floors: Mapping[str, float | None]
    veto: Decision
    champion: Predictions
    challenger: Predictions
    traffic: TrafficTrial | None = None


def compare_on(cycle: Cycle, test_set: FrozenTestSet, challenger: Challenger) -> Compared:
    """Ask the champion what the challenger was asked, every test row, and judge the difference by
    blocks.
    """
    job, settings, schema = cycle.job, cycle.settings, cycle.production.schema
    chosen = metric(settings.metric)
    with job.stage("comparing"):
        before = predictions(job, cycle.production, test_set.sections)
        after = challenger.answers
        confidence = confidence_of_attempt(cycle)
        result = compare(
            chosen, before, after, confidence=confidence, min_rows=settings.min_test_rows
        )
        classes = per_class(before, after, coding(schema))
        slices = judge_slices(
            chosen, before, after, _slices(cycle, test_set), max_loss=settings.slice_max_loss
        )
    comparison = Comparison(
        champion=_score(settings, before, result.rows),
        challenger=_score(settings, after, result.rows),
        improvement=result.improvement,
        interval=result.interval,
        confidence=confidence,
        verdict=result.verdict,
        rows=result.rows,
        blocks=result.blocks,
        rows_dropped=test_set.copies.rows,
        standard_error=result.standard_error,
        per_class=classes,
        slices=slices,
    )
    with job.stage("trying on traffic"):
        traffic = try_on_traffic(job, challenger.estimator, schema)
    veto = fails_on_traffic(traffic)
    if not veto.act:
        veto = _veto_of_slices(slices, settings)
    return Compared(comparison, floor_scores(cycle, after), veto, before, after, traffic)


def _score(settings: Settings, answers: Predictions, rows: int) -> Score:
    """A model's score on the test rows, with its own interval."""
    chosen = metric(settings.metric)
    interval = score_interval(chosen, answers, settings.confidence)
    return Score(settings.metric, score(chosen, answers), rows, interval)


def _veto_of_slices(slices: Sequence[SliceResult], settings: Settings) -> Decision:
    """Whether a slice of SLICE_COLUMNS lost so much that nothing is promoted."""
    losing = [one for one in slices if one.vetoes]
    losses = ", ".join(f"{one.name} loses {one.loss:.4f}" for one in losing)
    limit = f"SLICE_MAX_LOSS={settings.slice_max_loss:g}"
    return Decision(bool(losing), f"a slice lost more than {limit}: {losses}")


def confidence_of_attempt(cycle: Cycle) -> float:
    """CONFIDENCE.

    Under `significant` alpha is spent over the attempts against the same champion, so the level
    rises with each.
    """
    settings = cycle.settings
    if settings.promote_when != "significant":
        return settings.confidence
    against = [
        record
        for record in cycle.recovered.ledger.cycles
        if record.outcome.comparison is not None
        and record.outcome.previous_version == cycle.production.number
    ]
    return 1 - spent_alpha(1 - settings.confidence, len(against) + 1)


def floor_scores(cycle: Cycle, challenger: Predictions) -> dict[str, float | None]:
    """The challenger's scores for MIN_MODEL_*, each by the metric for so many classes."""
    metrics = {name: metric(name).among(challenger.class_count) for name in cycle.settings.floors}
    return {name: score(metric(told_by), challenger) for name, told_by in metrics.items()}


def _slices(cycle: Cycle, test_set: FrozenTestSet) -> Masks:
    """`column=value` and its mask over the test rows, for SLICE_COLUMNS; one at a time."""
    schema = cycle.production.schema
    for column in cycle.settings.slice_columns:
        if column not in schema.names:
            continue
        parts = labelled_parts(cycle.job, test_set.sections, schema)
        names, codes = _slice_codes(part.column(column) for part in parts)
        counts = np.bincount(codes, minlength=len(names))
        most_frequent = np.argsort(-counts, kind="stable")[:SLICES_AT_MOST]
        for code in most_frequent.tolist():
            yield f"{column}={names[code]}", codes == code


def _slice_codes(columns: Iterator[pa.ChunkedArray]) -> tuple[list[str], NDArray[np.int32]]:
    """The names of all slices, sorted, and each row's (n,) as a place among them."""
    place_of: dict[str, int] = {}
    parts = [np.empty(0, dtype=np.int32)]
    for chunk in (chunk for column in columns for chunk in column.chunks):
        encoded = chunk if hasattr(chunk, "dictionary") else chunk.dictionary_encode()
        names = [*map(_slice_name, encoded.dictionary.to_pylist()), _slice_name(None)]
        places = [place_of.setdefault(name, len(place_of)) for name in names]
        rows = pc.fill_null(encoded.indices, -1).to_numpy()  # -1 takes the last
        parts.append(np.asarray(places, dtype=np.int32)[rows])
    codes = np.concatenate(parts)
    # a name that no row has is none: dictionaries hold more than a part of a file
    used = np.bincount(codes, minlength=len(place_of)) > 0
    names = sorted(name for name, place in place_of.items() if used[place])
    new_places = np.zeros(len(place_of), dtype=np.int32)
    for new, name in enumerate(names):
        new_places[place_of[name]] = new
    return names, new_places[codes]


def _slice_name(value: float | str | None) -> str:
    if value is None:
        return "missing"
    if isinstance(value, float):
        return "missing" if math.isnan(value) else f"{value:g}"
    return str(value)


def check_the_metric(cycle: Cycle) -> None:
    """Raise ValueError where METRIC does not fit the number of classes."""
    check_metric(metric(cycle.settings.metric), len(cycle.production.schema.classes))
