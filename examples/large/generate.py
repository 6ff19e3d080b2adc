"""Rows of a plant's sensors, as many as asked: `python examples/large/generate.py FOLDER --rows N`.

Fifteen columns: twelve numbers and three words, some of them missing, and a label of two classes.
The same arguments give the same rows. From `--rule new` on, other sensors decide.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

NUMBERS = [f"sensor_{place:02d}" for place in range(1, 13)]
PLANTS = np.array(["Aalen", "Bergen", "Cork", "Dresden", "Evora", "Fano", "Ghent", "Hilo"])
LINES = np.array([f"line-{place:02d}" for place in range(40)])
SHIFTS = np.array(["early", "late", "night"])
MISSING, FLIPPED = 0.02, 0.05  # shares of gaps, and of labels that are turned around
GROUP = 262_144  # rows that are made at once
DECIDING = {"old": (0, 1, 2), "new": (3, 4, 5)}  # places of the sensors that decide


def rows_of(count: int, rng: np.random.Generator, rule: str) -> pa.Table:
    """Some rows, and their label in the column `target`."""
    numbers = rng.normal(size=(len(NUMBERS), count)).astype(np.float32).astype(np.float64)
    plants = rng.integers(0, len(PLANTS), count)
    lines = rng.integers(0, len(LINES), count)
    shifts = rng.integers(0, len(SHIFTS), count)
    first, second, third = (numbers[place] for place in DECIDING[rule])
    strain = first + second * third + 0.8 * np.sin(2 * first) + (plants * 5 % 8) / 4 - 1
    strain += (lines * 7 % 40) / 40 + 0.5 * (shifts == 2) * np.abs(second) - 0.7
    labels = (strain > 0) ^ (rng.random(count) < FLIPPED)
    numbers[rng.random(numbers.shape) < MISSING] = np.nan
    columns = {name: pa.array(numbers[place]) for place, name in enumerate(NUMBERS)}
    for name, words, codes in (
        ("plant", PLANTS, plants),
        ("line", LINES, lines),
        ("shift", SHIFTS, shifts),
    ):
        gaps = rng.random(count) < MISSING
        indices = pa.array(codes.astype(np.int32), mask=gaps)
        columns[name] = pa.DictionaryArray.from_arrays(indices, pa.array(words.tolist()))
    columns["target"] = pa.array(labels.astype(np.int64))
    return pa.table(columns)


def write_file(path: Path, rows: int, seed: tuple[int, ...], rule: str) -> None:
    """One Parquet file, written in groups so that memory holds one of them.

    `seed` is all that tells the file from others: no two files have a row in common.
    """
    rng = np.random.default_rng(seed)
    aside = path.with_suffix(".tmp")  # a file that grows is not for the job to see
    schema = rows_of(1, np.random.default_rng(0), rule).schema
    with pq.ParquetWriter(aside, schema, compression="zstd") as writer:
        for start in range(0, rows, GROUP):
            writer.write_table(rows_of(min(GROUP, rows - start), rng, rule))
    # Whole, so that the job need not wait until it has stood still for a while.
    minute_ago = aside.stat().st_mtime - 60
    os.utime(aside, (minute_ago, minute_ago))
    aside.rename(path)


def main(words: list[str]) -> int:
    """Write the files that were asked for."""
    flags = argparse.ArgumentParser(description=__doc__)
    flags.add_argument("folder", type=Path, metavar="FOLDER")
    flags.add_argument("--rows", type=int, default=1_000_000, help="of all files together")
    flags.add_argument("--files", type=int, default=10)
    flags.add_argument("--rule", choices=sorted(DECIDING), default="old", help="what decides")
    flags.add_argument("--seed", type=int, default=1)
    args = flags.parse_args(words)
    args.folder.mkdir(parents=True, exist_ok=True)
    edges = np.linspace(0, args.rows, args.files + 1).astype(int)
    for number, rows in enumerate(np.diff(edges).tolist()):
        name = f"{args.rule}-{args.seed:03d}-{number:04d}.parquet"
        seed = (args.seed, list(DECIDING).index(args.rule), number, rows)
        write_file(args.folder / name, rows, seed, args.rule)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
