"""How often the statistics are wrong, where the truth is known:
`python -m bench.simulations [--quick]`.

Prints the simulated rows of the goals in `docs/decisions.md`: drift without drift and with it,
promotions of equal models over thirty nights, power for one point, and how often intervals hold the
truth. Seeded: the same call prints the same table.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special, stats

from retraining.statistics import (
    Predictions,
    compare,
    drift,
    metric,
    score,
    score_interval,
    spent_alpha,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]

FEATURES = 15
FILES = 15  # in a window
REFERENCE = (20, 5000)  # files, rows a file
NIGHTS = 30
# what two models have in common: they differ on a tenth of the answers, as measured on real streams
COMMON = 0.93
ACCURACY = metric("accuracy")


@dataclass(frozen=True)
class Row:
    """A line of the table."""

    what: str
    setting: str
    found: str
    goal: str


# --- drift ---


def file_histograms(
    rng: np.random.Generator,
    files: int,
    rows: int,
    *,
    alike: float,
    shift: float = 0.0,
    correlation: float = 0.0,
) -> NDArray[np.int64]:
    """(files, 10) counts of a standard normal in its deciles.

    Files differ by a level of variance `alike`, an AR(1) in time.
    """
    levels = np.empty(files)
    level = rng.normal()
    for place in range(files):
        level = correlation * level + np.sqrt(1 - correlation**2) * rng.normal()
        levels[place] = level
    edges = special.ndtri(np.arange(1, 10) / 10)
    below = special.ndtr(
        (edges - shift - np.sqrt(alike) * levels[:, None]) / np.sqrt(max(1 - alike, 1e-12))
    )
    shares = np.diff(below, axis=1, prepend=0.0, append=1.0)
    return rng.multinomial(rows, shares)


def share_detected(
    repeats: int, rows: int, *, design_effect: float = 1, alike: float = 0, shift: float = 0
) -> float:
    """The share of windows of `rows` rows in 15 files where any of 15 features is detected.

    The first is shifted.
    """
    rng = np.random.default_rng(rows)
    rows_a_file = max(1, round(rows / FILES))
    alike = max(alike, (design_effect - 1) / max(1, rows_a_file - 1))
    detected = 0
    for _ in range(repeats):
        before = {str(i): file_histograms(rng, *REFERENCE, alike=alike) for i in range(FEATURES)}
        after = {
            name: file_histograms(
                rng, FILES, rows_a_file, alike=alike, shift=0.0 if name != "0" else shift
            )
            for name in before
        }
        judged = drift(before, after, threshold=0.1)
        detected += (
            bool(judged[0].detected) if shift else any(feature.detected for feature in judged)
        )
    return detected / repeats


def drift_rows(repeats: int) -> Iterator[Row]:
    """False alarms by window size and design effect, then power."""
    for effect in (1, 4):
        for rows in (100, 500, 1000, 5000, 50_000):
            found = share_detected(repeats, rows, design_effect=effect)
            yield Row(
                "drift detected, no drift",
                f"n = {rows:,}, design effect {effect}",
                f"{found:.1%}",
                "<= 5 %",
            )
    for alike in (0.0, 0.01, 0.03):
        found = share_detected(repeats, 1000, alike=alike, shift=0.2)
        goal = ">= 80 %" if alike == 0 else "-"
        yield Row(
            "drift of 0.2 sigma detected",
            f"n = 1,000, intra-file correlation {alike:g}",
            f"{found:.1%}",
            goal,
        )


# --- comparison ---


def two_models(
    rng: np.random.Generator,
    blocks: int,
    rows_a_block: int,
    *,
    alike: float = 0.0,
    gain: float = 0.0,
) -> tuple[Predictions, Predictions]:
    """Two models right on some 83 % of rows that err on much the same ones.

    Blocks suit one or the other where `alike` > 0.
    """
    block = np.repeat(np.arange(blocks), rows_a_block)
    truth = rng.integers(0, 2, block.size)
    common = rng.normal(size=block.size)
    models = []
    for shift in (0.0, gain):
        own = np.sqrt(alike) * rng.normal(size=blocks)[block] + np.sqrt(1 - alike) * rng.normal(
            size=block.size
        )
        margin = (0.95 + shift + COMMON * common + np.sqrt(1 - COMMON**2) * own) * np.where(
            truth == 1, 1, -1
        )
        positive = special.expit(margin)
        predicted = (positive > 0.5).astype(int)
        models.append(
            Predictions(truth, predicted, np.column_stack([1 - positive, positive]), block, 2)
        )
    return models[0], models[1]


def design_effect(alike: float, rows_a_block: int) -> float:
    """How much more the difference of two such models varies than with independent rows, from one
    large draw.
    """
    champion, challenger = two_models(np.random.default_rng(0), 4000, rows_a_block, alike=alike)
    gains = (challenger.predicted == champion.truth).astype(float) - (
        champion.predicted == champion.truth
    )
    means = gains.reshape(4000, rows_a_block).mean(axis=1)
    return float(means.var() * rows_a_block / gains.var())


def mcnemar(champion: Predictions, challenger: Predictions) -> float:
    """The one-sided exact p value of the challenger being better, rows independent (McNemar,
    1947).
    """
    gained = int(
        ((challenger.predicted == champion.truth) & (champion.predicted != champion.truth)).sum()
    )
    lost = int(
        ((challenger.predicted != champion.truth) & (champion.predicted == champion.truth)).sum()
    )
    return float(stats.binom.sf(gained - 1, gained + lost, 0.5)) if gained + lost else 1.0


def nights_until_promoted(repeats: int, alike: float, rows_a_block: int) -> dict[str, float]:
    """The share of runs that promote an equal challenger in thirty nights, by rule."""
    rng = np.random.default_rng(30)
    promoted = dict.fromkeys(
        ("point", "McNemar at .05", "95 % interval", "alpha spent", "alpha spent on one side"), 0
    )
    for _ in range(repeats):
        seen = set()
        for night in range(1, NIGHTS + 1):
            pair = two_models(rng, 15, rows_a_block, alike=alike)
            levels = (0.95, 1 - spent_alpha(0.05, night), 1 - 2 * spent_alpha(0.05, night))
            results = [compare(ACCURACY, *pair, confidence=level, min_rows=50) for level in levels]
            wins = (
                (results[0].improvement or 0) > 0,
                mcnemar(*pair) < 0.025,
                *(r.verdict == "better" for r in results),
            )
            seen |= {rule for rule, won in zip(promoted, wins, strict=True) if won}
        for rule in seen:
            promoted[rule] += 1
    return {rule: count / repeats for rule, count in promoted.items()}


def promotion_rows(repeats: int) -> Iterator[Row]:
    """False promotions over thirty nights, by rule and design effect."""
    for alike in (0.0, 0.3):
        effect = design_effect(alike, 40)
        for rule, found in nights_until_promoted(repeats, alike, 40).items():
            goal = "<= 5 %" if rule.startswith("alpha") else "-"
            yield Row(
                f"equal model promoted in {NIGHTS} nights, {rule}",
                f"600 rows, design effect {effect:.1f}",
                f"{found:.1%}",
                goal,
            )


def power_rows(repeats: int) -> Iterator[Row]:
    """How often strict mode sees a gain of one point on 6,000 rows at the first attempt."""
    for alike in (0.0, 0.05):
        rng = np.random.default_rng(6000)
        pairs = [two_models(rng, 60, 100, alike=alike, gain=0.0385) for _ in range(repeats)]
        points = 100 * np.mean(
            [(b.predicted == b.truth).mean() - (a.predicted == a.truth).mean() for a, b in pairs]
        )
        differ = np.mean([(a.predicted != b.predicted).mean() for a, b in pairs])
        setting = (
            f"60 blocks of 100, {differ:.0%} of answers differ, design effect"
            f" {design_effect(alike, 100):.1f}"
        )
        for rule, sides in (("alpha spent", 1), ("alpha spent on one side", 2)):
            level = 1 - sides * spent_alpha(0.05, 1)
            found = np.mean(
                [
                    compare(ACCURACY, *pair, confidence=level, min_rows=50).verdict == "better"
                    for pair in pairs
                ]
            )
            yield Row(f"+{points:.1f} point seen, {rule}", setting, f"{found:.1%}", ">= 60 %")


def coverage_rows(repeats: int) -> Iterator[Row]:
    """How often 95 % intervals hold the truth: of the difference of equal models, and of one
    model's score.
    """
    for name in ("accuracy", "f1", "roc_auc"):
        for lively in (0.0, 15.0):
            for blocks, rows in ((10, 50), (20, 100), (50, 40)):
                alike = lively / rows
                both, alone = coverage(name, repeats, blocks, rows, alike)
                setting = (
                    f"{blocks} blocks of {rows}, design effect {design_effect(alike, rows):.1f}"
                )
                yield Row(
                    f"interval holds the truth, {name}",
                    setting,
                    f"{both:.1%} pair, {alone:.1%} score",
                    "95 %",
                )


def coverage(
    name: str, repeats: int, blocks: int, rows_a_block: int, alike: float
) -> tuple[float, float]:
    """The shares of intervals of a difference that hold zero, and of intervals of a score that hold
    it.
    """
    rng = np.random.default_rng(blocks)
    chosen = metric(name)
    truth = score(chosen, two_models(rng, 4000, rows_a_block, alike=alike)[0])
    assert truth is not None
    pair_held = score_held = 0
    for _ in range(repeats):
        champion, challenger = two_models(rng, blocks, rows_a_block, alike=alike)
        pair_held += (
            compare(chosen, champion, challenger, confidence=0.95, min_rows=50).verdict
            == "not_enough_evidence"
        )
        low, high = score_interval(chosen, champion, 0.95) or (np.nan, np.nan)
        score_held += low <= truth <= high
    return pair_held / repeats, score_held / repeats


def main() -> None:
    """Print the table, line by line as it comes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="a tenth of the repeats")
    fewer = 10 if parser.parse_args().quick else 1
    print("| what | setting | found | goal |\n|---|---|---|---|")
    for rows, repeats in (
        (drift_rows, 250),
        (promotion_rows, 200),
        (power_rows, 500),
        (coverage_rows, 100),
    ):
        for row in rows(max(20, repeats // fewer)):
            print(f"| {row.what} | {row.setting} | {row.found} | {row.goal} |", flush=True)


if __name__ == "__main__":
    main()
