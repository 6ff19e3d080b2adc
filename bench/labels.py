"""What late labels do to the next model, with and without `LABEL_WAIT_DAYS`, and what silence is
worth: `python -m bench.labels`.

A shop, simulated: an order is a fraud by a known rule, some 10 % are. A fraud is reported after a
few days; that an order is honest is known after 30 days. On day 60 a model is fitted to the
labelled orders, as an export would find them, and scored on orders of the days that follow. The
same draws serve every line. `reported`: what share of the frauds anybody ever reports.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import log_loss, recall_score

if TYPE_CHECKING:
    from numpy.typing import NDArray

TODAY, ORDERS_A_DAY, HONEST_AFTER = 60, 200, 30.0
SEEDS = 10
HEAD = "| labels taken | rows | frauds in them | believed frauds | log loss | recall |"


@dataclass(frozen=True)
class Orders:
    """Orders of some days: features (n, 3), frauds (n,), the day of each, and the day on which its
    label comes (inf: never).
    """

    X: NDArray[np.float64]
    fraud: NDArray[np.bool_]
    day: NDArray[np.float64]
    label_day: NDArray[np.float64]


def orders(rng: np.random.Generator, days: int, reported: float) -> Orders:
    """So many days of orders."""
    count = days * ORDERS_A_DAY
    X = rng.normal(size=(count, 3))
    chance = 1 / (1 + np.exp(3.2 - 1.5 * X[:, 0] - X[:, 1] * (X[:, 2] > 0)))
    fraud = rng.random(count) < chance
    day = np.sort(rng.random(count) * days)
    report = np.where(rng.random(count) < reported, rng.exponential(4.0, count), np.inf)
    return Orders(X, fraud, day, day + np.where(fraud, report, HONEST_AFTER))


def taken(
    known: Orders, wait: float, *, silence: bool
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which orders an export of today takes (n,), and the label of each (n,)."""
    leaves = known.day + wait
    # a row leaves once, on the day its wait is over: who had not reported by then counts as honest
    if silence:
        return leaves <= TODAY, known.fraud & (known.label_day <= leaves)
    return np.maximum(leaves, known.label_day) <= TODAY, known.fraud


def line(name: str, wait: float, *, silence: bool = False, reported: float = 1.0) -> str:
    """One line of the table: means over the seeds."""
    found = [_one(seed, wait, silence=silence, reported=reported) for seed in range(SEEDS)]
    rows, share, believed, loss, recall = np.mean(found, axis=0)
    return f"| {name} | {rows:,.0f} | {share:.1%} | {believed:.1%} | {loss:.3f} | {recall:.2f} |"


def _one(seed: int, wait: float, *, silence: bool, reported: float) -> tuple[float, ...]:
    rng = np.random.default_rng(seed)
    known, later = orders(rng, TODAY, reported), orders(rng, 30, reported)
    rows, labels = taken(known, wait, silence=silence)
    model = HistGradientBoostingClassifier(max_iter=50, random_state=0)
    model.fit(pd.DataFrame(known.X[rows]), labels[rows])
    believed = model.predict_proba(pd.DataFrame(later.X))[:, 1]
    loss = log_loss(later.fraud, believed)
    recall = recall_score(later.fraud, believed > 0.5)
    return rows.sum(), labels[rows].mean(), believed.mean(), loss, recall


def main() -> None:
    """Print the table."""
    truth = np.mean(
        [orders(np.random.default_rng(s), TODAY, 1.0).fraud.mean() for s in range(SEEDS)]
    )
    print(f"{truth:.1%} of the orders are frauds.\n\n{HEAD}\n|---|---|---|---|---|---|")
    print(line("as they come (`LABEL_WAIT_DAYS=0`)", 0))
    print(line("after 14 days", 14))
    print(line("after 30 days", 30))
    print(line("silence means honest after 5 days", 5, silence=True))
    print(line("silence means honest after 30 days", 30, silence=True))
    print(line("the same, a third of the frauds never reported", 30, silence=True, reported=2 / 3))


if __name__ == "__main__":
    main()
