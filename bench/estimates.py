"""How far the estimated score is from the one that labels tell later:
`python -m bench.estimates [STREAMS] [--metric accuracy]`.

Each public stream is cut as `bench.decisions` cuts it. At several places in it a version is made as
the job makes one: a fifth of its last batches, in whole blocks, is kept from it, and its
calibration is fitted there. Then come eight batches that it answers. Of each the score is estimated
without a label, and compared with the realised one. Beside it stand two figures that cost
nothing: the score on the test rows ("as good as last known"), and the realised score of the batch
    before, which takes its labels.
Errors are means of absolute differences, in points; `held` is the share of intervals that hold the
realised score.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from bench import hgb_recipe
from bench.decisions import CUTS, DEMO, STREAMS
from retraining.cycle.estimating import AnsweredRows, estimate_parts
from retraining.statistics import Calibration, Predictions, fit_calibration, metric, score

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from retraining.statistics import Metric

PLACES, BATCHES_AHEAD = 6, 8
BLOCKS_A_BATCH, HELD_OUT = 15, 0.2
BATCHES_LEARNED = 16  # as many of the last ones
POINT = 0.01
HEAD = "| data set | batches | estimated | last known | batch before | held | bias |"


@dataclass(frozen=True)
class Found:
    """Of one batch: the realised score, and what was said of it before its labels came."""

    realised: float
    estimated: float
    last_known: float
    batch_before: float
    held: bool


@dataclass(frozen=True)
class Stream:
    """Features, label codes (n,) and their number, in the order of time.

    Rows of the first model, and of a batch.
    """

    X: pd.DataFrame
    codes: NDArray[np.int64]
    classes: int
    initial: int
    batch: int


def read(path: Path) -> Stream:
    """A public stream."""
    table = pd.read_csv(path)
    codes, classes = pd.factorize(table["target"], sort=True)
    initial, batch = CUTS[path.name.split(".")[0]]
    return Stream(table.drop(columns="target"), codes, len(classes), initial, batch)


def judged(stream: Stream, chosen: Metric) -> Iterator[Found]:
    """What was said of the batches after each place, and what came true."""
    batches = (len(stream.codes) - stream.initial) // stream.batch
    last_place = batches - BATCHES_AHEAD
    for place in np.linspace(0, last_place, PLACES).astype(int).tolist():
        yield from _after(stream, chosen, stream.initial + place * stream.batch, place)


def _after(stream: Stream, chosen: Metric, start: int, seed: int) -> Iterator[Found]:
    """The eight batches after one place.

    Nothing where a version made there carries no calibration.
    """
    first = max(0, start - BATCHES_LEARNED * stream.batch)
    rows = np.arange(first, start)
    is_held_out = _held_out(stream, rows, seed)
    learned, kept = rows[~is_held_out], rows[is_held_out]
    with threadpool_limits(1):
        model = hgb_recipe.train_model(stream.X.iloc[learned], pd.Series(stream.codes[learned]))
    on_test = answers(model, stream, kept)
    labels = [str(code) for code in range(stream.classes)]
    calibration = fit_calibration(on_test, labels)
    known = score(chosen, on_test)
    if not isinstance(calibration, Calibration) or known is None:
        return
    before = known
    for ahead in range(BATCHES_AHEAD):
        begin = start + ahead * stream.batch
        batch = answers(model, stream, np.arange(begin, begin + stream.batch))
        realised, told = score(chosen, batch), estimated(chosen, batch, calibration)
        if realised is None or told is None:
            continue
        value, (low, high) = told
        yield Found(realised, value, known, before, low <= realised <= high)
        before = realised


def _held_out(stream: Stream, rows: NDArray[np.int64], seed: int) -> NDArray[np.bool_]:
    """(n,) rows of a fifth of the blocks, drawn among those of the last three batches, as a cycle
    has them.
    """
    block = (rows - rows[0]) * BLOCKS_A_BATCH // stream.batch
    recent = np.unique(block[rows >= rows[-1] + 1 - 3 * stream.batch])
    count = int(np.ceil(HELD_OUT * recent.size))
    chosen = np.random.default_rng(seed).choice(recent, count, replace=False)
    return np.isin(block, chosen)


def answers(model: Any, stream: Stream, rows: NDArray[np.int64]) -> Predictions:
    """What a model says of some rows; classes that it has not learned have no probability."""
    given = model.predict_proba(stream.X.iloc[rows])
    full = np.zeros((rows.size, stream.classes))
    full[:, model.classes_] = given
    predicted = full.argmax(axis=1)
    return Predictions(stream.codes[rows], predicted, full, rows, stream.classes)


def estimated(
    chosen: Metric, batch: Predictions, calibration: Calibration
) -> tuple[float, tuple[float, float]] | None:
    """The estimated score with its interval, as `monitor` tells it."""
    assert batch.probabilities is not None
    zeros = np.zeros(batch.truth.size, dtype=np.int64)
    predicted: Any = batch.predicted
    given: Any = batch.probabilities
    rows = AnsweredRows(zeros, zeros + 1, predicted, given, calibration.classes)
    whole: dict[Any, Any] = {(None, None): np.ones(batch.truth.size, dtype=bool)}
    found = estimate_parts(chosen, rows, {1: calibration}, whole).get((None, None))
    if found is None or found.value is None or found.interval is None:
        return None
    return found.value, found.interval


def line(name: str, found: list[Found]) -> str:
    """A line of the table."""
    if not found:
        return f"| {name} | 0 | no version could be calibrated | | | | |"
    realised = np.array([one.realised for one in found])

    def error(said: list[float]) -> str:
        return f"{np.abs(np.array(said) - realised).mean() / POINT:.1f}"

    estimate = [one.estimated for one in found]
    cells = [
        name,
        str(len(found)),
        error(estimate),
        error([one.last_known for one in found]),
        error([one.batch_before for one in found]),
        f"{np.mean([one.held for one in found]):.0%}",
        f"{(np.array(estimate) - realised).mean() / POINT:+.1f}",
    ]
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Print the table, line by line as it comes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("streams", nargs="?", type=Path, default=STREAMS)
    parser.add_argument("--metric", default="accuracy")
    args = parser.parse_args()
    there = args.streams.is_dir()
    paths = sorted(args.streams.glob("*.csv*")) if there else [DEMO]
    print(f"{HEAD}\n|---|---:|---:|---:|---:|---:|---:|", flush=True)
    every: list[Found] = []
    for path in paths:
        name = path.name.split(".")[0]
        if name in CUTS:
            found = list(judged(read(path), metric(args.metric)))
            every += found
            print(line(name, found), flush=True)
    print(line("all", every))


if __name__ == "__main__":
    main()
