"""What the cycle's page shows beside the outcome.

Every part may be absent, and is then left out of the page.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from retraining.report.verdict import COMMAND

if TYPE_CHECKING:
    from collections.abc import Mapping

    from retraining.records import CycleRecord, DataFile, Hindsight, Label
    from retraining.statistics import Predictions


@dataclass(frozen=True)
class RefusedFile:
    """A file that went to quarantine, and why.

    Its name and the reason may hold anything that a stranger wrote.
    """

    name: str
    sha256: str
    reason: str
    rows: int | None = None


@dataclass(frozen=True)
class TestSet:
    """What both models say about the same test rows.

    `classes` holds the name of each code, of two classes the positive one second.
    """

    __test__ = False  # the name is no test case's

    classes: tuple[Label, ...]
    champion: Predictions
    challenger: Predictions


@dataclass(frozen=True)
class Distribution:
    """Rows of one feature per bin, before (what production learned from) and now (this cycle's
    files).
    """

    bins: tuple[str, ...]
    reference: tuple[float, ...]
    current: tuple[float, ...]


@dataclass(frozen=True)
class ReportMaterial:
    """Parts of the page, all optional.

    Attributes:
        test_set: for the confusion matrices, the ROC curve and the calibration.
        distributions: by feature, for the drift table's pictures.
        used: the files that this cycle judged.
        refused: the files that it moved to quarantine.
        history: records of earlier cycles, in any order, for the timeline; this cycle's may be
            among them.
        hindsight: by cycle id, what later rows say about that cycle's decision.
        model_name: the registered model's.
        command: how the job is started in this project; the page shows it with its arguments, to be
            copied.
    """

    test_set: TestSet | None = None
    distributions: Mapping[str, Distribution] = field(default_factory=dict)
    used: tuple[DataFile, ...] = ()
    refused: tuple[RefusedFile, ...] = ()
    history: tuple[CycleRecord, ...] = ()
    hindsight: Mapping[str, Hindsight] = field(default_factory=dict)
    model_name: str = ""
    command: str = COMMAND
