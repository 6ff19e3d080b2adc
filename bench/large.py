"""What many rows take: `python -m bench.scale rows [--rows 2000000]`,
`python -m bench.scale places`.

`rows`: a cycle of examples/large that learns in parts, beside one of the shipped recipe on as many
rows, two million at most: peak anonymous memory over that of the packages alone, in tables of the
learned rows; CPU of the fits, a row; the score on rows kept from learning.
`places`: a cycle that learns nothing of its rows, with few rows, with more to learn, and with more
to test: what it holds in memory, in bytes a row.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from retraining.machine import size_in_words

if TYPE_CHECKING:
    from collections.abc import Sequence

CLONE = Path(__file__).resolve().parent.parent
EXAMPLE = CLONE / "examples" / "large"
IN_PARTS, WHOLE = EXAMPLE / "train_classification_model.py", CLONE / "train_classification_model.py"
ROWS_OF_A_FILE, FIRST_ROWS = 100_000, 200_000
BYTES_OF_A_ROW = 12 * 8 + 3 * 4 + 4 + 8  # numbers, codes of words, label, hash: the typed table
MOST_WHOLE = 2_000_000  # rows of the shipped recipe's fit
GOAL_OF_MEMORY, GOAL_OF_CPU = 1.0, 2.5
GOAL_OF_A_LEARNED_ROW, GOAL_OF_A_TESTED_ROW = 8, 40
TICKS = os.sysconf("SC_CLK_TCK")
PACKAGES = """
from retraining.fleet.packages import load_packages
load_packages(())
import xgboost
print(next(line for line in open("/proc/self/status") if line.startswith("RssAnon")))
"""
LEARNS_NOTHING = """
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

class Same(ClassifierMixin, BaseEstimator):
    def __init__(self, classes):
        self.classes_ = classes
    def predict(self, X):
        return np.full(len(X), self.classes_[0])

def train_model(X_train, y_train):
    return Same(np.unique(y_train))

def train_model_in_parts(parts):
    return Same(np.unique(np.concatenate([part()[1].unique() for part in parts])))
