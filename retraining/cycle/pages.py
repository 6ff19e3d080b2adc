"""The small files that a cycle leaves on its run: for people, and for the cycles to come."""

from __future__ import annotations

import json
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING

from retraining.hindsight import graded_decisions
from retraining.logs import log
from retraining.model_registry.names import LOG, QUARANTINE, REPORT
from retraining.report import page, quarantine_csv
from retraining.report.material import Distribution, RefusedFile, ReportMaterial, TestSet
from retraining.scoring import coding
from retraining.serialisation import drift_to_json
from retraining.statistics import CategoryBins

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from retraining.cycle.comparing import Compared
    from retraining.cycle.monitoring import Moved
    from retraining.cycle.opening import Cycle
    from retraining.records import CycleRecord, Outcome
    from retraining.statistics import NumberBins


def pages_of(
    cycle: Cycle,
    record: CycleRecord,
    compared: Compared | None,
    moved: Moved | None,
) -> dict[str, str]:
    """Name -> content of the cycle's artifacts, but for `decision.json`: the books write that."""
    job, ledger, outcome = cycle.job, cycle.recovered.ledger, record.outcome
    refused = tuple(
        RefusedFile(one.name, one.sha256 or "", one.reason) for one in job.tally.refused
    )
    material = ReportMaterial(
        test_set=_test_set(cycle, compared) if compared else None,
        distributions=_distributions(moved) if moved else {},
        used=cycle.claimed.files,
        refused=refused,
        history=(*ledger.cycles, record),
        hindsight=graded_decisions((*ledger.cycles, record)),
        model_name=job.settings.model_name,
        command=job.settings.command,
    )
    pages = {REPORT: _drawn(outcome, material)}
    if outcome.drift.features:
        pages["drift.json"] = json.dumps(drift_to_json(outcome.drift), indent=1)
    if job.hooks.log_lines():
        pages[LOG] = "\n".join(job.hooks.log_lines()) + "\n"
    if refused:
        pages[QUARANTINE] = quarantine_csv(refused)
    return pages


def _drawn(outcome: Outcome, material: ReportMaterial) -> str:
    """The report.

    A fault in drawing it must not undo a cycle, so it goes to the log and onto the page instead.
    """
    try:
        return page(outcome, material=material)
    except Exception:  # noqa: BLE001 - whatever it was, it is told, and drawing is all that failed
        log.exception("the report could not be drawn; the cycle is not affected")
        return (
            "<!doctype html><title>Report</title><p>The report could not be drawn: see cycle.log."
            f" {escape(outcome.reason)}</p>"
        )


def _test_set(cycle: Cycle, compared: Compared) -> TestSet:
    return TestSet(coding(cycle.production.schema), compared.champion, compared.challenger)


def _distributions(moved: Moved) -> dict[str, Distribution]:
    """By feature, rows per bin before and now."""
    distributions = {}
    for name, now in moved.current.histograms.items():
        before = moved.reference.histograms.get(name)
        if before is not None:
            names = _bin_names(moved.reference.bins[name])
            distributions[name] = Distribution(names, _per_bin(before), _per_bin(now))
    return distributions


def _per_bin(histograms: NDArray[np.int64]) -> tuple[float, ...]:
    """Rows of each bin, over all blocks (blocks, bins)."""
    return tuple(histograms.sum(axis=0).astype(float).tolist())


def _bin_names(bins: NumberBins | CategoryBins) -> tuple[str, ...]:
    if isinstance(bins, CategoryBins):
        return (*bins.categories, "other", "missing")
    edges = [f"{edge:.4g}" for edge in bins.edges]
    if not edges:
        return ("any", "missing")
    between = (f"{low} to {high}" for low, high in pairwise(edges))
    return (f"under {edges[0]}", *between, f"{edges[-1]} and more", "missing")
