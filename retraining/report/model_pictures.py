"""What both models got right and wrong on the test set, as pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from retraining.report import on_test_set
from retraining.report.figures import square_line
from retraining.report.words import name, printable

if TYPE_CHECKING:
    from retraining.records import Outcome
    from retraining.report.material import TestSet


@dataclass(frozen=True)
class Matrix:
    """A confusion matrix: per true class its name and (rows, share of the class) for each predicted
    class.
    """

    name: str
    rows: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]


@dataclass(frozen=True)
class CurvePicture:
    """Both models' curves in one square."""

    before: str
    after: str
    label: str
    caption: str
    across: str
    up: str


def matrices(outcome: Outcome, test_set: TestSet | None) -> list[Matrix]:
    """Confusion matrices of production and challenger.

    None where there are too many classes to read them.
    """
    if (
        test_set is None
        or len(test_set.classes) > on_test_set.MOST_CLASSES
        or not test_set.champion.truth.size
    ):
        return []
    names = (
        f"Production {name(outcome.previous_version)}",
        f"Challenger {name(outcome.challenger_version)}",
    )
    drawn = []
    for title, model in zip(names, (test_set.champion, test_set.challenger), strict=True):
        confusion = on_test_set.confusion(model)
        rows = [
            (printable(label, 40), _cells(confusion, true))
            for true, label in enumerate(test_set.classes)
        ]
        drawn.append(Matrix(title, tuple(rows)))
    return drawn


def _cells(confusion: on_test_set.Confusion, true: int) -> tuple[tuple[str, str], ...]:
    """Rows and share of each predicted class among those of one true class."""
    counts = confusion.counts[true]
    return tuple(
        (f"{count:,}", f"{confusion.share(true, predicted):.3f}")
        for predicted, count in enumerate(counts)
    )


def curve_pictures(outcome: Outcome, test_set: TestSet | None) -> list[CurvePicture]:
    """ROC and calibration, where probabilities exist."""
    if test_set is None:
        return []
    curves = [on_test_set.curves(model) for model in (test_set.champion, test_set.challenger)]
    versions = (name(outcome.previous_version), name(outcome.challenger_version))
    positive = "predicted probability"
    if len(test_set.classes) == 2:
        positive = f"P({printable(test_set.classes[-1], 20)})"
    kinds = (
        ("ROC curve", "area under it", "false positive rate", "true positive rate"),
        ("Calibration", "mean distance from the diagonal", positive, "came true"),
    )
    pictures = []
    for (title, summary, across, up), both in zip(kinds, zip(*curves, strict=True), strict=True):
        if any(both):
            numbers = ", ".join(
                f"{version} {curve.summary:.3f}"
                for version, curve in zip(versions, both, strict=True)
                if curve
            )
            lines = [square_line(curve.points) if curve else "" for curve in both]
            caption = f"{title}; {summary}: {numbers}"
            pictures.append(CurvePicture(lines[0], lines[1], caption, caption, across, up))
    return pictures
