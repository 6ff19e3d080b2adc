"""Drift of traffic: the last predictions against what production learned, by the same statistics as
a cycle's files.

Blocks are runs of requests in order of time, so that rows that came together are one block. A
window that spans a day holds day and night alike.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from retraining.cycle.drift import SCORES, Sketch, own_name, summed_up
from retraining.datasets.columns import label_text
from retraining.logs import log
from retraining.prediction_log.connection import PredictionLogError
from retraining.prediction_log.reading import reading_if_there
from retraining.prediction_log.traffic import newest_rows
from retraining.records import Drift
from retraining.scoring import coding
from retraining.statistics import (
    CategoryBins,
    benjamini_hochberg,
    category_codes,
    category_histograms,
    drift,
    number_histograms,
)
from retraining.statistics.drift import ALPHA
from retraining.statistics.own_blocks import p_by_own_blocks

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    from retraining.model_registry.production import Model
    from retraining.prediction_log.traffic import WindowRow
    from retraining.records import FeatureDrift, Schema
    from retraining.settings import Settings
    from retraining.statistics import NumberBins

    Integers = NDArray[np.int64]

BLOCKS = 16  # of a window
FEWEST_BLOCKS = 8  # of a window; fewer are reported, not judged
MOST_ROWS = 50_000  # of a window; more of them would tell nothing new


@dataclass(frozen=True)
class AnsweredClass:
    """A class's share of the answers: on rows that the version had not learned, and in a window."""

    name: str
    learned: float
    now: float


@dataclass(frozen=True)
class TrafficDrift:
    """How far the last predictions are from what a version learned.

    Attributes:
        found: what moved, worst first; nothing is judged without a reference or in too small a
            window.
        window_rows: the predictions that were looked at.
        reference_version: the version that holds the alias, None where none does.
        answers: by class, in the order of the schema; empty without a reference of them.
    """

    found: Drift
    window_rows: int
    reference_version: int | None
    answers: tuple[AnsweredClass, ...] = ()


def drift_since(settings: Settings, production: Model, since: datetime | None) -> Drift | None:
    """Drift of the last window, without what was asked before a time.

    None where there is no log, or nothing in it.

    A log that cannot be read is a warning: a cycle never fails for it.
    """
    content = production.registry.sketches(production.version)
    if not content:
        return None
    try:
        rows = _window(settings)
    except PredictionLogError as error:
        log.warning("drift of traffic was not looked at: %s", error.what)
        return None
    rows = [row for row in rows if since is None or row.request_time > since]
    if not rows:
        return None
    return judge_traffic(
        Sketch.from_json(content),
        production.schema,
        production.number,
        rows,
        threshold=settings.drift_threshold,
    )


def _window(settings: Settings) -> Sequence[WindowRow]:
    span = timedelta(hours=settings.drift_window_hours)
    at_least = settings.drift_detection_window
    with reading_if_there(settings) as connection:
        if connection is None:
            return []
        return newest_rows(connection, settings.model_name, at_least, span, MOST_ROWS)


def judge_traffic(
    reference: Sketch,
    schema: Schema,
    version: int,
    rows: Sequence[WindowRow],
    *,
    threshold: float,
) -> Drift:
    """Compare a window of predictions, oldest first, with what a version learned and answered.

    Args:
        reference: that the version carries.
        schema: the version's.
        version: its number: only its own answers are compared with those that it gave before.
        rows: the window.
        threshold: from which a detected drift is material, in corrected PSI.
    """
    blocks = blocks_of(rows)
    current = _inputs(reference, schema, rows, blocks)
    answered = np.asarray([row.version == version for row in rows], dtype=bool)
    if _are_enough(blocks[answered]):
        current |= _answers(reference, schema, rows, blocks, answered)
    before = {name: reference.histograms[name] for name in current}
    nominal = {name for name in current if isinstance(reference.bins[name], CategoryBins)}
    found = drift(before, current, threshold=threshold, nominal=nominal)
    if not _are_enough(blocks):
        return Drift(features=summed_up([_not_judged(one) for one in found]).features)
    return summed_up(_confirmed(found, before, current, nominal, threshold))


def _are_enough(blocks: Integers) -> bool:
    """Whether the blocks of rows (n,) are as good as eight of one size (Kish, 1965): a request of
    most rows is no eight blocks.
    """
    if not blocks.size:
        return False
    sizes = np.bincount(blocks)
    return round(float(sizes.sum() ** 2 / (sizes**2).sum())) >= FEWEST_BLOCKS


