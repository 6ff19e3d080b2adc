"""How fair scores are on rows seen before: `python -m bench.copies [--quick] [--streams DIR]`.

Prints a table. Labels are tossed coins and the recipe remembers rows, so no model is better than
another, and each is right on half of what it has not learned: the truth is known. *Comparison* is
the challenger's score less the champion's on the test set, *trigger* the champion's score on the
new files less one half, both in points. (The job's own trigger keeps relabelled rows, since a
corrected label is news to it; here they are left out of both.) *Left out* is the share of the test
rows, *of no copies* the share of those that are no copies. On the public streams each row counts as
an observation of its own. A second table has the public streams under their own labels, where the
next cycle stands for the truth. Seeded: the same call prints the same tables.
"""

from __future__ import annotations

import argparse
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.preprocessing import OrdinalEncoder

from bench import copies_with_labels
from bench.decisions import CUTS, DEMO, STREAMS
from retraining.datasets import cut_into_blocks, reserve
from retraining.statistics import Delivery, copied_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    Words = NDArray[np.uint64]
    Mask = NDArray[np.bool_]
    Codes = NDArray[np.int64]

POINT = 0.01
HOLDOUT = 0.2
GOAL = 0.5  # points
MOST_LEFT_OUT = 0.05
FILES_PER_CYCLE = 15
USED_FILES, USED_ROWS = 10, 100
NEW_FILES, NEW_ROWS = 15, 60


@dataclass(frozen=True)
class Rows:
    """Rows of one file: feature words (n, columns), labels (n,), and which observation each row
    is.
    """

    words: Words
    labels: Codes
    observation: Codes

    def taken(self, places: Codes) -> Rows:
        """Some rows, in the order given."""
        return Rows(self.words[places], self.labels[places], self.observation[places])

    def followed_by(self, other: Rows) -> Rows:
        """These rows, then others."""
        return Rows(
            np.vstack([self.words, other.words]),
            np.concatenate([self.labels, other.labels]),
            np.concatenate([self.observation, other.observation]),
        )

    @property
    def values(self) -> Words:
        """A word for each row (n,)."""
        mixed = np.zeros(len(self.words), np.uint64)
        for column in self.words.T:
            mixed = (mixed ^ column) * np.uint64(0x9E3779B97F4A7C15)
            mixed ^= mixed >> np.uint64(29)
        return mixed


@dataclass(frozen=True)
class Trial:
    """What version 1 learned, and what came after it."""

    used: Sequence[Rows]
    new: Sequence[Rows]


@dataclass
class Source:
    """Draws independent observations of one kind."""

    rng: np.random.Generator
    draw: Callable[[np.random.Generator, int], Words]
    drawn: int = 0

    def rows(self, count: int) -> Rows:
        """Fresh observations with tossed labels."""
        numbers = np.arange(self.drawn, self.drawn + count)
        self.drawn += count
        labels = self.rng.integers(0, 2, count)
        return Rows(self.draw(self.rng, count).astype(np.uint64), labels, numbers)

    def files(self, count: int, rows: int) -> list[Rows]:
        """Files of fresh observations."""
        return [self.rows(rows) for _ in range(count)]

    def shuffled(self, rows: Rows) -> Rows:
        """The same rows in another order."""
        return rows.taken(self.rng.permutation(len(rows.labels)))


# --- what rows look like --------------------------------------------------------------------------


def numbers(rng: np.random.Generator, count: int) -> Words:
    """Two columns of numbers that never repeat."""
    return rng.integers(0, 2**62, (count, 2)).astype(np.uint64)


def few_values(rng: np.random.Generator, count: int) -> Words:
    """Three columns of two values: eight distinct rows."""
    return rng.integers(0, 2, (count, 3)).astype(np.uint64)


def many_codes(rng: np.random.Generator, count: int) -> Words:
    """Eight columns of two or three values, some of them rare, as medical tests have."""
    chances = rng.random((count, 8)) < np.array([0.5, 0.15, 0.15, 0.04, 0.04, 0.03, 0.5, 0.1])
    return chances.astype(np.uint64)


def words_that_move_together(states: int) -> Callable[[np.random.Generator, int], Words]:
    """Twenty columns, each a function of one state; common and rare states."""

    def draw(rng: np.random.Generator, count: int) -> Words:
        weights = 1 / np.arange(1, states + 1)
        state = rng.choice(states, count, p=weights / weights.sum())
        return ((state[:, None] * np.arange(3, 43, 2)) % 97).astype(np.uint64)

    return draw


def two_decimals(columns: int) -> Callable[[np.random.Generator, int], Words]:
    """Sensors that show two decimals of a standard normal number."""

    def draw(rng: np.random.Generator, count: int) -> Words:
        return np.round(100 * rng.normal(size=(count, columns)) + 10_000).astype(np.uint64)

    return draw


