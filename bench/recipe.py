"""How well the shipped recipe learns: `python -m bench.recipe [STREAMS]`.

First beside the bench's second recipe, as a stream goes on: accuracy on the next cycles, and how
many answers change when the same recipe learns again one cycle later. Then where the rarer of two
classes is thinned out, with the favour that the recipe shows it and without.
"""

from __future__ import annotations

import argparse
import hashlib
import time
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.metrics import accuracy_score, average_precision_score, f1_score
from threadpoolctl import threadpool_limits

from bench import hgb_recipe
from bench.decisions import CUTS, DEMO, NO_ORDER, STREAMS
from train_classification_model import train_model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    Recipe = Callable[[pd.DataFrame, pd.Series], Any]

RECIPES: dict[str, Recipe] = {"shipped": train_model, "hgb": hgb_recipe.train_model}
LEARNED, NEXT = 16, 3  # cycles
STARTS = 8  # a stream
SHARES = (0.05, 0.02, 0.01)  # of the rarer class
MOST_ROWS, SEEDS = 16_000, 3


def table_of(stream: Path) -> tuple[pd.DataFrame, pd.Series]:
    """Columns and labels of a stream, in its order."""
    table = pd.read_csv(stream)
    return table.drop(columns="target"), table["target"]


def as_it_goes_on(recipe: Recipe, stream: Path) -> Iterator[tuple[float, float, float]]:
    """For some starts: accuracy on the next three cycles, share of answers there that change a
    cycle later, seconds of CPU a fit.
    """
    X, y = table_of(stream)
    initial, cycle = CUTS.get(stream.name.split(".")[0], (len(X) // 12, len(X) // 60))
    last = (len(X) - initial) // cycle - NEXT - 1
    for start in np.linspace(LEARNED, last, STARTS).astype(int):
        until = initial + start * cycle
        began = time.process_time()
        models = [
            recipe(*_rows(X, y, slice(end - LEARNED * cycle, end)))
            for end in (until, until + cycle)
        ]
        seconds = (time.process_time() - began) / 2
        following, labels = _rows(X, y, slice(until + cycle, until + (NEXT + 1) * cycle))
        before, after = (model.predict(following) for model in models)
        yield accuracy_score(labels, before), float(np.mean(before != after)), seconds


def _rows(
    X: pd.DataFrame, y: pd.Series, rows: slice | np.ndarray
) -> tuple[pd.DataFrame, pd.Series]:
    return X.iloc[rows].reset_index(drop=True), y.iloc[rows].reset_index(drop=True)


def thinned(stream: Path, share: float, seed: int) -> Iterator[tuple[float, float, float]]:
    """With the favour and without: F1 of the rare class, accuracy, average precision.

    Trained on half of the rows, tested on the others.
    """
    X, y = table_of(stream)
    rare = y.value_counts().index[-1]
    rng = np.random.default_rng(
        [seed, int(hashlib.sha256(stream.name.encode()).hexdigest()[:8], 16)]
    )
    common = rng.permutation(np.flatnonzero(y != rare))[:MOST_ROWS]
    few = rng.permutation(np.flatnonzero(y == rare))[: int(len(common) * share / (1 - share))]
    rows = rng.permutation(np.concatenate([common, few]))
    model = train_model(*_rows(X, y, rows[: len(rows) // 2]))
    tested, labels = _rows(X, y, rows[len(rows) // 2 :])
    likely = model.predict_proba(tested)[:, model.classes_.tolist().index(rare)]
    for favour in (model[-1].favour_, np.ones(2)):
        model[-1].favour_ = favour
        answers = model.predict(tested)
        precision = average_precision_score(labels == rare, likely)
        yield f1_score(labels == rare, answers == rare), accuracy_score(labels, answers), precision


def main() -> None:
    """Play and print both tables, with one thread a fit."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "streams",
        nargs="?",
        type=Path,
        default=STREAMS,
        help="a folder of CSV.gz streams, label column `target`",
    )
    folder = parser.parse_args().streams
    streams = [
        path for path in sorted(folder.glob("*.csv.gz")) if path.name.split(".")[0] not in NO_ORDER
    ] or [DEMO]
    with threadpool_limits(1, user_api="openmp"):
        print_the_recipes(streams)
        print_the_favour([stream for stream in streams if table_of(stream)[1].nunique() == 2])


def print_the_recipes(streams: Sequence[Path]) -> None:
    """The first table, a line for each stream and recipe."""
    print(
        "| stream | recipe | accuracy, next 3 cycles | answers that change a cycle later | CPU"
        " seconds a fit |\n|---|---|---:|---:|---:|"
    )
    for stream, (name, recipe) in product(streams, RECIPES.items()):
        accuracy, changed, seconds = np.mean(list(as_it_goes_on(recipe, stream)), axis=0)
        print(
            f"| {stream.name.split('.')[0]} | {name} | {100 * accuracy:.1f} % | {100 * changed:.1f}"
            f" % | {seconds:.2f} |",
            flush=True,
        )


def print_the_favour(streams: Sequence[Path]) -> None:
    """The second table, a line for each share of the rare class; means over streams and seeds."""
    print(f"\n{len(streams)} streams of two classes, {SEEDS} seeds each, in points:\n")
    print(
        "| rare class | its F1, plain | favoured | accuracy, plain | favoured | average precision"
        " |\n|---:|---:|---:|---:|---:|---:|"
    )
    for share in SHARES:
        plays = [
            list(thinned(stream, share, seed)) for stream, seed in product(streams, range(SEEDS))
        ]
        (f1, accuracy, precision), (plain_f1, plain_accuracy, _) = 100 * np.mean(plays, axis=0)
        cells = (
            f"{plain_f1:.1f} | {f1:.1f} | {plain_accuracy:.2f} | {accuracy:.2f} | {precision:.1f}"
        )
        print(f"| {100 * share:.0f} % | {cells} |", flush=True)


if __name__ == "__main__":
    main()
