"""What people see: the cycle's page, the index over all cycles, the note, the version's
description, the terminal block.

Pure functions: records in, text out. Only the two pages need Jinja2 and numpy, so they are imported
when asked for: a closed gate prints JSON or a line, and no page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from retraining.report.note import description, note, quarantine_csv, verdict_block
from retraining.report.verdict import Advice, undo, verdict_sentence

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from retraining.records import CycleRecord, Hindsight, Outcome
    from retraining.report.material import ReportMaterial

__all__ = [
    "Advice",
    "description",
    "index",
    "note",
    "page",
    "quarantine_csv",
    "undo",
    "verdict_block",
    "verdict_sentence",
]


def page(outcome: Outcome, *, material: ReportMaterial | None = None) -> str:
    """`report.html`: one self-contained page about a cycle, under 1 MB.

    Parts whose material is absent are left out.
    """
    from retraining.report.cycle_page import render
    from retraining.report.material import ReportMaterial

    return render(outcome, material or ReportMaterial())


def index(
    records: Sequence[CycleRecord],
    *,
    hindsight: Mapping[str, Hindsight] | None = None,
    reports: Mapping[str, str] | None = None,
    model_name: str = "",
    serving: int | None = None,
) -> str:
    """One page over all cycles, newest first.

    Args:
        records: in any order; registrations may be among them.
        hindsight: by cycle id, what later rows say about that cycle's decision.
        reports: by cycle id, the relative link to its report; cycles that are not named get no
            link.
        model_name: the registered model's.
        serving: the version that holds the production alias now.
    """
    from retraining.report.index_page import render

    return render(records, hindsight or {}, reports or {}, model_name, serving)