def slow_sensors(rng: np.random.Generator, count: int) -> Words:
    """Two sensors of two decimals that move slowly, so that neighbours in time are alike."""
    steps = np.cumsum(rng.normal(size=(count, 2)), axis=0) + 30 * rng.normal(size=2)
    return np.round(steps + 10_000).astype(np.uint64)


def mostly_idle(rng: np.random.Generator, count: int) -> Words:
    """Half of the rows are all zero, the others never repeat."""
    found = numbers(rng, count)
    found[rng.random(count) < 0.5] = 0
    return found


# --- how they are delivered -----------------------------------------------------------------------


def independent(source: Source) -> Trial:
    """No row is a copy."""
    return Trial(source.files(USED_FILES, USED_ROWS), source.files(NEW_FILES, NEW_ROWS))


def full_dumps(source: Source, *, shuffled: bool = False) -> Trial:
    """Three files, each the whole table so far with 100 rows more."""
    used = source.files(USED_FILES, USED_ROWS)
    table, new = _together(used), []
    for _ in range(3):
        table = table.followed_by(source.rows(100))
        new.append(source.shuffled(table) if shuffled else table)
    return Trial(used, new)


def shuffled_dumps(source: Source) -> Trial:
    """Full dumps, each in an order of its own."""
    return full_dumps(source, shuffled=True)


def doubled_next_to_each_other(source: Source) -> Trial:
    """A join gave each row twice, one after the other; files few enough to be cut into runs."""
    return Trial(
        source.files(USED_FILES, USED_ROWS),
        [_doubled(source, np.repeat(np.arange(200), 2)) for _ in range(3)],
    )


def doubled_at_the_end(source: Source) -> Trial:
    """The same, the second copies after all first ones."""
    return Trial(
        source.files(USED_FILES, USED_ROWS),
        [_doubled(source, np.tile(np.arange(200), 2)) for _ in range(3)],
    )


def doubled_anywhere(source: Source) -> Trial:
    """The same, in any order."""
    order = source.rng.permutation(np.tile(np.arange(200), 2))
    return Trial(source.files(USED_FILES, USED_ROWS), [_doubled(source, order) for _ in range(3)])


