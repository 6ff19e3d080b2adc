"""Simulate the records of a diabetes clinic with the columns of the Pima table, from a model of the
patients that is known.

Whether a patient falls ill (`Outcome` 1) is drawn from a logistic model of what a doctor would look
at: RISK below, per standard deviation. As in the real table, a measurement that was not taken is
written as 0. `--guideline new` is another clinic with patients of the same kind, where body mass
and age decide instead of glucose, so that a model of the old guideline is worth little there.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Sequence

HERE = Path(__file__).resolve().parent
TARGET = "Outcome"
# shares, as in the real table
NOT_TAKEN = {
    "Glucose": 0.01,
    "BloodPressure": 0.05,
    "SkinThickness": 0.30,
    "Insulin": 0.49,
    "BMI": 0.01,
}
RISK = {
    "old": {
        "Glucose": 2.2,
        "BMI": 1.0,
        "Age": 0.7,
        "DiabetesPedigreeFunction": 0.6,
        "Pregnancies": 0.4,
    },
    "new": {
        "Glucose": -0.4,
        "BMI": 2.2,
        "Age": 1.6,
        "DiabetesPedigreeFunction": 0.6,
        "BloodPressure": 0.5,
    },
}
USUAL = {  # mean and standard deviation
    "Pregnancies": (3.8, 3.4), "Glucose": (122.0, 31.0), "BloodPressure": (72.0, 12.0),
    "BMI": (32.5, 6.9),
    "DiabetesPedigreeFunction": (0.47, 0.33), "Age": (33.0, 11.8),
}  # fmt: skip
BASE = -1.2  # log-odds of an average patient: about a third of all fall ill


def patients(rows: int, rng: np.random.Generator) -> pd.DataFrame:
    """Return whole records without the outcome, shape (rows, 8), correlated roughly as in the real
    table.
    """
    age = np.clip(21 + rng.gamma(1.1, 11.0, rows), 21, 81).round()
    glucose = np.clip(rng.normal(122 + 0.6 * (age - 33), 30), 44, 199).round()
    bmi = np.clip(rng.normal(32.5, 6.9, rows), 18, 67).round(1)
    return pd.DataFrame(
        {
            "Pregnancies": np.minimum(rng.poisson(np.clip((age - 18) / 3.4, 0.2, 7)), 17),
            "Glucose": glucose.astype(int),
            "BloodPressure": (
                np.clip(rng.normal(72 + 0.3 * (age - 33), 11), 24, 122).round().astype(int)
            ),
            "SkinThickness": (
                np.clip(rng.normal(29 + 0.9 * (bmi - 32.5), 7), 7, 99).round().astype(int)
            ),
            "Insulin": (
                np.clip(rng.lognormal(np.log(125) + 0.012 * (glucose - 122), 0.5), 14, 846)
                .round()
                .astype(int)
            ),
            "BMI": bmi,
            "DiabetesPedigreeFunction": (
                np.clip(rng.lognormal(-0.95, 0.6, rows), 0.08, 2.42).round(3)
            ),
            "Age": age.astype(int),
        }
    )


def probability_of_illness(table: pd.DataFrame, guideline: str) -> np.ndarray:
    """Return the true P(Outcome = 1) of each whole record: the best that any model can know."""
    log_odds = np.full(len(table), BASE)
    for name, weight in RISK[guideline].items():
        mean, deviation = USUAL[name]
        log_odds += weight * (table[name].to_numpy(dtype=float) - mean) / deviation
    return np.asarray(1 / (1 + np.exp(-log_odds)))


def simulate(rows: int, seed: int, guideline: str) -> pd.DataFrame:
    """Return records as a clinic would hand them over, shape (rows, 9)."""
    rng = np.random.default_rng([seed, len(guideline), guideline == "new"])
    table = patients(rows, rng)
    table[TARGET] = (rng.random(rows) < probability_of_illness(table, guideline)).astype(int)
    for name, share in NOT_TAKEN.items():
        table[name] = table[name].mask(rng.random(rows) < share, 0)
    return table


def write_file(table: pd.DataFrame, path: Path) -> None:
    """Write a CSV file that is whole before it has its name."""
    aside = path.with_name(f".{path.name}.tmp")
    with aside.open("w", encoding="utf-8", newline="") as file:
        table.to_csv(file, index=False, lineterminator="\n")
        file.flush()
        os.fsync(file.fileno())
    aside.rename(path)


def parser() -> argparse.ArgumentParser:
    """Return the flags."""
    flags = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    flags.add_argument(
        "--guideline",
        choices=tuple(RISK),
        default="old",
        help="the clinic whose rule makes the outcome",
    )
    flags.add_argument("--rows", type=_count, default=750, help="records altogether")
    flags.add_argument("--files", type=_count, default=15, help="files that they are cut into")
    flags.add_argument("--seed", type=int, default=0, help="other patients")
    flags.add_argument(
        "--into", type=Path, default=HERE / "new_data", help="folder that the files go to"
    )
    return flags


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"a number of 1 or more is needed, not {text}")
    return value


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the files, and say on stdout what they hold."""
    options = parser().parse_args(arguments)
    options.into.mkdir(parents=True, exist_ok=True)
    table = simulate(options.rows, options.seed, options.guideline)
    for number, rows in enumerate(np.array_split(np.arange(len(table)), options.files)):
        write_file(
            table.iloc[rows],
            options.into / f"clinic_{options.guideline}_{options.seed}_{number:02d}.csv",
        )
    print(
        f"{options.files} files, {len(table)} records, {table[TARGET].mean():.0%} ill, guideline:"
        f" {options.guideline}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