def _confirmed(
    drifts: Sequence[FeatureDrift],
    before: Mapping[str, Integers],
    now: Mapping[str, Integers],
    nominal: Collection[str],
    threshold: float,
) -> list[FeatureDrift]:
    """Of each feature the larger p of two tests: blocks of traffic and files of the reference may
    differ in kind.
    """
    p_values = []
    for one in drifts:
        is_nominal = one.name in nominal
        own = p_by_own_blocks(before[one.name], now[one.name], nominal=is_nominal)
        p_values.append(1.0 if one.p is None or own is None else max(one.p, own))
    confirmed = []
    for one, p, q in zip(drifts, p_values, benjamini_hochberg(p_values), strict=True):
        detected = q <= ALPHA
        material = detected and one.psi_corrected >= threshold
        confirmed.append(replace(one, p=p, q=q, detected=detected, material=material))
    return confirmed


def answered_classes(
    reference: Sketch, schema: Schema, version: int, rows: Sequence[WindowRow]
) -> tuple[AnsweredClass, ...]:
    """How often a version answers each class, beside how often it did on rows that it had not
    learned.
    """
    blocks = np.zeros(len(rows), dtype=np.int64)
    mine = np.asarray([row.version == version for row in rows], dtype=bool)
    found = _answers(reference, schema, rows, blocks, mine)
    if not found or not mine.any():
        return ()
    ((name, counts),) = found.items()
    before, now = reference.histograms[name].sum(axis=0), counts.sum(axis=0)
    if not before.sum():
        return ()
    classes = [label_text(label) for label in coding(schema)]
    shares = zip(classes, before / before.sum(), now / now.sum(), strict=False)  # other, missing
    return tuple(AnsweredClass(one, float(then), float(today)) for one, then, today in shares)


def blocks_of(rows: Sequence[WindowRow]) -> Integers:
    """(n,) the block of each row: about equal numbers of rows, and never a request in two of
    them.
    """
    blocks = np.empty(len(rows), dtype=np.int64)
    block, before = 0, None
    for place, row in enumerate(rows):
        request = (row.request_time, row.request_id)
        if request != before:
            block, before = place * BLOCKS // len(rows), request
        blocks[place] = block
    return blocks


def _not_judged(one: FeatureDrift) -> FeatureDrift:
    """The feature's distances alone."""
    return replace(one, p=None, q=None, detected=None, material=None)


def _inputs(
    reference: Sketch, schema: Schema, rows: Sequence[WindowRow], blocks: Integers
) -> dict[str, Integers]:
    """(blocks, bins) of each feature that the reference holds."""
    known = [name for name in schema.names if name in reference.histograms]
    values: dict[str, list[Any]] = {name: [] for name in known}
    for row in rows:
        features = orjson.loads(row.features)
        for name in known:
            values[name].append(features.get(name))
    return {name: _histogram(values[name], reference.bins[name], blocks) for name in known}


def _answers(
    reference: Sketch,
    schema: Schema,
    rows: Sequence[WindowRow],
    blocks: Integers,
    answered: NDArray[np.bool_],
) -> Mapping[str, Integers]:
    """(blocks, bins) of the predicted labels, where the version has answers on rows that it has not
    learned.
    """
    name = own_name(SCORES, schema)
    bins = reference.bins.get(name)
    if name not in reference.histograms or not isinstance(bins, CategoryBins):
        return {}
    codes = {label_text(label): code for code, label in enumerate(coding(schema))}
    other = len(codes)
    found = [codes.get(row.prediction or "", other) for row in rows]
    mine = np.asarray(found, dtype=np.int64)[answered]
    return {name: category_histograms(mine, bins, blocks[answered], BLOCKS)}


def _histogram(
    values: Sequence[Any], bins: NumberBins | CategoryBins, blocks: Integers
) -> Integers:
    """(blocks, bins) of a column's values as JSON has them, None where missing."""
    if isinstance(bins, CategoryBins):
        return category_histograms(category_codes(values, bins), bins, blocks, BLOCKS)
    numbers = np.asarray(values, dtype=np.float64)  # None becomes NaN
    return number_histograms(numbers, bins, blocks, BLOCKS)