def relabelled(source: Source) -> Trial:
    """A fifth of the new rows are old ones with the label turned round."""
    used = source.files(USED_FILES, USED_ROWS)
    old, new = _together(used), []
    for fresh in source.files(NEW_FILES, NEW_ROWS * 4 // 5):
        again = old.taken(source.rng.integers(0, len(old.labels), NEW_ROWS // 5))
        turned = Rows(again.words, 1 - again.labels, again.observation)
        new.append(source.shuffled(fresh.followed_by(turned)))
    return Trial(used, new)


def delivered_again(source: Source) -> Trial:
    """Each new file is an old one of which a tenth was replaced."""
    used = source.files(USED_FILES, USED_ROWS)
    new = [_a_tenth_new(source, used[number % USED_FILES]) for number in range(NEW_FILES)]
    return Trial(used, new)


def _together(files: Sequence[Rows]) -> Rows:
    return _chosen(files, [np.ones(len(file.labels), bool) for file in files])


def _doubled(source: Source, order: Codes) -> Rows:
    return source.rows(int(order.max()) + 1).taken(order)


def _a_tenth_new(source: Source, file: Rows) -> Rows:
    count = len(file.labels)
    places = np.arange(count)
    replaced = source.rng.choice(count, count // 10, replace=False)
    places[replaced] = count + np.arange(len(replaced))
    return file.followed_by(source.rows(len(replaced))).taken(places)


KINDS: Sequence[
    tuple[str, Callable[[np.random.Generator, int], Words], Callable[[Source], Trial]]
] = (
    ("few distinct rows", few_values, independent),
    ("codes, some of them rare", many_codes, independent),
    ("dependent words, 20 columns, 12 states", words_that_move_together(12), independent),
    ("dependent words, 20 columns, 300 states", words_that_move_together(300), independent),
    ("readings of two decimals, one sensor", two_decimals(1), independent),
    ("readings of two decimals, two sensors", two_decimals(2), independent),
    ("readings of two decimals that move slowly", slow_sensors, independent),
    ("half of the rows all zero", mostly_idle, independent),
    ("full dumps", numbers, full_dumps),
    ("full dumps of few distinct rows", few_values, full_dumps),
    ("full dumps of readings of two decimals", two_decimals(2), full_dumps),
    ("dumps with a load time", numbers, full_dumps),
    ("dumps with new row numbers", numbers, shuffled_dumps),
    ("dumps, half of the rows all zero", mostly_idle, full_dumps),
    ("dumps, half of the rows all zero, in another order", mostly_idle, shuffled_dumps),
    ("a join that doubles rows, next to each other", numbers, doubled_next_to_each_other),
    ("a join that doubles rows, at the end", numbers, doubled_at_the_end),
    ("a join that doubles rows, anywhere", numbers, doubled_anywhere),
    ("relabelled duplicates", numbers, relabelled),
    ("a file delivered again with a tenth new", numbers, delivered_again),
    ("the same, readings of two decimals", two_decimals(2), delivered_again),
)


# --- the scores -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Found:
    """One trial: scores less the truth (None where no row was left), and shares of rows.

    Attributes:
        left_out: of the test rows, those that were left out.
        wrongly_left_out: of the test rows that are no copies, those that were left out.
    """

    comparison: float | None
    trigger: float | None
    left_out: float
    wrongly_left_out: float
    test_rows: int = 0
    new_rows: int = 0


def judge_trial(trial: Trial, seed: int) -> Found:
    """Score a memorising recipe on what the rule leaves of the test set and of the new files."""
    names = [f"{seed}:{number}".encode() for number in range(len(trial.new))]
    shas = [hashlib.sha256(name).hexdigest() for name in names]
    sizes = [len(file.labels) for file in trial.new]
    kept_from = {sha: np.zeros(size, bool) for sha, size in zip(shas, sizes, strict=True)}
    for block in reserve(cut_into_blocks(list(zip(shas, sizes, strict=True))), HOLDOUT):
        kept_from[block.sha256][block.start : block.stop] = True
    files = [*trial.used, *trial.new]
    old = [np.ones(len(file.labels), bool) for file in trial.used]
    none = [~mask for mask in old]
    reserved = [*none, *kept_from.values()]
    learned = [*old, *(~mask for mask in kept_from.values())]
    new = [*none, *(np.ones(size, bool) for size in sizes)]
    champion = remembered(files, [*old, *(np.zeros(size, bool) for size in sizes)])
    challenger = remembered(files, learned)
    tested = _less_copies(files, reserved, learned)
    fresh = _less_copies(files, new, [*old, *(np.zeros(size, bool) for size in sizes)])
    scores = [score(files, tested, model) for model in (champion, challenger)]
    served = score(files, fresh, champion)
    copies = _true_copies(files, reserved, learned)
    gone = [a & ~b for a, b in zip(reserved, tested, strict=True)]
    innocent = [a & ~b for a, b in zip(reserved, copies, strict=True)]
    return Found(
        None if scores[0] is None or scores[1] is None else scores[1] - scores[0],
        None if served is None else served - 0.5,
        _share(gone, reserved),
        _share([a & b for a, b in zip(gone, innocent, strict=True)], innocent),
        sum(int(mask.sum()) for mask in tested),
        sum(int(mask.sum()) for mask in fresh),
    )


def _less_copies(
    files: Sequence[Rows], asked: Sequence[Mask], learned: Sequence[Mask]
) -> list[Mask]:
    deliveries = [
        Delivery(file.values, here, there)
        for file, here, there in zip(files, asked, learned, strict=True)
    ]
    words = np.vstack([file.words for file in files])
    copies = copied_rows(deliveries, lambda chosen: list(words[chosen].T))
    return [here & ~copy for here, copy in zip(asked, copies, strict=True)]


def _true_copies(
    files: Sequence[Rows], asked: Sequence[Mask], learned: Sequence[Mask]
) -> list[Mask]:
    known = _chosen(files, learned).observation
    return [
        np.isin(file.observation, known) & mask for file, mask in zip(files, asked, strict=True)
    ]


def _share(part: Sequence[Mask], whole: Sequence[Mask]) -> float:
    count = sum(int(mask.sum()) for mask in whole)
    return sum(int(mask.sum()) for mask in part) / count if count else 0.0


@dataclass(frozen=True)
class Memory:
    """A recipe that remembers rows: value -> mean label, and the observations that it learned."""

    means: dict[int, float]
    observations: Codes


def remembered(files: Sequence[Rows], learned: Sequence[Mask]) -> Memory:
    """The model that learned the marked rows."""
    chosen = _chosen(files, learned)
    distinct, place = np.unique(chosen.values, return_inverse=True)
    means = np.bincount(place, chosen.labels) / np.bincount(place)
    known = dict(zip(distinct.tolist(), means.tolist(), strict=True))
    return Memory(known, np.unique(chosen.observation))


def score(files: Sequence[Rows], asked: Sequence[Mask], model: Memory) -> float | None:
    """Accuracy to expect: an observation that was not learned is a coin toss, whatever is
    answered.
    """
    rows = _chosen(files, asked)
    if not len(rows.labels):
        return None
    means = np.array([model.means.get(value, 0.5) for value in rows.values.tolist()])
    right = np.where(means == 0.5, 0.5, (means > 0.5) == (rows.labels == 1))
    learned = np.isin(rows.observation, model.observations)
    return float(np.where(learned, right, 0.5).mean())


def _chosen(files: Sequence[Rows], masks: Sequence[Mask]) -> Rows:
    parts = [file.taken(np.flatnonzero(mask)) for file, mask in zip(files, masks, strict=True)]
    return Rows(
        np.vstack([part.words for part in parts]),
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.observation for part in parts]),
    )


# --- the public streams ---------------------------------------------------------------------------


def stream_trials(path: Path, cycles: int = 12) -> list[Trial]:
    """The rows of a public stream under tossed labels, each an observation of its own."""
    table = pd.read_csv(path).drop(columns="target").astype(str)
    words = OrdinalEncoder().fit_transform(table).astype(np.uint64)
    labels = np.random.default_rng(len(words)).integers(0, 2, len(words))
    rows = Rows(words, labels, np.arange(len(words)))
    initial, per_cycle = CUTS[path.name.split(".")[0]]
    starts = np.arange(initial, len(labels) - per_cycle + 1, per_cycle)
    chosen = starts[np.linspace(0, len(starts) - 1, cycles).astype(int)]
    size = per_cycle // FILES_PER_CYCLE
    return [
        Trial(_cut(rows, 0, start, size), _cut(rows, start, start + per_cycle, size))
        for start in chosen.tolist()
    ]


def _cut(rows: Rows, start: int, stop: int, size: int) -> list[Rows]:
    """Rows of a range as files of `size` rows; a rest is left out."""
    edges = range(start, stop - size + 1, size)
    return [rows.taken(np.arange(edge, edge + size)) for edge in edges]


# --- the table ------------------------------------------------------------------------------------


def simulated(repeats: int) -> Iterator[tuple[str, Found]]:
    """The mean over trials of each kind."""
    for number, (name, draw, deliver) in enumerate(KINDS):
        sources = [Source(np.random.default_rng([number, seed]), draw) for seed in range(repeats)]
        yield name, mean_of(deliver(source) for source in sources)


def mean_of(trials: Iterable[Trial]) -> Found:
    """Scores are weighted by the rows that they were taken on, shares are not."""
    found = [judge_trial(trial, seed) for seed, trial in enumerate(trials)]
    return Found(
        _mean([one.comparison for one in found], [one.test_rows for one in found]),
        _mean([one.trigger for one in found], [one.new_rows for one in found]),
        float(np.mean([one.left_out for one in found])),
        float(np.mean([one.wrongly_left_out for one in found])),
    )


def _mean(values: Sequence[float | None], rows: Sequence[int]) -> float | None:
    """The mean over all rows of all trials; None where there was no row."""
    total = sum(
        value * count for value, count in zip(values, rows, strict=True) if value is not None
    )
    return total / sum(rows) if sum(rows) else None


def line(name: str, found: Found) -> str:
    """A line of the table."""
    cells = [
        name,
        "-" if found.comparison is None else f"{found.comparison / POINT:+.2f}",
        "-" if found.trigger is None else f"{found.trigger / POINT:+.2f}",
        f"{found.left_out:.1%}",
        f"{found.wrongly_left_out:.1%}",
    ]
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Print the table, line by line as it comes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a tenth of the repeats")
    parser.add_argument("--streams", type=Path, help="a folder of streams, label column `target`")
    args = parser.parse_args()
    print("| kind | comparison | trigger | left out | of no copies |\n|---|---:|---:|---:|---:|")
    print(f"| *goal* | within {GOAL} | within {GOAL} | | {MOST_LEFT_OUT:.0%} |", flush=True)
    for name, found in simulated(10 if args.quick else 100):
        print(line(name, found), flush=True)
    folder = args.streams or STREAMS
    streams = sorted(folder.glob("*.csv*")) if folder.is_dir() else [DEMO]
    named = [(path.name.split(".")[0], path) for path in streams]
    known = {name: path for name, path in named if name in CUTS}
    for name, path in known.items():
        print(line(name, mean_of(stream_trials(path))), flush=True)
    print(f"\n{copies_with_labels.HEAD}")
    print(f"| *goal* | within {GOAL} | | {MOST_LEFT_OUT:.0%} | |", flush=True)
    for name, path in known.items():
        stream = copies_with_labels.read(path)
        every = 4 if args.quick else 1
        judged = copies_with_labels.judge_cycles(stream, *CUTS[name], every=every)
        print(copies_with_labels.line(name, judged), flush=True)


if __name__ == "__main__":
    main()
