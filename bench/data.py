"""Data for the benchmarks: files of a concept that can be learned, and projects that hold them.

All randomness seeded.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

if TYPE_CHECKING:
    from collections.abc import Mapping

CLONE = Path(__file__).resolve().parent.parent
NUMBERS, WORDS, CATEGORIES = 12, 3, 8
BYTES_A_ROW = 8 * NUMBERS + 4 * WORDS + 8  # of the typed table: 8 a number and label, 4 a category
NOISE = 0.1  # of the labels; nobody can score better than 1 less that

QUICK_RECIPE = '''"""Fits in no time, so that a benchmark measures everything else."""

from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.dummy import DummyClassifier


def train_model(X_train, y_train):
    return DummyClassifier(strategy="prior").fit(X_train, y_train)
'''


def rows(count: int, seed: int) -> pa.Table:
    """`count` rows of 12 numbers and 3 words.

    The label follows five of them, one label in ten is wrong.
    """
    rng = np.random.default_rng(seed)
    numbers = rng.normal(size=(count, NUMBERS)).round(4)
    words = rng.integers(0, CATEGORIES, size=(count, WORDS))
    signal = (
        numbers[:, 0]
        + numbers[:, 1] * numbers[:, 2]
        + (words[:, 0] % 2) * 1.5
        - (words[:, 1] == 3) * 2
        - 0.5
    )
    label = (signal > 0) ^ (rng.random(count) < NOISE)
    texts = pa.array([f"kind-{code}" for code in range(CATEGORIES)])
    columns: dict[str, Any] = {f"number_{place}": numbers[:, place] for place in range(NUMBERS)}
    columns |= {f"word_{place}": texts.take(pa.array(words[:, place])) for place in range(WORDS)}
    return pa.table({**columns, "target": label.astype(np.int64)})


def write_files(
    folder: Path, count: int, rows_each: int, *, first: int = 0, name: str = "part"
) -> None:
    """`count` CSV files, each with its own seed, arrived in the order of their names, a minute ago
    and more.
    """
    folder.mkdir(parents=True, exist_ok=True)
    now = time.time()
    for place in range(first, first + count):
        path = folder / f"{name}-{place:06d}.csv"
        pa_csv.write_csv(rows(rows_each, place), path, pa_csv.WriteOptions(quoting_style="none"))
        os.utime(path, (now - 10**6 + place,) * 2)


@dataclass(frozen=True)
class Project:
    """A project of its own, started as cron would."""

    folder: Path

    @classmethod
    def made(cls, folder: Path, settings: Mapping[str, object]) -> Project:
        """Folders and `.env`; what was there before is gone."""
        shutil.rmtree(folder, ignore_errors=True)
        for name in ("new_data", "used_data"):
            (folder / name).mkdir(parents=True)
        (folder / ".env").write_text(
            "".join(f"{name}={value}\n" for name, value in settings.items())
        )
        return cls(folder)

    def register(self) -> None:
        """Version 1 from the archive, by a recipe that takes no time."""
        own = self.folder / "train_classification_model.py"
        own.write_text(QUICK_RECIPE)
        command = [
            "register_first_model.py",
            "--train-from",
            "used_data",
            "--set-alias",
            "-q",
            "--project",
            str(self.folder),
        ]
        subprocess.run([sys.executable, *command], cwd=CLONE, check=True)
        own.unlink()

    def start(self, *words: str) -> list[str]:
        """The command line of a start."""
        return [
            sys.executable,
            str(CLONE / "pipeline_orchestrator.py"),
            *words,
            "--project",
            str(self.folder),
        ]

    def cycle(self, *words: str) -> Any:
        """Run one cycle; its JSON."""
        done = subprocess.run(
            self.start("run", "--json", *words), capture_output=True, text=True, check=True
        )
        return json.loads(done.stdout)
