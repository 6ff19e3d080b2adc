"""Drift: this cycle's files compared with the rows that the production version learned.

A version carries histograms of its rows for that, never the rows themselves.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.compute as pc

from retraining.cycle.rows import labelled_parts
from retraining.records import Drift
from retraining.scoring import coding
from retraining.statistics import (
    CategoryBins,
    NumberBins,
    category_bins,
    category_codes,
    category_histograms,
    drift,
    number_bins,
    number_histograms,
    numbered,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from retraining.cycle.rows import LabelledPart, Section
    from retraining.project import Project
    from retraining.records import FeatureDrift, Schema
    from retraining.statistics import Predictions

    Bins = NumberBins | CategoryBins
    Histograms = dict[str, NDArray[np.int64]]

# beside the features: what files say, and what the model answers
LABELS, SCORES = "label", "predicted label"
BLOCKS_KEPT = 150  # of the reference: drift joins neighbours beyond that
ROWS_FOR_EDGES = 100_000  # quantiles of more rows are the same to the eye, and take longer


@dataclass(frozen=True)
class Sketch:
    """Histograms by block, (blocks, bins) for each feature, with their bins.

    Nominal ones have no order.
    """

    bins: Mapping[str, Bins]
    histograms: Histograms

    def to_json(self) -> dict[str, Any]:
        """The content of `sketches.json`."""
        return {
            name: {**asdict(bins), "histograms": self.histograms[name].tolist()}
            for name, bins in self.bins.items()
            if name in self.histograms
        }

    @staticmethod
    def from_json(content: Mapping[str, Any]) -> Sketch:
        """The sketch that `to_json` wrote."""
        bins: dict[str, Bins] = {}
        for name, one in content.items():
            if "edges" in one:
                bins[name] = NumberBins(tuple(one["edges"]))
            else:
                bins[name] = CategoryBins(tuple(one["categories"]))
        return Sketch(
            bins,
            {name: np.asarray(one["histograms"], dtype=np.int64) for name, one in content.items()},
        )


def sketch_of(
    project: Project, sections: Sequence[Section], schema: Schema, answers: Predictions | None
) -> Sketch:
    """The reference that a version carries: its training rows by block, and its answers on rows
    that it has not learned.
    """
    if len(sections) > BLOCKS_KEPT:
        spread = np.linspace(0, len(sections) - 1, BLOCKS_KEPT).astype(int)
        sections = [sections[place] for place in spread]
    parts = list(labelled_parts(project, sections, schema))
    bins: dict[str, Bins] = {column.name: _bins_of(parts, column.name) for column in schema.columns}
    classes = tuple(map(str, coding(schema)))
    bins |= {
        own_name(LABELS, schema): CategoryBins(classes),
        own_name(SCORES, schema): CategoryBins(classes),
    }
    return Sketch(bins, _histograms(parts, bins, schema, answers))


def judge_drift(
    project: Project,
    reference: Sketch,
    sections: Sequence[Section],
    schema: Schema,
    answers: Predictions,
) -> tuple[Drift, Sketch]:
    """Compare this cycle's rows with a version's reference.

    The current histograms come back for the report.
    """
    current = Sketch(
        reference.bins,
        _histograms(labelled_parts(project, sections, schema), reference.bins, schema, answers),
    )
    shared = {
        name: reference.histograms[name]
        for name in current.histograms
        if name in reference.histograms
    }
    nominal = {name for name, bins in reference.bins.items() if isinstance(bins, CategoryBins)}
    now = {name: current.histograms[name] for name in shared}
    found = drift(shared, now, threshold=project.settings.drift_threshold, nominal=nominal)
    return summed_up(found), current


def summed_up(judgements: Sequence[FeatureDrift]) -> Drift:
    """What features tell together, the worst of them first.

    Nothing is said where none was judged.
    """
    judged = [one for one in judgements if one.detected is not None]
    features = tuple(sorted(judgements, key=lambda one: -one.psi_corrected))
    if not judged:
        return Drift(features=features)
    is_detected = any(one.detected for one in judged)
    is_material = any(one.material for one in judged)
    return Drift(is_detected, is_material, features)


def own_name(name: str, schema: Schema) -> str:
    """A name that no feature has."""
    return name if name not in schema.names else f"({name})"


def _bins_of(parts: Sequence[LabelledPart], name: str) -> Bins:
    chunks = [chunk for part in parts for chunk in part.column(name).chunks]
    if not chunks or not hasattr(chunks[0], "dictionary"):
        step = max(1, sum(map(len, chunks)) // ROWS_FOR_EDGES)
        some = [chunk.to_numpy()[::step] for chunk in chunks]
        return number_bins(np.concatenate([np.empty(0), *some]))
    counts: Counter[str] = Counter()
    for chunk in chunks:
        for one in pc.value_counts(chunk.drop_null()).to_pylist():
            counts[one["values"]] += one["counts"]
    texts = sorted(counts)
    return category_bins(texts, [counts[text] for text in texts])


def _histograms(
    parts: Iterable[LabelledPart],
    bins: Mapping[str, Bins],
    schema: Schema,
    answers: Predictions | None,
) -> Histograms:
    """(blocks, bins) of each feature; a block is a part."""
    rows: dict[str, list[NDArray[np.int64]]] = {name: [] for name in bins}
    labels, scores = own_name(LABELS, schema), own_name(SCORES, schema)
    for part in parts:
        for name in schema.names:
            if name in bins:
                rows[name].append(_histogram(part.column(name), bins[name]))
    histograms = {name: np.concatenate(blocks) for name, blocks in rows.items() if blocks}
    if answers is not None and len(answers.truth):
        blocks, count = numbered(answers.blocks)
        for name, codes in ((labels, answers.truth), (scores, answers.predicted)):
            kept = bins.get(name)
            if isinstance(kept, CategoryBins):
                histograms[name] = category_histograms(codes, kept, blocks, count)
    return histograms


def _histogram(column: pa.ChunkedArray, bins: Bins) -> NDArray[np.int64]:
    """(1, bins) of one part."""
    total = np.zeros((1, bins.count), dtype=np.int64)
    for chunk in column.chunks:
        block = np.zeros(len(chunk), dtype=np.int64)
        if isinstance(bins, NumberBins):
            total += number_histograms(chunk.to_numpy(), bins, block, 1)
        else:
            by_code = np.append(category_codes(chunk.dictionary.to_pylist(), bins), -1)
            total += category_histograms(
                by_code[pc.fill_null(chunk.indices, -1).to_numpy()], bins, block, 1
            )
    return total