"""


@dataclass(frozen=True)
class Cycle:
    """A cycle that was watched.

    Attributes:
        peak: its most anonymous memory, in bytes.
        fit_cpu: seconds of CPU while the recipe learned.
        learned, tested: rows.
        score: of the challenger on the test rows.
        seconds: on the clock.
    """

    peak: int
    fit_cpu: float
    learned: int
    tested: int
    score: float
    seconds: float


def rows(words: Sequence[str]) -> int:
    """Print what a cycle in parts takes, beside one of the shipped recipe.

    1 where a goal is missed.
    """
    flags = argparse.ArgumentParser(prog="bench.scale rows", description=__doc__)
    flags.add_argument("--rows", type=int, default=2_000_000, help="of the new files together")
    args = flags.parse_args(words)
    packages = packages_alone()
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        parted = _cycle(Path(folder) / "parts", IN_PARTS, FIRST_ROWS, args.rows, memory="64M")
        of_whole = min(args.rows, MOST_WHOLE)
        whole = _cycle(Path(folder) / "whole", WHOLE, FIRST_ROWS, of_whole, memory="1024G")
    print(f"packages alone: {size_in_words(packages)} of anonymous memory")
    for name, one in (("in parts", parted), ("shipped recipe", whole)):
        over = one.peak - packages
        tables = over / (one.learned * BYTES_OF_A_ROW)
        each = one.fit_cpu / one.learned * 1e6
        print(
            f"{name}: {one.learned:,} rows learned, a table of "
            f"{size_in_words(one.learned * BYTES_OF_A_ROW)}; peak {size_in_words(over)} over "
            f"the packages, {tables:.2f} tables; fit {one.fit_cpu:.0f} s of CPU, {each:.1f} us a "
            f"row; score {one.score:.4f} on {one.tested:,} test rows; {one.seconds:.0f} s in all"
        )
    memory = (parted.peak - packages) / (parted.learned * BYTES_OF_A_ROW)
    cpu = (parted.fit_cpu / parted.learned) / (whole.fit_cpu / whole.learned)
    print(f"memory: {memory:.2f} tables (goal {GOAL_OF_MEMORY}); ", end="")
    print(f"CPU against the shipped recipe's fit: {cpu:.2f} (goal {GOAL_OF_CPU})")
    return int(memory > GOAL_OF_MEMORY or cpu > GOAL_OF_CPU)


def places(words: Sequence[str]) -> int:
    """Print what a cycle holds a learned row and a tested row; 1 where a goal is missed."""
    flags = argparse.ArgumentParser(prog="bench.scale places", description=__doc__)
    flags.add_argument("--few", type=int, default=300_000)
    flags.add_argument("--many", type=int, default=6_000_000)
    args = flags.parse_args(words)
    few, many = args.few, args.many
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        recipe = Path(folder) / "nothing.py"
        recipe.write_text(LEARNS_NOTHING)
        least = _cycle(Path(folder) / "few", recipe, few, few, memory="1K")
        learned = _cycle(Path(folder) / "learned", recipe, many, few, memory="1K")
        tested = _cycle(Path(folder) / "tested", recipe, few, many, memory="1K")
    a_learned_row = max(0, learned.peak - least.peak) / (many - few)
    # new rows are all tested by production, and four of five are learned
    a_new_row = max(0, tested.peak - least.peak) / (many - few)
    for name, value, goal in (
        ("a learned row", a_learned_row, GOAL_OF_A_LEARNED_ROW),
        ("a tested row", a_new_row, GOAL_OF_A_TESTED_ROW),
    ):
        print(f"{name}: {value:.1f} bytes (goal {goal}), by {many:,} rows against {few:,}")
    return int(a_learned_row > GOAL_OF_A_LEARNED_ROW or a_new_row > GOAL_OF_A_TESTED_ROW)


def packages_alone() -> int:
    """The anonymous memory of a process that imported what a cycle imports, and no more."""
    done = subprocess.run(
        [sys.executable, "-c", PACKAGES], cwd=CLONE, capture_output=True, text=True, check=True
    )
    return int(done.stdout.split()[1]) * 1024


def _cycle(folder: Path, recipe: Path, first: int, new: int, *, memory: str) -> Cycle:
    """Make a project, a first model of `first` rows, and one cycle with `new` rows."""
    folder.mkdir()
    shutil.copy(recipe, folder / WHOLE.name)
    settings = (EXAMPLE / ".env").read_text()
    (folder / ".env").write_text(f"{settings}RETRAIN_WHEN=always\nMAX_TRAINING_MEMORY={memory}\n")
    project = ["--project", str(folder)]
    _generate(folder / "used_data", first, "old")
    (folder / "new_data").mkdir()
    register = ["register_first_model.py", *project, "--train-from", "used_data", "--set-alias"]
    subprocess.run([sys.executable, *register, "-q"], cwd=CLONE, check=True, capture_output=True)
    _generate(folder / "new_data", new, "new")
    cycle = watched(["pipeline_orchestrator.py", "run", "--json", *project], folder)
    shutil.rmtree(folder)
    return cycle


def _generate(folder: Path, count: int, rule: str) -> None:
    files = max(20, count // ROWS_OF_A_FILE)
    words = [str(folder), "--rows", str(count), "--files", str(files), "--rule", rule]
    subprocess.run([sys.executable, str(EXAMPLE / "generate.py"), *words], check=True)


def watched(words: Sequence[str], folder: Path) -> Cycle:
    """Run a cycle and look at its process fifty times a second."""
    began, peak = time.monotonic(), 0
    marks: dict[str, float] = {}
    out, log = folder / "out.json", folder / "log.txt"
    with out.open("w") as stdout, log.open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, *words], cwd=CLONE, stdout=stdout, stderr=stderr
        )
        while process.poll() is None:
            peak = max(peak, _anonymous(process.pid))
            cpu, said = _cpu(process.pid), log.read_text()
            for mark in ("training on", "training took"):
                if mark in said:
                    marks.setdefault(mark, cpu)
            time.sleep(0.02)
    if process.returncode:
        raise RuntimeError(log.read_text()[-2000:])
    measured = json.loads(out.read_text())
    learned = int(log.read_text().partition("training on ")[2].split()[0])
    fit_cpu = marks["training took"] - marks["training on"]
    tested, score = measured["test_rows"], measured["scores"]["challenger_on_test"]
    return Cycle(peak, fit_cpu, learned, tested, score, time.monotonic() - began)


def _anonymous(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    found = [line for line in lines if line.startswith("RssAnon")]
    return int(found[0].split()[1]) * 1024 if found else 0  # a dead process has none


def _cpu(pid: int) -> float:
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(after_name[11]) + int(after_name[12])) / TICKS
