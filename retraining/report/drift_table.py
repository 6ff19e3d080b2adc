"""The drift table: features worst first, each with its two distributions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from retraining.phrases import how_many
from retraining.report.figures import Histogram, histogram
from retraining.report.rendering import typeset
from retraining.report.words import NOTHING, printable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from retraining.records import Drift, FeatureDrift
    from retraining.report.material import Distribution

MOST_FEATURES = 60


@dataclass(frozen=True)
class DriftRow:
    """One feature."""

    name: str
    picture: Histogram | None
    label: str
    psi: str
    q: str
    finding: str
    material: bool


@dataclass(frozen=True)
class DriftTable:
    """The table, what it says in one sentence, and a word about features that it leaves out."""

    sentence: str
    rows: tuple[DriftRow, ...]
    left_out: str


def drift_table(drift: Drift, distributions: Mapping[str, Distribution]) -> DriftTable | None:
    """None where no feature was looked at."""
    if not drift.features:
        return None
    features = sorted(drift.features, key=_badness, reverse=True)
    rows = tuple(_row(feature, distributions) for feature in features[:MOST_FEATURES])
    beyond = len(features) - len(rows)
    return DriftTable(
        _sentence(drift),
        rows,
        f"{how_many(beyond, 'calmer feature')} left out here." if beyond else "",
    )


def _badness(feature: FeatureDrift) -> tuple[bool, bool, float]:
    return (bool(feature.material), bool(feature.detected), feature.psi_corrected)


def _sentence(drift: Drift) -> str:
    if drift.detected is None:
        return "There were too few files to judge drift; the numbers are shown for information."
    material = sum(bool(feature.material) for feature in drift.features)
    detected = sum(bool(feature.detected) for feature in drift.features)
    whole = how_many(len(drift.features), "feature")
    if not detected:
        return f"No drift was detected in {whole}."
    return (
        f"Of {whole}, {detected} drifted significantly, {material or 'none'} of them by enough to"
        " matter."
    )


def _row(feature: FeatureDrift, distributions: Mapping[str, Distribution]) -> DriftRow:
    name = printable(feature.name, 120)
    distribution = distributions.get(feature.name)
    return DriftRow(
        name=name,
        picture=histogram(distribution) if distribution else None,
        label=(
            f"Distribution of {name} before and now: {_shift(distribution)}" if distribution else ""
        ),
        psi=_decimals(feature.psi_corrected),
        q=_chance(feature.q),
        finding=_finding(feature),
        material=bool(feature.material),
    )


def _finding(feature: FeatureDrift) -> str:
    if feature.material:
        return "material"
    if feature.detected is None:
        return "not judged"
    return "significant, small" if feature.detected else "steady"


def _shift(distribution: Distribution) -> str:
    """The bin that gained most and the one that lost most, for those who do not see the picture."""
    before, now = sum(distribution.reference), sum(distribution.current)
    if before <= 0 or now <= 0:
        return "one side has no rows"
    changes = [
        (100 * (new / now - old / before), printable(name, 40))
        for name, old, new in zip(
            distribution.bins, distribution.reference, distribution.current, strict=False
        )
    ]
    (most, gained), (least, lost) = max(changes), min(changes)
    if round(most, 1) == 0 == round(least, 1):
        return "no bin moved"
    return typeset(f"{gained} {most:+.1f} points, {lost} {least:+.1f} points")


def _chance(probability: float | None) -> str:
    return "< 0.001" if probability is not None and probability < 0.001 else _decimals(probability)


def _decimals(number: float | None) -> str:
    return NOTHING if number is None else typeset(f"{number:.3f}")
