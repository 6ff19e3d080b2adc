"""The small files that a cycle leaves on its run: for people, and for the cycles to come."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from retraining.hindsight import graded_decisions
from retraining.report import RefusedFile, ReportMaterial, TestSet, page, quarantine_csv
from retraining.scoring import coding
from retraining.serialisation import record_to_json

if TYPE_CHECKING:
    from retraining.cycle.comparing import Compared
    from retraining.cycle.opening import Cycle
    from retraining.records import CycleRecord, Outcome


def pages_of(cycle: Cycle, record: CycleRecord, outcome: Outcome, compared: Compared | None) -> dict[str, str]:
    """Name -> content of the cycle's artifacts."""
    job, ledger = cycle.job, cycle.recovered.ledger
    refused = tuple(RefusedFile(name, sha256 or "", reason) for name, sha256, reason in job.quarantined)
    material = ReportMaterial(
        test_set=_test_set(cycle, compared) if compared else None,
        used=cycle.claimed.files,
        refused=refused,
        history=(*ledger.cycles, record),
        hindsight=graded_decisions((*ledger.cycles, record)),
        model_name=job.settings.model_name,
    )
    pages = {"decision.json": json.dumps(record_to_json(record), indent=1), "report.html": page(outcome, material=material)}
    if job.log_lines():
        pages["cycle.log"] = "\n".join(job.log_lines()) + "\n"
    if refused:
        pages["quarantine.csv"] = quarantine_csv(refused)
    return pages


def _test_set(cycle: Cycle, compared: Compared) -> TestSet:
    return TestSet(coding(cycle.production.schema), compared.champion, compared.challenger)
